// SPDX-License-Identifier: MIT

package lists

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const (
	// quickly leaves a busy machine some room beyond the second that users
	// are promised, and is less than the poll that would hide a missing
	// notification.
	quickly    = slowPoll - 100*time.Millisecond
	eventually = 10 * time.Second
)

// startWatch watches paths until the test ends and returns the changes.
func startWatch(t *testing.T, paths ...string) <-chan string {
	t.Helper()
	w, err := NewWatcher(paths)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, w)
}

func run(t *testing.T, w *Watcher) <-chan string {
	changes := make(chan string, 100)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx, func(path string) { changes <- path }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return changes
}

// mustChange waits for a change of path, for at most limit.
func mustChange(t *testing.T, changes <-chan string, path string, limit time.Duration) {
	t.Helper()
	deadline := time.After(limit)
	for {
		select {
		case got := <-changes:
			if got == path {
				return
			}
		case <-deadline:
			t.Fatalf("no change of %s within %v", path, limit)
		}
	}
}

func TestWatchSeesEveryWayToWrite(t *testing.T) {
	dir := t.TempDir()
	path, other := filepath.Join(dir, "allow.list"), filepath.Join(dir, "deny.list")
	changes := startWatch(t, path, other, path)
	steps := []struct {
		name string
		do   func() error
	}{
		{"create", func() error { return os.WriteFile(path, []byte("192.0.2.1\n"), 0o600) }},
		{"write in place, same size", func() error { return os.WriteFile(path, []byte("192.0.2.2\n"), 0o600) }},
		{"edit", func() error {
			_, err := Add(context.Background(), path, Allow, []Entry{entry(t, "192.0.2.3")}, AddOptions{})
			return err
		}},
		{"replace by an older file", func() error {
			temp := filepath.Join(dir, "temp")
			mustWrite(t, temp, "192.0.2.4\n")
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(temp, old, old); err != nil {
				return err
			}
			return os.Rename(temp, path)
		}},
		{"remove", func() error { return os.Remove(path) }},
	}
	for _, step := range steps {
		start := time.Now()
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		mustChange(t, changes, path, quickly)
		t.Logf("%s: seen after %v", step.name, time.Since(start))
	}
	mustWrite(t, other, "x")
	mustChange(t, changes, other, quickly)
}

func TestWatchReportsOnlyChanges(t *testing.T) {
	dir := t.TempDir()
	quiet, marker := filepath.Join(dir, "quiet.list"), filepath.Join(dir, "marker.list")
	mustWrite(t, quiet, "x")
	changes := startWatch(t, quiet, marker)
	mustWrite(t, filepath.Join(dir, "other"), "x")
	mustWrite(t, marker, "y")
	if got := <-changes; got != marker {
		t.Errorf("change of %s, want %s only", got, marker)
	}
	mustWrite(t, quiet, "zz")
	mustChange(t, changes, quiet, quickly)
}

// A file that never comes to rest is reported all the same.
func TestWatchRestlessFile(t *testing.T) {
	path := tempList(t, "")
	changes := startWatch(t, path)
	stop := make(chan struct{})
	stopped := make(chan error)
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		for err == nil {
			select {
			case <-stop:
				stopped <- f.Close()
				return
			case <-time.After(10 * time.Millisecond):
				_, err = f.WriteString("#\n")
			}
		}
		stopped <- err
	}()
	mustChange(t, changes, path, quickly)
	close(stop)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	mustChange(t, changes, path, quickly)
}

func TestWatchDirectoryComesAndGoes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "etc", "denmap")
	path := filepath.Join(dir, "allow.list")
	changes := startWatch(t, path)
	for range 2 {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, path, "x")
		mustChange(t, changes, path, eventually)
		// By now the new directory is watched as quickly as any.
		mustWrite(t, path, "yy")
		mustChange(t, changes, path, quickly)
		if err := os.RemoveAll(filepath.Dir(dir)); err != nil {
			t.Fatal(err)
		}
		mustChange(t, changes, path, quickly)
	}
}

func TestWatchFollowsLinks(t *testing.T) {
	dir, elsewhere := t.TempDir(), t.TempDir()
	target, link := filepath.Join(elsewhere, "target"), filepath.Join(dir, "allow.list")
	mustWrite(t, target, "192.0.2.1\n")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	changes := startWatch(t, link)
	mustWrite(t, target, "192.0.2.10\n")
	mustChange(t, changes, link, quickly)
	if _, err := Add(context.Background(), link, Allow, []Entry{entry(t, "192.0.2.1")}, AddOptions{}); err != nil {
		t.Fatal(err)
	}
	mustChange(t, changes, link, quickly)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	mustChange(t, changes, link, quickly)
}

func TestWatchWithoutNotifications(t *testing.T) {
	path := tempList(t, "x")
	w, err := NewWatcher([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.notify.Close(); err != nil {
		t.Fatal(err)
	}
	changes := run(t, w)
	mustWrite(t, path, "yy")
	mustChange(t, changes, path, eventually)
	mustWrite(t, path, "zzz")
	mustChange(t, changes, path, quickly)
}

// What changes between NewWatcher and Run is not lost.
func TestWatchFromTheStart(t *testing.T) {
	path := tempList(t, "x")
	w, err := NewWatcher([]string{path})
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, path, "yy")
	mustChange(t, run(t, w), path, quickly)
}

func TestWatchEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	w, err := NewWatcher([]string{tempList(t, "x")})
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- w.Run(ctx, func(string) {}) }()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Run did not end")
	}
	if _, err := NewWatcher([]string{""}); err == nil {
		t.Error("NewWatcher of an empty path: no error")
	}
}
