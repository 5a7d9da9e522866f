// SPDX-License-Identifier: MIT

package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/renameio/v2"

	"denmap/userspace/account"
)

// errNotRegular says that a file of ours was replaced by something else.
var errNotRegular = errors.New("not a regular file")

// writeFile replaces path by data, for the owner alone: a reader, now or
// after a crash, finds the old content or the new. The temporary file's
// name starts with a dot.
func writeFile(path string, data []byte) error {
	dir := filepath.Dir(path)
	t, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	_, err = t.Write(data)
	if err = errors.Join(err, account.HandOver(t.File)); err != nil {
		return errors.Join(err, t.Cleanup())
	}
	if err := t.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename or removal in dir survive a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	// Some file systems cannot sync directories; they keep what they keep.
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOTSUP) {
		return fmt.Errorf("sync directory %q: %w", dir, err)
	}
	return nil
}

// writeJSON replaces path by v as JSON.
func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode %q: %w", filepath.Base(path), err)
	}
	if err := writeFile(path, append(data, '\n')); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}

// readJSON fills v from the file at path, which may hold at most limit
// bytes. It follows no symbolic link and waits for no FIFO.
func readJSON(path string, limit int64, v any) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("read %q: %w", path, errNotRegular)
	}
	if info.Size() > limit {
		return fmt.Errorf("read %q: %d bytes, want at most %d", path, info.Size(), limit)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return fmt.Errorf("read %q: %w", path, err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("read %q: %w", path, err)
	}
	return nil
}

// makePrivateDir makes dir, or narrows an existing one, to mode 0700.
func makePrivateDir(dir string) error {
	if err := account.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("open %q: not a directory", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return os.Chmod(dir, 0o700)
	}
	return nil
}

// removeTemporary removes what writes that a crash cut short left behind.
func removeTemporary(dir, base string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasPrefix(e.Name(), "."+base) {
			errs = append(errs, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
