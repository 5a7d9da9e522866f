// SPDX-License-Identifier: MIT

// Package account names the user that the packaged service runs as. What
// belongs to that user is DenMap's own: root's commands work on it, and
// leave it usable for the service.
package account

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// Name of the service's user and group, which the package creates.
const Name = "denmap"

// Trusts reports whether files and sockets of this user are DenMap's own:
// root's, this process's, or the service's.
func Trusts(uid int) bool {
	if uid == 0 || uid == os.Geteuid() {
		return true
	}
	// A host without the package has no such user, and nothing of its.
	service, err := user.Lookup(Name)
	return err == nil && service.Uid == strconv.Itoa(uid)
}

// HandOver gives a file that root has just created to the owner of the
// directory it is in, so that a command run as root leaves nothing that
// the service cannot use. Without root's rights, and where the owners
// agree, nothing happens.
func HandOver(f *os.File) error {
	return handOver(f.Name(), f.Stat, f.Chown)
}

// HandOverPath is HandOver for what cannot be opened, such as a pinned map.
// It follows no symbolic link.
func HandOverPath(path string) error {
	return handOver(path,
		func() (os.FileInfo, error) { return os.Lstat(path) },
		func(uid, gid int) error { return os.Lchown(path, uid, gid) })
}

func handOver(path string, stat func() (os.FileInfo, error), chown func(uid, gid int) error) error {
	if os.Geteuid() != 0 {
		return nil
	}
	dir, err := owner(os.Stat(filepath.Dir(path)))
	if err != nil {
		return fmt.Errorf("hand over %q: %w", path, err)
	}
	own, err := owner(stat())
	if err != nil {
		return fmt.Errorf("hand over %q: %w", path, err)
	}
	if own.uid == dir.uid && own.gid == dir.gid {
		return nil
	}
	if own.names > 1 {
		return fmt.Errorf("hand over %q: it is a hard link to another file", path)
	}
	if err := chown(int(dir.uid), int(dir.gid)); err != nil {
		return fmt.Errorf("hand over: %w", err)
	}
	return nil
}

// MkdirAll is os.MkdirAll that hands every directory it makes over, as
// HandOver does files.
func MkdirAll(path string, mode fs.FileMode) error {
	var made []string
	for dir := filepath.Clean(path); ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, dir)
	}
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	for _, dir := range slices.Backward(made) {
		// Not through a link that somebody put in its place meanwhile.
		f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		if err := errors.Join(HandOver(f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

type ownership struct {
	uid, gid uint32
	names    uint64 // of a file; a directory counts as one
}

func owner(info os.FileInfo, err error) (ownership, error) {
	if err != nil {
		return ownership{}, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ownership{}, errors.ErrUnsupported
	}
	o := ownership{uid: st.Uid, gid: st.Gid, names: 1}
	if !info.IsDir() {
		o.names = uint64(st.Nlink)
	}
	return o, nil
}
