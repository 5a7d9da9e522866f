// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"denmap/userspace/account"
)

// Below the pin directory. The state exists as soon as mapsDir does.
const (
	mapsDir  = "maps"
	linksDir = "links"
	// newDir is where maps are made before they become mapsDir, and where
	// they go to be removed: half of the state is never to be seen.
	newDir = "new"
)

// mountBPFFS mounts a BPF file system above dir if there is none. The
// packaged service finds dir ready, as a mount of its own.
func mountBPFFS(dir string) error {
	parent := filepath.Dir(dir)
	var st unix.Statfs_t
	for _, path := range []string{dir, parent} {
		if err := unix.Statfs(path, &st); err == nil && uint32(st.Type) == unix.BPF_FS_MAGIC {
			return nil
		}
	}
	if _, err := os.Stat(parent); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mount BPF file system: %q does not exist: is sysfs mounted?", parent)
	}
	if err := unix.Mount("bpf", parent, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return fmt.Errorf("mount BPF file system at %q: %w", parent, err)
	}
	return nil
}

// holdDir locks dir, which it makes if it is missing.
func holdDir(dir string) (*os.File, error) {
	for {
		lock, err := lockDir(dir)
		if !errors.Is(err, fs.ErrNotExist) {
			return lock, err
		}
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("create pins: %w", err)
		}
	}
}

// lockDir opens dir and takes its lock, which lives and dies with the
// state it protects. It refuses a directory that others could have planted
// or can write. Errors: fs.ErrNotExist, ErrRunning.
func lockDir(dir string) (*os.File, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	f := os.NewFile(uintptr(fd), dir)
	if err := checkOwner(f); err != nil {
		f.Close()
		return nil, err
	}
	if err := waitLock(fd); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrRunning
		}
		return nil, fmt.Errorf("lock %q: %w", dir, err)
	}
	// Whoever held the lock may have removed the directory meanwhile.
	var locked, there unix.Stat_t
	if err := errors.Join(unix.Fstat(fd, &locked), unix.Stat(dir, &there)); err != nil || locked.Ino != there.Ino {
		f.Close()
		return nil, &fs.PathError{Op: "lock", Path: dir, Err: fs.ErrNotExist}
	}
	return f, nil
}

// waitLock takes the exclusive lock; it outlasts a command that only asks
// whether a daemon runs.
func waitLock(fd int) error {
	const tries, pause = 20, 10 * time.Millisecond
	for i := 0; ; i++ {
		err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
		if i == tries || !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		time.Sleep(pause)
	}
}

func checkOwner(dir *os.File) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(dir.Fd()), &st); err != nil {
		return fmt.Errorf("stat %q: %w", dir.Name(), err)
	}
	if !account.Trusts(int(st.Uid)) {
		return fmt.Errorf("open %q: it belongs to user %d, not to DenMap", dir.Name(), st.Uid)
	}
	if st.Mode&0o022 != 0 {
		return fmt.Errorf("open %q: others can write it (mode %04o)", dir.Name(), st.Mode&0o7777)
	}
	return nil
}

// isHeld reports whether a daemon holds the lock on dir. Asking takes a
// shared lock for a moment, which other questions do not mind and a daemon
// that starts waits for.
func isHeld(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// hasState reports whether maps are pinned below dir.
func hasState(dir string) (bool, error) {
	_, err := os.Lstat(filepath.Join(dir, mapsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for pinned state: %w", err)
	}
	return true, nil
}

// removePins unlinks everything below dir, and dir itself if that is ours.
// The kernel keeps what is still referenced. The caller holds the lock of
// dir.
func removePins(dir string) error {
	for _, sub := range []string{linksDir, priorDir} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			return fmt.Errorf("remove pins: %w", err)
		}
	}
	if err := removeNew(dir); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, mapsDir), filepath.Join(dir, newDir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove pins: %w", err)
	}
	if err := removeNew(dir); err != nil {
		return err
	}
	return removeDir(dir)
}

// removeDir removes the empty directory, unless it was made for another
// user or is a mount, as the service's is.
func removeDir(dir string) error {
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err == nil && int(st.Uid) != os.Geteuid() {
		return nil
	}
	err := os.Remove(dir)
	for _, mayStay := range []error{fs.ErrNotExist, fs.ErrPermission, unix.EBUSY, unix.EROFS} {
		if errors.Is(err, mayStay) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("remove pins: %w", err)
	}
	return nil
}

// makeDir makes a directory below the pin directory, for the same owner.
func makeDir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return account.HandOverPath(path)
}

// removeNew clears what a start or an end that was cut short left.
func removeNew(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, newDir)); err != nil {
		return fmt.Errorf("remove pins: %w", err)
	}
	return nil
}

// pinAt pins a map or link below the pin directory, for the same owner.
func pinAt(object interface{ Pin(path string) error }, path string) error {
	if err := object.Pin(path); err != nil {
		return err
	}
	if err := account.HandOverPath(path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// lockDir takes the lock under which one part of the state is edited: that
// of a directory below the state's own, which the daemon keeps.
func (s *State) lockDir(sub string) (unlock func(), err error) {
	if s.dir == "" { // not pinned: nobody else can see it
		return func() {}, nil
	}
	dir := filepath.Join(s.dir, sub)
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock %q: %w", dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %q: %w", dir, err)
	}
	return func() { f.Close() }, nil
}
