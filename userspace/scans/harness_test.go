// SPDX-License-Identifier: MIT

package scans

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"denmap/userspace/event"
)

var (
	scanner = netip.MustParsePrefix("192.0.2.7/32")
	host    = netip.MustParseAddr("198.51.100.1")
)

// fakeKernel answers from two maps.
type fakeKernel struct {
	mu      sync.Mutex
	bans    map[netip.Prefix]event.Ban
	sources map[netip.Prefix]event.Source
	broken  bool
	asked   int
}

var errKernel = errors.New("read map: bad file descriptor")

func (k *fakeKernel) Ban(p netip.Prefix) (event.Ban, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if k.broken {
		return event.Ban{}, false, errKernel
	}
	b, ok := k.bans[p]
	return b, ok, nil
}

func (k *fakeKernel) Source(p netip.Prefix) (event.Source, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	if k.broken {
		return event.Source{}, false, errKernel
	}
	s, ok := k.sources[p]
	return s, ok, nil
}

func (k *fakeKernel) ban(b event.Ban) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bans[b.Source] = b
}

func (k *fakeKernel) lift(p netip.Prefix) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.bans, p)
}

func (k *fakeKernel) score(s event.Source) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sources[s.Prefix] = s
}

func (k *fakeKernel) breakDown(broken bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken = broken
}

// bench runs a Tracker inside a synctest bubble, where time is the test's.
type bench struct {
	t       *testing.T
	tracker *Tracker
	kernel  *fakeKernel
	in      chan event.Detection
	events  []event.Event
	mu      sync.Mutex
}

// inBubble runs body with a running tracker and stops it afterwards.
func inBubble(t *testing.T, o Options, body func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		kernel := &fakeKernel{bans: map[netip.Prefix]event.Ban{}, sources: map[netip.Prefix]event.Source{}}
		ids := 0
		o.Kernel = kernel
		if o.DecoyWait == 0 {
			o.DecoyWait = -1 // most tests look at once
		}
		o.NewID = func() string { ids++; return fmt.Sprintf("id%d", ids) }
		b := &bench{t: t, tracker: New(o), kernel: kernel, in: make(chan event.Detection, 64)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.tracker.Run(ctx, b.in, func(e event.Event) {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.events = append(b.events, e)
			})
		}()
		body(b)
		cancel()
		<-done
	})
}

func (b *bench) send(ds ...event.Detection) {
	for _, d := range ds {
		b.in <- d
	}
	synctest.Wait()
}

func (b *bench) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// take returns the events since the last call.
func (b *bench) take() []event.Event {
	synctest.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	events := b.events
	b.events = nil
	return events
}

// want checks the events since the last call, each given as
// "action id reason".
func (b *bench) want(lines ...string) []event.Event {
	b.t.Helper()
	events := b.take()
	got := make([]string, len(events))
	for i, e := range events {
		got[i] = fmt.Sprintf("%s %s %s", e.Action, e.ID, e.Reason)
	}
	if g, w := strings.Join(got, "\n"), strings.Join(lines, "\n"); g != w {
		b.t.Fatalf("events:\n%s\nwant:\n%s", g, w)
	}
	return events
}

// alert is a detection at score 4 of 4, as of now.
func alert(kinds ...event.Kind) event.Detection {
	d := event.Detection{
		Verdict:     event.VerdictAlert,
		Time:        time.Now(),
		First:       time.Now().Add(-200 * time.Millisecond),
		Source:      scanner,
		Destination: host,
		Interface:   "eth0",
		Tool:        event.ToolNmap,
		Confidence:  event.High,
		Transport:   "tcp",
		Score:       4,
		Threshold:   4,
		Distinct:    2,
		Ports:       []uint16{443, 22},
	}
	for _, k := range kinds {
		d.Kinds = d.Kinds.With(k)
	}
	return d
}

// ban is a detection at score 8 of 8 with a ban of ten minutes.
func ban(kinds ...event.Kind) event.Detection {
	d := alert(kinds...)
	d.Verdict = event.VerdictBan
	d.Score, d.Threshold = 8, 8
	d.Distinct = 4
	d.Ports = []uint16{22, 80, 443, 8080}
	d.BanUntil = d.Time.Add(10 * time.Minute)
	return d
}

// banned sends d and puts its ban into the kernel.
func (b *bench) banned(d event.Detection) {
	b.kernel.ban(event.Ban{Source: d.Source, Since: d.Time, Until: d.BanUntil})
	b.send(d)
}
