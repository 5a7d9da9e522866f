// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"denmap/userspace/event"
)

var testStart = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// testClock is a clock that tests set.
type testClock struct {
	mu  sync.Mutex
	now time.Time
}

func newTestClock() *testClock { return &testClock{now: testStart} }

func (c *testClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// said collects what is reported.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) add(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

func (s *said) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

func (s *said) count(part string) (n int) {
	for _, line := range s.all() {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

type testDB struct {
	*DB
	clock *testClock
	said  *said
	path  string
}

// mustOpen opens a history in a new directory, or at o.Path.
func mustOpen(t testing.TB, o Options) *testDB {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "state", "history.db")
	}
	db := &testDB{clock: newTestClock(), said: &said{}, path: o.Path}
	if o.Clock == nil {
		o.Clock = db.clock.Now
	}
	o.Report = db.said.add
	var err error
	if db.DB, err = Open(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func (db *testDB) mustClose(t testing.TB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// handle stores events and waits until they are.
func (db *testDB) handle(events ...event.Event) {
	for _, e := range events {
		db.Handle(e)
	}
	db.sync()
}

// tick does what the writer does now and then.
func (db *testDB) tick() {
	done := make(chan struct{})
	db.orders <- func(w *writer) { w.tick(); close(done) }
	<-done
}

func (db *testDB) mustScans(t testing.TB, f Filter) []Scan {
	t.Helper()
	page, err := db.Scans(context.Background(), f)
	if err != nil {
		t.Fatal(err)
	}
	return page.Scans
}

func (db *testDB) mustScan(t testing.TB, id string) Scan {
	t.Helper()
	s, found, err := db.Scan(context.Background(), id)
	if err != nil || !found {
		t.Fatalf("Scan(%q): %v, %v", id, found, err)
	}
	return s
}

func (db *testDB) mustBans(t testing.TB) []Ban {
	t.Helper()
	bans, err := db.Bans(context.Background(), Range{}, netip.Prefix{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return bans
}

func (db *testDB) mustNotes(t testing.TB) []Note {
	t.Helper()
	notes, err := db.Notes(context.Background(), Range{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	return notes
}

func ids(scans []Scan) []string {
	out := make([]string, len(scans))
	for i, s := range scans {
		out[i] = s.ID
	}
	return out
}

// scanEvent is one event of a scan by source, so long after testStart.
func scanEvent(id, source string, action event.Action, after time.Duration) event.Event {
	at := testStart.Add(after)
	return event.Event{
		ID: id, Time: at, Action: action, Interface: "eth0", Reason: "score 8 of 8",
		Scan: &event.Scan{
			Source: netip.MustParsePrefix(source), Destination: netip.MustParseAddr("198.51.100.1"),
			Kinds: event.Kinds(0).With(event.SYN), Tool: event.ToolNmap, Confidence: event.High, Transport: "tcp",
			Score: 8, Threshold: 8, Probes: 4, Distinct: 4, Ports: []uint16{22, 80, 443, 8080},
			First: at.Add(-200 * time.Millisecond), Last: at, Enforced: true,
			Place: event.Place{CountryISO: "GB", Country: "United Kingdom", Database: "test"},
		},
	}
}

// banEvent is scanEvent with a ban of ten minutes.
func banEvent(id, source string, after time.Duration) event.Event {
	e := scanEvent(id, source, event.SourceBanned, after)
	e.Scan.BanUntil = e.Time.Add(10 * time.Minute)
	return e
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

func name(prefix string, n int) string { return fmt.Sprintf("%s%05d", prefix, n) }

// sync stores what waits now, as far as that goes.
func (db *DB) sync() {
	stored := make(chan struct{})
	select {
	case db.orders <- func(w *writer) { w.drain(); w.flush(); close(stored) }:
		<-stored
	case <-db.done:
	}
}
