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
)

const (
	mapsDir  = "maps"
	linksDir = "links"
)

// mountBPFFS mounts a BPF file system at parent if none is there.
func mountBPFFS(parent string) error {
	var st unix.Statfs_t
	err := unix.Statfs(parent, &st)
	if err == nil && uint32(st.Type) == unix.BPF_FS_MAGIC {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mount BPF file system: %q does not exist: is sysfs mounted?", parent)
	}
	if err := unix.Mount("bpf", parent, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
		return fmt.Errorf("mount BPF file system at %q: %w", parent, err)
	}
	return nil
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
	if int(st.Uid) != os.Geteuid() && st.Uid != 0 {
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

// removePins unlinks everything below dir and dir itself. The kernel keeps
// what is still referenced.
func removePins(dir string) error {
	for _, sub := range []string{linksDir, mapsDir} {
		if err := os.RemoveAll(filepath.Join(dir, sub)); err != nil {
			return fmt.Errorf("remove pins: %w", err)
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove pins: %w", err)
	}
	return nil
}

// removeLeftovers clears what a loader that died before its rename left.
func removeLeftovers(dir string) error {
	old, err := filepath.Glob(dir + "-new-*")
	if err != nil {
		return fmt.Errorf("find leftovers of %q: %w", dir, err)
	}
	for _, o := range old {
		f, err := lockDir(o)
		if err != nil {
			continue // somebody is filling it, or it is not ours
		}
		err = removePins(o)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// lockGate takes the lock under which the gate is edited: the directory of
// the pinned maps, since the daemon keeps that of the state.
func (s *State) lockGate() (unlock func(), err error) {
	if s.dir == "" { // not pinned: nobody else can see it
		return func() {}, nil
	}
	dir := filepath.Join(s.dir, mapsDir)
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock gate: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock gate: %w", err)
	}
	return func() { f.Close() }, nil
}
