// SPDX-License-Identifier: MIT

package ipstack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxKeyFile bounds the key file; real keys are 32 characters.
const maxKeyFile = 4 << 10

// ReadKey returns the access key in the file: the only line that is not
// empty. A file that everybody can read is accepted, with exposed true,
// for the caller to complain about. Errors do not contain the contents.
func ReadKey(path string) (key string, exposed bool, err error) {
	// O_NONBLOCK: a FIFO put there must not hang the daemon.
	file, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", false, fmt.Errorf("read ipstack key file %q: %w", path, cause(err))
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", false, fmt.Errorf("read ipstack key file %q: %w", path, cause(err))
	}
	if !info.Mode().IsRegular() {
		return "", false, fmt.Errorf("read ipstack key file %q: not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxKeyFile))
	if err != nil {
		return "", false, fmt.Errorf("read ipstack key file %q: %w", path, cause(err))
	}
	key = strings.TrimSpace(string(data))
	if err := checkKey(key); err != nil {
		return "", false, fmt.Errorf("read ipstack key file %q: %w", path, err)
	}
	return key, info.Mode().Perm()&0o004 != 0, nil
}

// checkKey accepts what can be a key, without telling it.
func checkKey(key string) error {
	if key == "" {
		return errors.New("no key in it")
	}
	for _, c := range key {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
		if !plain {
			return errors.New("want one line with letters and digits only")
		}
	}
	return nil
}

// cause drops the operation and path that os puts in front of an error.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
