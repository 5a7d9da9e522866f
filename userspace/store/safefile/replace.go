// SPDX-License-Identifier: MIT

package safefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"denmap/userspace/account"
)

// modeMask is what of a file's mode a replacement carries over.
const modeMask = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// Read is Read on the locked file.
func (f *File) Read(max int64) ([]byte, error) { return Read(f.path, max) }

// Rename moves the locked file to another path in its directory.
func (f *File) Rename(path string) error {
	if err := os.Rename(f.path, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Replace puts data in the place of the file's content, so that a reader
// or a crash at any moment finds either the old file or the new one. Mode
// and owner of the old file are kept; a new file gets mode, whatever the
// umask is. Hard links and extended attributes are not carried over. On
// error the old file is untouched, unless only the last step, syncing the
// directory, went wrong.
func (f *File) Replace(data []byte, mode fs.FileMode) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("replace %q: %w", f.path, err)
		}
	}()
	old, err := os.Lstat(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return err
	case !old.Mode().IsRegular():
		return ErrNotRegular
	default:
		mode = old.Mode() & modeMask
	}

	// The lock makes this name ours, so what a crash left there can go and
	// leftovers never pile up.
	dir, name := filepath.Dir(f.path), filepath.Base(f.path)
	temp := filepath.Join(dir, "."+name+".new")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeTemp(temp, data, mode, old); err != nil {
		return err
	}
	if err := os.Rename(temp, f.path); err != nil {
		if errors.Is(err, syscall.EBUSY) {
			err = fmt.Errorf("%w (a file that is a mount point cannot be replaced: mount its directory)", err)
		}
		return errors.Join(err, os.Remove(temp))
	}
	return syncDir(dir)
}

// writeTemp writes the new file completely, down to the disk, or removes
// it again. old is nil when there is no file to take the owner from.
func writeTemp(path string, data []byte, mode fs.FileMode, old fs.FileInfo) (err error) {
	t, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if err == nil {
			return
		}
		if !closed {
			err = errors.Join(err, t.Close())
		}
		err = errors.Join(err, os.Remove(path))
	}()
	if old == nil {
		err = account.HandOver(t)
	} else {
		err = keepOwner(t, old)
	}
	if err != nil {
		return err
	}
	// After the owner: chown clears set-id bits.
	if err := t.Chmod(mode); err != nil {
		return err
	}
	if _, err := t.Write(data); err != nil {
		return err
	}
	if err := t.Sync(); err != nil {
		return err
	}
	closed = true
	return t.Close()
}

// keepOwner gives t the owner and group of old. Without root's rights that
// may be refused: who can write the directory may replace the file all the
// same, and then owns it.
func keepOwner(t *os.File, old fs.FileInfo) error {
	now, err := t.Stat()
	if err != nil {
		return err
	}
	want, ok1 := old.Sys().(*syscall.Stat_t)
	have, ok2 := now.Sys().(*syscall.Stat_t)
	if !ok1 || !ok2 || want.Uid == have.Uid && want.Gid == have.Gid {
		return nil
	}
	err = t.Chown(int(want.Uid), int(want.Gid))
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return nil
	}
	return err
}

// syncDir makes a rename in dir survive a power cut. File systems that
// cannot sync a directory say EINVAL; they have nothing better to offer.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return fmt.Errorf("sync directory %q: %w", dir, err)
	}
	return nil
}
