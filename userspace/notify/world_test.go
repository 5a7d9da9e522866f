// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"denmap/userspace/event"
)

// fakeClock moves when it is told to.
type fakeClock struct {
	mu      sync.Mutex
	now     time.Time
	waiters []fakeWaiter
}

type fakeWaiter struct {
	at time.Time
	c  chan time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: start} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := fakeWaiter{c.now.Add(d), make(chan time.Time, 1)}
	c.waiters = append(c.waiters, w)
	return w.c
}

func (c *fakeClock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
	c.waiters = slices.DeleteFunc(c.waiters, func(w fakeWaiter) bool {
		if w.at.After(now) {
			return false
		}
		w.c <- now
		return true
	})
}

// fakeSender accepts everything unless told otherwise.
type fakeSender struct {
	mu   sync.Mutex
	got  []Message
	send func(ctx context.Context, m Message, settled []string) (Receipt, error)
}

func (f *fakeSender) Send(ctx context.Context, m Message, settled []string) (Receipt, error) {
	f.mu.Lock()
	send := f.send
	f.mu.Unlock()
	if send != nil {
		if r, err := send(ctx, m, settled); err != nil || r.Settled != nil {
			return r, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, m)
	return Receipt{}, nil
}

func (f *fakeSender) messages() []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

// world is a notifier whose time and deliveries a test drives.
type world struct {
	t     *testing.T
	n     *Notifier
	clock *fakeClock
	o     Options
	kinds map[string]form
	sent  map[string][]Message // by destination
	times []time.Time          // of the mails
}

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, clock: newFakeClock(), sent: map[string][]Message{},
		kinds: map[string]form{"mail": formMail, "webhook": formWebhook, "slack": formChat}}
	w.o = Options{StateDir: t.TempDir(), Hostname: "web1", Clock: w.clock, Location: time.UTC,
		Report: func(line string) { t.Log(line) }}
	if change != nil {
		change(&w.o)
	}
	w.open()
	return w
}

// open makes the notifier anew, as after a restart or a crash.
func (w *world) open() {
	w.t.Helper()
	o, err := w.o.withDefaults()
	if err != nil {
		w.t.Fatal(err)
	}
	w.n, err = newNotifier(o, []target{{"mail", formMail, nil}, {"webhook", formWebhook, nil}, {"slack", formChat, nil}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// run lets d pass, doing what is due and taking every message out of the
// spool as soon as it is in.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.clock.Now().Add(d)
	for range 100000 {
		w.n.take()
		next := w.n.step(w.clock.Now(), false)
		w.deliver()
		if w.n.dirty && next.IsZero() {
			w.t.Fatal("state is dirty and nothing will write it")
		}
		if next.IsZero() || next.After(end) {
			w.clock.set(end)
			return
		}
		if now := w.clock.Now(); !next.After(now) {
			next = now.Add(time.Millisecond)
		}
		w.clock.set(next)
	}
	w.t.Fatal("the schedule does not come to rest")
}

func (w *world) deliver() {
	for name := range w.kinds {
		for {
			e, ok, _ := w.n.spool.Next(name, w.clock.Now())
			if !ok {
				break
			}
			if err := w.n.spool.Done(e); err != nil {
				w.t.Fatal(err)
			}
			w.sent[name] = append(w.sent[name], e.Message)
			if name == "mail" {
				w.times = append(w.times, w.clock.Now())
			}
		}
	}
}

func (w *world) handle(e event.Event) {
	w.n.Handle(e, fmt.Appendf(nil, `{"event":{"id":%q,"action":%q}}`, e.ID, e.Action))
	w.n.take()
}

func (w *world) mails() []Message { return w.sent["mail"] }

// scan returns an event of a scan by the given address.
func (w *world) scan(action event.Action, source string) event.Event {
	addr := netip.MustParseAddr(source)
	now := w.clock.Now()
	s := &event.Scan{
		Source: netip.PrefixFrom(addr, addr.BitLen()), Destination: netip.MustParseAddr("198.51.100.1"),
		Kinds: event.Kinds(0).With(event.SYN), Tool: event.ToolNmap, Confidence: event.High, Transport: "tcp",
		Score: 4, Threshold: 4, Distinct: 4, Probes: 5, Ports: []uint16{443, 22, 80, 8080},
		First: now.Add(-200 * time.Millisecond), Last: now, Enforced: true,
		Place: event.Place{CountryISO: "GB", Country: "United Kingdom", City: "London", ASNumber: 64500, ASName: "Example Ltd"},
	}
	if action == event.SourceBanned {
		s.Score, s.Threshold, s.BanUntil = 8, 8, now.Add(10*time.Minute)
	}
	return event.Event{ID: "scan-" + source, Time: now, Action: action, Scan: s, Interface: "eth0", Reason: "score 8 of 8"}
}

func subjects(list []Message) []string {
	var s []string
	for _, m := range list {
		s = append(s, m.Subject)
	}
	return s
}
