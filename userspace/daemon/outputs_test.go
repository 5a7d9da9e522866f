// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
)

// fakeNotifier remembers what it was handed.
type fakeNotifier struct {
	mu      sync.Mutex
	events  []event.Event
	notices []Notice
	onLink  []netip.Prefix
	panics  bool
	running bool
	ended   int
}

func (n *fakeNotifier) Handle(e event.Event, ecs []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.panics {
		panic("mail bug")
	}
	if !strings.Contains(string(ecs), e.ID) {
		panic("event and line differ")
	}
	n.events = append(n.events, e)
}

func (n *fakeNotifier) Notice(what Notice) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notices = append(n.notices, what)
}

func (n *fakeNotifier) SetInternal(networks []netip.Prefix) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.onLink = networks
}

func (n *fakeNotifier) Run(ctx context.Context) error {
	n.mu.Lock()
	n.running = true
	n.mu.Unlock()
	<-ctx.Done()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running = false
	n.ended++
	return nil
}

func (n *fakeNotifier) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.events)
}

type fakeLocator struct {
	country string
	panics  bool

	mu       sync.Mutex
	reloaded int
	closed   bool
}

func (l *fakeLocator) Locate(netip.Addr) event.Place {
	if l.panics {
		panic("geo bug")
	}
	return event.Place{Country: l.country}
}

func (l *fakeLocator) Reload() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reloaded++
	return errors.New("key file is gone")
}

func (l *fakeLocator) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return nil
}

// TestDetection follows a detection to every output.
func TestDetection(t *testing.T) {
	w := newWorld(t, "eth0")
	n, l := &fakeNotifier{}, &fakeLocator{country: "Utopia"}
	w.opts.Notify = func(config.Config) (Notifier, error) { return n, nil }
	w.opts.Locate = func(config.Config) (Locator, error) { return l, errors.New("open database: one is missing") }
	w.run()
	w.says("open database: one is missing; events go on without it")
	w.detect("198.51.100.1/32", event.VerdictAlert)
	w.detect("198.51.100.1/32", event.VerdictBan)
	e := w.logged(event.SourceBanned, nil)
	if e.Scan.Place.Country != "Utopia" || e.Interface != "eth0" || !e.Scan.Enforced {
		t.Errorf("event %+v, %+v", e, e.Scan)
	}
	w.until("notification", func() bool { return n.count() == 3 }) // attached, detected, banned
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if n.running || n.ended != 1 || !l.closed || n.count() != 4 {
		t.Errorf("notifier running %v, ended %d times with %d events; locator closed %v", n.running, n.ended, n.count(), l.closed)
	}
}

// TestOptionalOutputs goes on without what cannot be opened.
func TestOptionalOutputs(t *testing.T) {
	w := newWorld(t, "eth0")
	w.opts.Notify = func(config.Config) (Notifier, error) { return nil, errors.New("mail host is strange") }
	w.opts.Locate = func(config.Config) (Locator, error) { return nil, errors.New("no database") }
	w.run()
	w.says("mail host is strange; nobody is notified")
	w.says("no database")
	w.detect("198.51.100.1/32", event.VerdictBan)
	w.logged(event.SourceBanned, nil)
}

// TestPanics has bugs in outputs: protection and the log go on.
func TestPanics(t *testing.T) {
	w := newWorld(t, "eth0")
	w.opts.Notify = func(config.Config) (Notifier, error) { return &fakeNotifier{panics: true}, nil }
	w.opts.Locate = func(config.Config) (Locator, error) { return &fakeLocator{panics: true}, nil }
	w.run()
	for i := range 3 {
		w.detect(fmt.Sprintf("198.51.100.%d/32", i), event.VerdictBan)
	}
	w.until("events in the log", func() bool { return strings.Count(w.rawLog(), "source-banned") == 3 })
	w.says("bug: notify: mail bug")
	w.says("bug: locate 198.51.100.")
}

// TestLosses tells of lost events, at most once a minute.
func TestLosses(t *testing.T) {
	w := newWorld(t, "eth0")
	w.kernel.lost["eth0"] = 1000 // from before
	w.run()
	w.kernel.with(func() { w.kernel.lost["eth0"] = 1005 })
	w.clock.advance(time.Second)
	e := w.logged(event.EventsLost, nil)
	if *e.Lost != (event.Loss{Stage: "ring-buffer", Count: 5}) {
		t.Errorf("event %+v", e.Lost)
	}
	// The counters start again with a new attachment.
	w.kernel.with(func() { w.kernel.lost["eth0"] = 3; w.kernel.lost["eth1"] = 4 })
	w.clock.advance(time.Second)
	w.kernel.with(func() { w.kernel.lost["eth0"] = 6 })
	w.clock.advance(time.Second)
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	var counts []uint64
	for _, e := range w.log() {
		if e.Action == event.EventsLost {
			counts = append(counts, e.Lost.Count)
		}
	}
	if len(counts) != 2 || counts[1] != 10 {
		t.Errorf("losses told %v, want 5 and then 10", counts)
	}
}

func TestLossCounter(t *testing.T) {
	l := lossCounter{stage: "queue"}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var told uint64
	events := 0
	for range 600 {
		now = now.Add(time.Second)
		if e, ok := l.add(2, now); ok {
			told += e.Lost.Count
			events++
		}
	}
	if e, ok := l.flush(now); ok {
		told += e.Lost.Count
	}
	if told != 1200 || events != 10 {
		t.Errorf("%d losses told in %d events, want 1200 in 10", told, events)
	}
}

// TestRingOverflow fills the queue of detections: the rest is counted and
// the reader never waits.
func TestRingOverflow(t *testing.T) {
	r := newRing()
	for range detectionQueue + 7 {
		r.take(event.Detection{})
	}
	if n := r.overflow.Load(); n != 7 {
		t.Errorf("%d counted, want 7", n)
	}
}

// TestOutputHangs has a sink that never returns: what waits is bounded,
// and who would wait for room is freed at the end.
func TestOutputHangs(t *testing.T) {
	out := &outputs{queue: make(chan event.Event, outputQueue), gone: make(chan struct{})}
	for range outputQueue + 10 {
		out.offer(event.Event{})
	}
	if n := out.overflow.Load(); n != 10 {
		t.Errorf("%d events counted, want those that found no room", n)
	}
	stuck := make(chan struct{})
	go func() {
		defer close(stuck)
		out.put(event.Event{})
	}()
	out.abandon()
	<-stuck
}

// TestLogElsewhere goes on writing the old log when the new one cannot be
// opened, and writes the new one when it can.
func TestLogElsewhere(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.write(filepath.Join(w.dir, "file"), "")
	w.configure(func(c *config.Config) { c.Log.Path = filepath.Join(w.dir, "file", "events.log") })
	w.reload()
	w.says("the old log is written on")
	w.detect("198.51.100.1/32", event.VerdictBan)
	w.logged(event.SourceBanned, nil)

	w.configure(func(c *config.Config) { c.Log.Path = filepath.Join(w.dir, "new", "events.log") })
	w.reload()
	w.opts.Config.Log.Path = filepath.Join(w.dir, "new", "events.log")
	w.detect("198.51.100.2/32", event.VerdictBan)
	w.logged(event.SourceBanned, func(e event.Event) bool { return e.Scan.Source.String() == "198.51.100.2/32" })
}
