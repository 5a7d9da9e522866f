// SPDX-License-Identifier: MIT

package history

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"denmap/userspace/store/safefile"
)

// keepDamaged is how many databases that were set aside are kept: a disk
// that fails must not be filled with them.
const keepDamaged = 2

// setAside renames the database, which must be closed, with what belongs
// to it, and returns the new name.
func setAside(path string, now time.Time) (string, error) {
	aside, err := safefile.AsideName(path, now)
	if err != nil {
		return "", err
	}
	// The write-ahead log first: a new database must never meet it.
	for _, suffix := range []string{"-wal", ""} {
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if err := removeAny(path + "-shm"); err != nil {
		return "", err
	}
	return aside, pruneDamaged(path)
}

// pruneDamaged removes all but the latest databases that were set aside.
func pruneDamaged(path string) error {
	entries, err := os.ReadDir(filepath.Dir(path)) // by name: oldest first
	if err != nil {
		return err
	}
	var found []string
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, filepath.Base(path)+safefile.AsideMark) && !strings.HasSuffix(name, "-wal") {
			found = append(found, filepath.Join(filepath.Dir(path), name))
		}
	}
	for ; len(found) > keepDamaged; found = found[1:] {
		if err := errors.Join(removeAny(found[0]), removeAny(found[0]+"-wal")); err != nil {
			return err
		}
	}
	return nil
}

// removeAny removes a file that need not exist.
func removeAny(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
