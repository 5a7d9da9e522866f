// SPDX-License-Identifier: MIT

package safefile

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func mustLock(t *testing.T, path string) *File {
	t.Helper()
	f, err := Lock(context.Background(), path, 10*time.Second, 0o700)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
	return f
}

func mustWrite(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if _, err := Read(path, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v, want ErrNotExist", err)
	}
	for _, content := range []string{"", "x", "0123456789"} {
		mustWrite(t, path, content)
		if got, err := Read(path, 10); err != nil || string(got) != content {
			t.Errorf("Read = %q, %v, want %q", got, err, content)
		}
	}
	mustWrite(t, path, "0123456789a")
	if _, err := Read(path, 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("11 bytes of 10: %v, want ErrTooLarge", err)
	}
	// Files of /proc are larger than they say.
	if got, err := Read("/proc/self/status", 1<<20); err != nil || !strings.Contains(string(got), "Threads:") {
		t.Errorf("Read(/proc/self/status) = %q, %v", got, err)
	}
	if _, err := Read("/proc/self/status", 10); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Read(/proc/self/status) of 10 bytes: %v, want ErrTooLarge", err)
	}
}

func TestReadWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	fifo, socket := filepath.Join(dir, "fifo"), filepath.Join(dir, "socket")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, path := range []string{dir, fifo, socket, "/dev/null"} {
		if _, err := Read(path, 10); !errors.Is(err, ErrNotRegular) {
			t.Errorf("Read(%s): %v, want ErrNotRegular", path, err)
		}
		if path == "/dev/null" {
			continue // not to be locked or replaced by a test
		}
		if err := mustLock(t, path).Replace([]byte("x"), 0o600); !errors.Is(err, ErrNotRegular) {
			t.Errorf("Replace(%s): %v, want ErrNotRegular", path, err)
		}
	}
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "file")
	f := mustLock(t, path)
	for _, content := range []string{"first", "", "third"} {
		if err := f.Replace([]byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		if got := mustRead(t, path); got != content {
			t.Errorf("file %q, want %q", got, content)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("mode %v, %v, want 0640", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o606|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	if err := f.Replace([]byte("x"), 0o640); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o606|fs.ModeSetgid {
		t.Errorf("mode %v, %v, want it kept", info.Mode(), err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 2 || names[0].Name() != ".file.lock" {
		t.Errorf("left in the directory: %v, %v, want the file and its lock", names, err)
	}
}

// A disk that is full while the new file is written leaves the old one,
// and no leftover. A limit of the file size stands in for the disk.
func TestReplaceOnFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	mustWrite(t, path, "old")
	f := mustLock(t, path)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	limited := old
	limited.Cur = 1 << 20
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited); err != nil {
		t.Fatal(err)
	}
	err := f.Replace(make([]byte, 2<<20), 0o600)
	if back := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &old); back != nil {
		t.Fatal(back)
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("Replace: %v, want EFBIG", err)
	}
	if got := mustRead(t, path); got != "old" {
		t.Errorf("file of %d bytes, want the old one", len(got))
	}
	if _, err := os.Lstat(filepath.Join(filepath.Dir(path), ".file.new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("leftover: %v, want none", err)
	}
}

func TestLockExcludes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	var group sync.WaitGroup
	var inside, crowds atomic.Int32
	for range 8 {
		group.Go(func() {
			for range 10 {
				f, err := Lock(context.Background(), path, 30*time.Second, 0o700)
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) > 1 {
					crowds.Add(1)
				}
				inside.Add(-1)
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := crowds.Load(); n > 0 {
		t.Errorf("two holders at once, %d times", n)
	}
}

func TestLockGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	mustLock(t, path)
	if _, err := Lock(context.Background(), path, 20*time.Millisecond, 0o700); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("Lock: %v, want ErrLocked with the path", err)
	}
	reason := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(reason)
	if _, err := Lock(ctx, path, time.Hour, 0o700); !errors.Is(err, ErrLocked) || !errors.Is(err, reason) {
		t.Errorf("Lock: %v, want ErrLocked and the reason", err)
	}
}

// A lock file that was removed while it is held does not let two in for
// longer than the first holds it, and never makes the next holder wait
// for a file that nobody sees.
func TestLockFileRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	first := mustLock(t, path)
	if err := os.Remove(filepath.Join(filepath.Dir(path), ".file.lock")); err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	mustLock(t, path)
	if _, err := Lock(context.Background(), path, 0, 0o700); !errors.Is(err, ErrLocked) {
		t.Errorf("Lock: %v, want ErrLocked", err)
	}
}

func TestLockFileIsNotALink(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.Symlink(victim, filepath.Join(dir, ".file.lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(context.Background(), filepath.Join(dir, "file"), 0, 0o700); err == nil {
		t.Error("Lock through a link: no error")
	}
	if _, err := os.Lstat(victim); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the link was followed: %v", err)
	}
}

func TestLockThroughLinks(t *testing.T) {
	dir := t.TempDir()
	link, loop := filepath.Join(dir, "link"), filepath.Join(dir, "loop")
	for name, target := range map[string]string{link: "sub/../real", loop: "loop"} {
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	f := mustLock(t, link)
	if want := filepath.Join(dir, "real"); f.Path() != want {
		t.Errorf("path %s, want %s", f.Path(), want)
	}
	if _, err := Lock(context.Background(), filepath.Join(dir, "real"), 0, 0o700); !errors.Is(err, ErrLocked) {
		t.Errorf("Lock of the target: %v, want ErrLocked", err)
	}
	if _, err := Lock(context.Background(), loop, 0, 0o700); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("Lock of a link to itself: %v, want ELOOP", err)
	}
}
