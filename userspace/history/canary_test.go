// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"denmap/userspace/event"
)

// hang makes the next question wait until somebody reads the pipe that it
// returns, and the last answer old.
func (db *testDB) hang(t *testing.T) string {
	t.Helper()
	alive := filepath.Join(filepath.Dir(db.path), canaryName)
	if err := os.Remove(alive); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(alive, 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(canaryFresh)
	return alive
}

// TestDiskHangs stands for the disk with a pipe that nobody reads, which
// stops who opens it for writing: nothing is written or read meanwhile, and
// nothing is lost.
func TestDiskHangs(t *testing.T) {
	t.Parallel()
	db := mustOpen(t, Options{})
	db.handle(scanEvent("before", "203.0.113.1/32", event.ScanDetected, 0))
	alive := db.hang(t)
	db.Handle(scanEvent("meanwhile", "203.0.113.2/32", event.ScanDetected, time.Second))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := db.Scans(ctx, Filter{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a query of a disk that hangs: %v", err)
	}
	eventually(t, "word of it", func() bool { return db.said.count("the disk does not answer; events wait, protection goes on") == 1 })
	if s := db.Stats(); s.Available || s.Queued != 1 {
		t.Errorf("meanwhile: %+v", s)
	}
	disk, err := os.OpenFile(alive, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	eventually(t, "the event", func() bool { return db.Stats().Queued == 0 })
	if scans := db.mustScans(t, Filter{}); len(scans) != 2 {
		t.Errorf("stored %v", ids(scans))
	}
}

// TestCloseWhileDiskHangs ends all the same, and says what is lost.
func TestCloseWhileDiskHangs(t *testing.T) {
	t.Parallel()
	db := mustOpen(t, Options{})
	alive := db.hang(t)
	db.Handle(scanEvent("late", "203.0.113.2/32", event.ScanDetected, 0))
	if err := db.Close(); !errors.Is(err, errHangs) || db.Stats().Lost != 1 {
		t.Errorf("close: %v, lost %d", err, db.Stats().Lost)
	}
	// Lets the one who asks go.
	disk, err := os.OpenFile(alive, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the question", func() bool {
		db.canary.mu.Lock()
		defer db.canary.mu.Unlock()
		return db.canary.asking == nil
	})
	disk.Close()
}
