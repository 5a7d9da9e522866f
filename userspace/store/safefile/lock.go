// SPDX-License-Identifier: MIT

package safefile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"denmap/userspace/account"
)

// ErrLocked is wrapped by Lock's error when another holder kept the lock
// for the whole wait.
var ErrLocked = errors.New("locked by another program")

// maxLinks is how many symbolic links in a row are followed, the kernel's
// own limit.
const maxLinks = 40

// Pauses between two tries for a lock. Edits take milliseconds, so the
// first tries come quickly.
const (
	firstPause = time.Millisecond
	maxPause   = 20 * time.Millisecond
)

// File is a file whose lock is held, from Lock to Close. It is for one
// goroutine.
type File struct {
	path string // symbolic links resolved
	lock *os.File
}

// Lock takes the exclusive lock that belongs to the file at path, waiting
// at most wait and no longer than ctx. If path is a symbolic link, its
// target is what is locked and replaced later. The file need not exist;
// missing parent directories are created with dirMode.
//
// The lock is flock(2) on a hidden file beside it, ".NAME.lock" with mode
// 0600, which stays behind: removing it would let two holders in. It is
// not the directory itself that is locked, because every user who may read
// that could then keep DenMap waiting. Locks exclude goroutines of one
// process as well, and vanish with their holder. The error wraps ErrLocked
// when the wait was in vain.
func Lock(ctx context.Context, path string, wait time.Duration, dirMode fs.FileMode) (*File, error) {
	target, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	dir, name := filepath.Dir(target), filepath.Base(target)
	if err := account.MkdirAll(dir, dirMode); err != nil {
		return nil, fmt.Errorf("lock %q: %w", path, err)
	}
	lockPath := filepath.Join(dir, "."+name+".lock")
	deadline := time.Now().Add(wait)
	pause := firstPause
	for {
		lock, err := tryLock(lockPath)
		if err == nil {
			return &File{path: target, lock: lock}, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %q: %w", path, err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("lock %q: %w for %v", path, ErrLocked, wait)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock %q: %w: %w", path, ErrLocked, context.Cause(ctx))
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// Close gives the lock back. Closing twice is an error of package os.
func (f *File) Close() error { return f.lock.Close() }

// Path returns the path of the file itself, symbolic links resolved.
func (f *File) Path() string { return f.path }

// tryLock opens and locks the lock file without waiting. EWOULDBLOCK means
// that somebody else holds it.
func tryLock(path string) (*os.File, error) {
	const flags = os.O_RDWR | os.O_CREATE | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(account.HandOver(f), lockOpen(f, path)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func lockOpen(f *os.File, path string) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if err != syscall.EINTR {
			return err
		}
	}
	// Somebody may have removed the file between open and lock; then the
	// next to come locks another one, and this lock excludes nobody.
	held, err := f.Stat()
	if err != nil {
		return err
	}
	if !held.Mode().IsRegular() {
		return fmt.Errorf("open %q: %w", path, ErrNotRegular)
	}
	named, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(held, named) {
		return syscall.EWOULDBLOCK
	}
	return err
}

// resolve follows the symbolic links of path's last element, which need
// not exist.
func resolve(path string) (string, error) {
	for range maxLinks {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		if !filepath.IsAbs(target) {
			// A ".." in the target starts from where the directory really
			// is, so its own links come first.
			dir, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			target = filepath.Join(dir, target)
		}
		path = target
	}
	return "", syscall.ELOOP
}
