// SPDX-License-Identifier: MIT

package history

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/store/safefile"
)

// storedFile returns the bytes of a good history with a few scans.
func storedFile(t *testing.T) []byte {
	t.Helper()
	db := mustOpen(t, Options{})
	db.handle(filterScans()...)
	db.mustClose(t)
	data, err := os.ReadFile(db.path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustWrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, fileMode); err != nil {
		t.Fatal(err)
	}
}

func setAsides(t *testing.T, path string) []string {
	t.Helper()
	found, err := filepath.Glob(path + safefile.AsideMark + "*Z*")
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(found, func(name string) bool { return strings.HasSuffix(name, "-wal") })
}

func TestDamagedAtStart(t *testing.T) {
	good := storedFile(t)
	scribbled := bytes.Clone(good)
	copy(scribbled[100:], bytes.Repeat([]byte{0xaa}, 300)) // the schema
	tests := map[string][]byte{
		"garbage":       bytes.Repeat([]byte("not a database\n"), 1000),
		"half a header": good[:50],
		"cut":           good[:len(good)/2/pageSize*pageSize],
		"first page":    good[:pageSize],
		"scribbled":     scribbled,
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history.db")
			mustWrite(t, path, content)
			db := mustOpen(t, Options{Path: path})
			db.handle(scanEvent("N", "192.0.2.9/32", event.ScanDetected, 0))
			if got := ids(db.mustScans(t, Filter{})); !slices.Equal(got, []string{"N"}) {
				t.Errorf("scans %q", got)
			}
			aside := setAsides(t, path)
			if len(aside) != 1 {
				t.Fatalf("set aside %q, want one", aside)
			}
			if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, content) {
				t.Errorf("what was set aside is not what was there: %d bytes, %v", len(kept), err)
			}
			if n := db.said.count(filepath.Base(aside[0])); n != 1 || len(db.said.all()) != 1 {
				t.Errorf("said %q", db.said.all())
			}
		})
	}
}

