// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"denmap/userspace/event"
)

// mustCrash copies the files of a running history as a crash would leave
// them, and returns the path of the copy.
func mustCrash(t *testing.T, db *testDB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "history.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(db.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, path+suffix, data)
	}
	return path
}

func TestRestart(t *testing.T) {
	db := mustOpen(t, Options{})
	later := banEvent("L", "192.0.2.2/32", 0)
	later.Scan.BanUntil = testStart.Add(2 * time.Hour)
	db.handle(banEvent("B", "192.0.2.1/32", 0), later, scanEvent("D", "192.0.2.3/32", event.ScanDetected, 0))
	db.clock.add(time.Minute)
	db.tick()
	crashed := mustCrash(t, db)
	db.mustClose(t)

	for path, reason := range map[string]string{db.path: "stopped", crashed: "ended without notice"} {
		clock := newTestClock()
		clock.add(time.Hour)
		again := mustOpen(t, Options{Path: path, Clock: clock.Now})
		want := []Note{{Time: testStart.Add(time.Minute), End: clock.Now(), Action: DaemonDown, Reason: reason}}
		if got := again.mustNotes(t); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: notes %+v, want %+v", reason, got, want)
		}
		for _, b := range again.mustBans(t) {
			if ended := b.ID == "B" && b.EndReason == "expired" && b.Ended.Equal(b.Until); ended == b.Ended.IsZero() {
				t.Errorf("%s: ban %+v", reason, b)
			}
		}
		for id, ended := range map[string]bool{"B": true, "L": false, "D": true} {
			if s := again.mustScan(t, id); s.Ended.IsZero() == ended {
				t.Errorf("%s: scan %s ended %v", reason, id, s.Ended)
			}
		}
		running, err := again.RunningBans(context.Background())
		if err != nil || len(running) != 1 || running[later.Scan.Source] != "L" {
			t.Errorf("%s: running %v, %v", reason, running, err)
		}
		// The scan goes on.
		more := scanEvent("D", "192.0.2.3/32", event.ScanDetected, time.Hour)
		again.handle(more)
		if s := again.mustScan(t, "D"); !s.Ended.IsZero() || !s.Last.Equal(more.Time) {
			t.Errorf("%s: scan D %+v", reason, s)
		}
		again.mustClose(t)
	}
}

func TestFiles(t *testing.T) {
	db := mustOpen(t, Options{})
	db.handle(scanEvent("A", "192.0.2.1/32", event.ScanDetected, 0))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(db.path + suffix); err != nil || info.Mode().Perm() != fileMode {
			t.Errorf("%q: %v, %v", suffix, info.Mode(), err)
		}
	}
	db.mustClose(t)
	if s := db.Stats(); s.Available || s.Stored != 1 {
		t.Errorf("stats %+v", s)
	}
	entries, err := os.ReadDir(filepath.Dir(db.path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left after Close: %v, %v", entries, err)
	}
	db.Handle(scanEvent("B", "192.0.2.1/32", event.ScanDetected, 0))
	if s := db.Stats(); s.Lost != 1 {
		t.Errorf("after Close: %+v", s)
	}
	if _, err := db.Scans(context.Background(), Filter{}); err != ErrUnavailable {
		t.Errorf("Scans after Close: %v", err)
	}
	if _, err := Open(Options{}); err == nil {
		t.Error("no path is taken")
	}
}

// A Reader opened by another program sees what the daemon writes.
func TestOpenReader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "with space?#%20", "history.db")
	if _, err := OpenReader(path, nil); err == nil {
		t.Error("a missing file is opened")
	}
	db := mustOpen(t, Options{Path: path})
	r, err := OpenReader(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	db.handle(scanEvent("A", "192.0.2.1/32", event.ScanDetected, 0))
	page, err := r.Scans(context.Background(), Filter{})
	if err != nil || !slices.Equal(ids(page.Scans), []string{"A"}) {
		t.Errorf("scans %+v, %v", page, err)
	}
	db.mustClose(t)
	if page, err = r.Scans(context.Background(), Filter{}); err != nil || len(page.Scans) != 1 {
		t.Errorf("after the daemon's end: %+v, %v", page, err)
	}
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	// Without a daemon, from the file alone.
	if r, err = OpenReader(path, nil); err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if page, err = r.Scans(context.Background(), Filter{}); err != nil || len(page.Scans) != 1 {
		t.Errorf("from the file alone: %+v, %v", page, err)
	}
}

// Everything at once, for the race detector.
func TestConcurrent(t *testing.T) {
	db := mustOpen(t, Options{MaxSize: 2e6, Keep: time.Hour})
	const writers, each = 4, 200
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				db.Handle(banEvent(name("W", w*each+i), "192.0.2.1/32", time.Duration(i)*time.Second))
				db.Stats()
			}
		})
		group.Go(func() {
			for range 20 {
				if _, err := db.Scans(context.Background(), Filter{}); err != nil {
					t.Error(err)
				}
				if _, err := db.Timeline(context.Background(), Day); err != nil {
					t.Error(err)
				}
				db.SetBounds(time.Hour, 2e6)
			}
		})
	}
	group.Wait()
	db.mustClose(t)
	if s := db.Stats(); s.Stored != writers*each || s.Lost != 0 {
		t.Errorf("stats %+v", s)
	}
}

// The numbers are in people's databases: who changes their order must
// raise the schema version.
func TestStoredNumbers(t *testing.T) {
	kinds := []string{
		"syn", "connect", "fin", "xmas", "null", "ack", "maimon", "odd-flags",
		"udp", "sctp", "ip-protocol", "os-fingerprint", "fragment", "sweep",
	}
	if got := event.KindNames(); !slices.Equal(got[:len(kinds)], kinds) {
		t.Errorf("kinds %q", got)
	}
	for i, want := range []string{"unknown", "kernel-connect", "raw-unknown", "nmap", "masscan", "zmap", "hping3"} {
		if got := event.Tool(i).String(); got != want {
			t.Errorf("tool %d is %s, want %s", i, got, want)
		}
	}
	for i, want := range []string{"blind", "proven", "manual"} {
		if got := event.Grade(i).String(); got != want {
			t.Errorf("grade %d is %s, want %s", i, got, want)
		}
	}
	if !slices.Equal(Actions(), []Action{"detected", "would-ban", "banned"}) {
		t.Errorf("actions %q", Actions())
	}
}
