// SPDX-License-Identifier: MIT

package pending

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"denmap/userspace/store/safefile"
)

// Aside is added to the name of a file that somebody went on editing while
// the change before it waited: what they wrote is kept there.
const Aside = ".unconfirmed"

// Load reads a file that is about to be changed. A missing one is empty.
func Load(path string) (data []byte, existed bool, err error) {
	data, err = safefile.Read(path, maxBefore)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// Sum is what Change.After holds of a file's content.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// Restore makes the file of the change what it was before. If somebody has
// edited it since, their version is kept beside it. It may be repeated.
func Restore(ctx context.Context, c Change, before []byte) (err error) {
	file, err := safefile.Lock(ctx, c.Path, lockWait, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	current, exists, err := Load(file.Path())
	if err != nil {
		return err
	}
	if exists == c.Existed && bytes.Equal(current, before) {
		return nil
	}
	if exists && Sum(current) != c.After {
		if err := keepAside(ctx, file.Path()+Aside, current); err != nil {
			return err
		}
	}
	if c.Existed {
		return file.Replace(before, 0o640)
	}
	if err := os.Remove(file.Path()); err != nil {
		return fmt.Errorf("remove what the change created: %w", err)
	}
	return nil
}

func keepAside(ctx context.Context, path string, data []byte) error {
	aside, err := safefile.Lock(ctx, path, lockWait, 0o755)
	if err != nil {
		return err
	}
	return errors.Join(aside.Replace(data, 0o640), aside.Close())
}