// A page that goes bad is found when it is written or read.
func TestDamagedWhileRunning(t *testing.T) {
	for _, found := range []string{"by a query", "by the writer"} {
		t.Run(found, func(t *testing.T) {
			db := mustOpen(t, Options{})
			fill(t, db, 2000)
			scribble(t, db)
			if found == "by a query" {
				if _, err := db.Scans(context.Background(), Filter{Limit: MaxLimit}); !isDamage(err) {
					t.Fatalf("Scans of a damaged database: %v", err)
				}
				eventually(t, "the database to be replaced", func() bool { return len(setAsides(t, db.path)) == 1 })
			}
			db.handle(scanEvent("N", "192.0.2.9/32", event.ScanDetected, 0))
			if got := ids(db.mustScans(t, Filter{})); !slices.Equal(got, []string{"N"}) {
				t.Errorf("scans %q", got)
			}
			if got := setAsides(t, db.path); len(got) != 1 || db.said.count("set aside") != 1 {
				t.Errorf("set aside %q, said %q", got, db.said.all())
			}
			if s := db.Stats(); s.Lost != 0 || s.Stored != 2001 || !s.Available {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

// scribble overwrites all pages but the first below the open database.
func scribble(t *testing.T, db *testDB) {
	t.Helper()
	done := make(chan error)
	db.orders <- func(w *writer) {
		done <- func() error {
			if err := w.file.checkpoint(); err != nil {
				return err
			}
			// Pages in its cache would hide the damage.
			if _, err := w.file.db.Exec("PRAGMA shrink_memory"); err != nil {
				return err
			}
			size := sizeOf(db.path)
			f, err := os.OpenFile(db.path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteAt(bytes.Repeat([]byte{0xaa}, int(size)-pageSize), pageSize)
			return errors.Join(err, f.Close())
		}()
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestDamagedArePruned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	for i := range keepDamaged + 2 {
		mustWrite(t, path, []byte{byte(i), 2, 3})
		clock := newTestClock()
		clock.add(time.Duration(i) * time.Hour)
		mustOpen(t, Options{Path: path, Clock: clock.Now}).mustClose(t)
	}
	got := setAsides(t, path)
	if len(got) != keepDamaged || !strings.HasSuffix(got[0], "20260102T050405Z") || !strings.HasSuffix(got[1], "20260102T060405Z") {
		t.Errorf("kept %q", got)
	}
}

func TestForeignDatabase(t *testing.T) {
	for name, statements := range map[string][]string{
		"of another program":                   {"CREATE TABLE t (x)"},
		"of another program with such a table": {"CREATE TABLE schema_version (version)", "INSERT INTO schema_version VALUES (1)"},
		"without a version":                    {"DELETE FROM schema_version"},
		"of a bad version":                     {"UPDATE schema_version SET version = 0"},
		"without a column":                     {"ALTER TABLE notes DROP COLUMN reason"},
		"without an index":                     {"DROP INDEX bans_addr"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "history.db")
			if !strings.Contains(statements[0], "CREATE") {
				mustWrite(t, path, storedFile(t))
			}
			db, err := connectWriter(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range statements {
				if _, err := db.Exec(s); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			h := mustOpen(t, Options{Path: path})
			h.handle(scanEvent("N", "192.0.2.9/32", event.ScanDetected, 0))
			if got := ids(h.mustScans(t, Filter{})); !slices.Equal(got, []string{"N"}) || len(setAsides(t, path)) != 1 {
				t.Errorf("scans %q, set aside %q", got, setAsides(t, path))
			}
		})
	}
}

func TestNewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	mustWrite(t, path, storedFile(t))
	db, err := connectWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("UPDATE schema_version SET version = 99"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	const want = "written by a newer version of denmap: schema 99, expected at most 2"
	if _, err := Open(Options{Path: path}); !errors.Is(err, ErrNewerSchema) || !strings.Contains(err.Error(), want) {
		t.Errorf("Open: %v", err)
	}
	if _, err := OpenReader(path, nil); !errors.Is(err, ErrNewerSchema) || !strings.Contains(err.Error(), want) {
		t.Errorf("OpenReader: %v", err)
	}
	if got := setAsides(t, path); len(got) != 0 {
		t.Errorf("set aside %q", got)
	}
}

// What cannot be opened is told once, tried again, and holds up nothing.
func TestUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, Options{Path: path})
	for i := range 3 {
		db.handle(scanEvent(name("S", i), "192.0.2.9/32", event.ScanDetected, 0))
	}
	if s := db.Stats(); s.Available || s.Queued != 3 || s.Lost != 0 {
		t.Errorf("stats %+v", s)
	}
	if _, err := db.Scans(context.Background(), Filter{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Scans: %v", err)
	}
	if got := db.said.all(); len(got) != 1 || !strings.Contains(got[0], "events wait, protection goes on") {
		t.Errorf("said %q", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	db.sync()
	if got := len(db.mustScans(t, Filter{})); got != 3 {
		t.Errorf("%d scans after all, want 3", got)
	}
	if got := db.said.all(); len(got) != 2 || !strings.Contains(got[1], "written again") {
		t.Errorf("said %q", got)
	}
}

func TestCloseUnavailable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	db := mustOpen(t, Options{Path: path})
	db.Handle(scanEvent("A", "192.0.2.9/32", event.ScanDetected, 0))
	for range 2 {
		if err := db.Close(); err == nil || !strings.Contains(err.Error(), "1 events are not stored") {
			t.Errorf("Close: %v", err)
		}
	}
	if s := db.Stats(); s.Lost != 1 {
		t.Errorf("stats %+v", s)
	}
}

// The queue is bounded, Handle never waits, and what is lost is told.
func TestOverflow(t *testing.T) {
	db := mustOpen(t, Options{})
	release, held := make(chan struct{}), make(chan struct{})
	db.orders <- func(*writer) { close(held); <-release }
	<-held
	const over = 10
	for i := range queueLength + over {
		db.Handle(scanEvent(name("S", i), "192.0.2.9/32", event.ScanDetected, 0))
	}
	if s := db.Stats(); s.Lost != over || s.Queued != queueLength {
		t.Errorf("stats %+v", s)
	}
	close(release)
	waitStored(t, db)
	if s := db.Stats(); s.Lost != over || s.Stored != queueLength {
		t.Errorf("stats %+v", s)
	}
	notes := db.mustNotes(t)
	if len(notes) != 1 || notes[0].Action != event.EventsLost || *notes[0].Lost != (event.Loss{Stage: "history", Count: over}) {
		t.Errorf("notes %+v", notes)
	}
}

func TestIncompleteEvents(t *testing.T) {
	db := mustOpen(t, Options{})
	noSource := scanEvent("B", "192.0.2.1/32", event.ScanDetected, 0)
	*noSource.Scan = event.Scan{}
	db.handle(
		event.Event{}, event.Event{ID: "A", Action: event.ScanDetected}, noSource,
		event.Event{ID: "C", Action: event.ListChanged}, event.Event{ID: "D", Action: event.EventsLost},
		event.Event{ID: "E", Action: "something new"},
		scanEvent("", "192.0.2.1/32", event.SourceBanned, 0),
		scanEvent("F", "192.0.2.1/32", event.ScanDetected, 0),
	)
	if got := ids(db.mustScans(t, Filter{})); !slices.Equal(got, []string{"F"}) {
		t.Errorf("scans %q", got)
	}
	if s := db.Stats(); s.Lost != 7 || s.Stored != 1 {
		t.Errorf("stats %+v", s)
	}
}

// Texts from outside are stored as text, cut and made valid.
func TestHostileTexts(t *testing.T) {
	db := mustOpen(t, Options{})
	e := scanEvent("'; DROP TABLE scans; --", "192.0.2.1/32", event.ScanDetected, 0)
	e.Reason = "\xff\x00'\"" + strings.Repeat("ä", maxText)
	e.Scan.Place.City, e.Scan.Place.Country = "<script>", "\x1b[31m"
	db.handle(e)
	got := db.mustScan(t, e.ID)
	if len(got.Reason) > maxText+10 || !strings.HasPrefix(got.Reason, "\ufffd\x00'\"ä") || got.Place != e.Scan.Place {
		t.Errorf("got %+v", got)
	}
}

// A bug in what the daemon hands in costs no more than what it asked for.
func TestPanic(t *testing.T) {
	bad := true
	db := mustOpen(t, Options{Packets: func() (uint64, uint64, error) {
		if bad {
			bad = false
			return 0, 0, nil // at the start
		}
		panic("boom")
	}})
	db.handle(scanEvent("A", "192.0.2.1/32", event.ScanDetected, 0))
	db.tick()
	if n := db.said.count("bug: boom"); n != 1 {
		t.Errorf("said %q", db.said.all())
	}
	eventually(t, "the database to be opened again", func() bool {
		db.sync()
		return db.Stats().Available
	})
	db.handle(scanEvent("B", "192.0.2.1/32", event.ScanDetected, time.Second))
	if got := ids(db.mustScans(t, Filter{})); !slices.Equal(got, []string{"B", "A"}) {
		t.Errorf("scans %q", got)
	}
}

// An event that the database refuses costs only itself.
func TestRefusedEvent(t *testing.T) {
	db := mustOpen(t, Options{})
	db.sync()
	other, err := connectWriter(db.path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	mustExec(t, other, "CREATE TRIGGER refuse BEFORE INSERT ON scans WHEN new.id = 'B' BEGIN SELECT raise(ABORT, 'no'); END")
	db.handle(scanEvent("A", "192.0.2.1/32", event.ScanDetected, 0), scanEvent("B", "192.0.2.1/32", event.ScanDetected, 0),
		scanEvent("C", "192.0.2.1/32", event.ScanDetected, 0))
	if got := ids(db.mustScans(t, Filter{Oldest: true})); !slices.Equal(got, []string{"A", "C"}) {
		t.Errorf("scans %q", got)
	}
	if s := db.Stats(); s.Lost != 1 || s.Stored != 2 || db.said.count("cannot be stored") != 1 {
		t.Errorf("stats %+v, said %q", s, db.said.all())
	}
}

func mustExec(t *testing.T, db *sql.DB, text string, args ...any) {
	t.Helper()
	if _, err := db.Exec(text, args...); err != nil {
		t.Fatal(err)
	}
}
