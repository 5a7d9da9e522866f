// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"denmap/testenv/smalldisk"
	"denmap/userspace/event"
)

// TestFullDisk fills a small file system of its own.
func TestFullDisk(t *testing.T) { smalldisk.Run(t, "8m", fullDisk) }

func fullDisk(t *testing.T, dir string) {
	t.Run("while running", func(t *testing.T) { fullWhileRunning(t, dir) })
	t.Run("at the start", func(t *testing.T) { fullAtStart(t, dir) })
	t.Run("with a damaged database", func(t *testing.T) { fullAndDamaged(t, dir) })
}

// ballast fills the disk, leaving so many bytes, and returns how to empty
// it again.
func ballast(t *testing.T, dir string, leave uint64) (remove func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	free := st.Bavail * uint64(st.Bsize)
	if err := os.WriteFile(path, make([]byte, free-min(leave, free)), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func fullWhileRunning(t *testing.T, dir string) {
	db := mustOpen(t, Options{Path: filepath.Join(dir, "history.db")})
	db.handle(scanEvent("A", "192.0.2.1/32", event.ScanDetected, 0))
	remove := ballast(t, dir, 256<<10)
	n := 0
	for ; db.Stats().Available; n++ {
		if n > 5000 {
			t.Fatal("the disk is never full")
		}
		db.Handle(scanEvent(name("S", n), "192.0.2.1/32", event.ScanDetected, time.Second))
		if n%50 == 0 {
			db.sync()
		}
	}
	for i := range 100 {
		db.handle(scanEvent(name("T", i), "192.0.2.1/32", event.ScanDetected, time.Second))
	}
	// What is stored can be read all the time.
	if _, err := db.Scans(context.Background(), Filter{}); err != nil {
		t.Errorf("Scans: %v", err)
	}
	if got := db.said.all(); len(got) != 1 || !strings.Contains(got[0], "no room on the disk; events wait, protection goes on") {
		t.Errorf("said %q", got)
	}
	remove()
	waitStored(t, db)
	if s := db.Stats(); s.Lost != 0 || s.Stored != uint64(1+n+100) || !s.Available {
		t.Errorf("stats %+v, want %d stored", s, 1+n+100)
	}
	if got := db.said.all(); len(got) != 2 || !strings.Contains(got[1], "written again") {
		t.Errorf("said %q", got)
	}
	db.mustClose(t)
	removeAll(t, dir)
}

func fullAtStart(t *testing.T, dir string) {
	remove := ballast(t, dir, 0)
	db := mustOpen(t, Options{Path: filepath.Join(dir, "history.db")})
	db.handle(scanEvent("A", "192.0.2.1/32", event.ScanDetected, 0))
	if s := db.Stats(); s.Available || s.Queued != 1 {
		t.Errorf("stats %+v", s)
	}
	remove()
	waitStored(t, db)
	if s := db.Stats(); !s.Available || s.Stored != 1 || len(db.said.all()) != 2 {
		t.Errorf("stats %+v, said %q", s, db.said.all())
	}
	db.mustClose(t)
	removeAll(t, dir)
}

func fullAndDamaged(t *testing.T, dir string) {
	path := filepath.Join(dir, "history.db")
	mustWrite(t, path, []byte(strings.Repeat("damaged", 10000)))
	remove := ballast(t, dir, 0)
	db := mustOpen(t, Options{Path: path})
	db.handle(scanEvent("A", "192.0.2.1/32", event.ScanDetected, 0))
	remove()
	waitStored(t, db)
	if s := db.Stats(); !s.Available || s.Stored != 1 || len(setAsides(t, path)) != 1 {
		t.Errorf("stats %+v, said %q", s, db.said.all())
	}
	db.mustClose(t)
	removeAll(t, dir)
}

func removeAll(t *testing.T, dir string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
	}
}
