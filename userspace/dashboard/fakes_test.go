// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/history"
)

// clock is a clock that tests move.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// fakeKernel is a kernel in a map.
type fakeKernel struct {
	mu      sync.Mutex
	sources []event.Source
	bans    []event.Ban
	fail    error
}

func (k *fakeKernel) set(sources []event.Source, bans []event.Ban) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sources, k.bans = sources, bans
}

func (k *fakeKernel) Sources() ([]event.Source, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.sources), k.fail
}

func (k *fakeKernel) Bans() ([]event.Ban, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.bans), k.fail
}

func (k *fakeKernel) AddBan(_ context.Context, b event.Ban) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bans = append(slices.DeleteFunc(k.bans, func(o event.Ban) bool { return o.Source == b.Source && o.Grade == b.Grade }), b)
	return k.fail
}

func (k *fakeKernel) Unban(_ context.Context, p netip.Prefix) (lifted []event.Ban, known bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bans = slices.DeleteFunc(k.bans, func(b event.Ban) bool {
		if p.Overlaps(b.Source) {
			lifted = append(lifted, b)
			return true
		}
		return false
	})
	n := len(k.sources)
	k.sources = slices.DeleteFunc(k.sources, func(s event.Source) bool { return p.Overlaps(s.Prefix) })
	return lifted, len(lifted) > 0 || len(k.sources) < n, k.fail
}

func (k *fakeKernel) banned(t *testing.T, addr string) (event.Ban, bool) {
	t.Helper()
	bans, _ := k.Bans()
	for _, b := range bans {
		if b.Source == prefix(addr) {
			return b, true
		}
	}
	return event.Ban{}, false
}

type fakeMonitor struct {
	mu       sync.Mutex
	counters []Counter
	health   Health
	busy     time.Time // since when thousands of packets come each second; zero: none do
}

func (m *fakeMonitor) Counters() ([]Counter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Clone(m.counters)
	if !m.busy.IsZero() {
		passed := time.Since(m.busy).Seconds()
		for i := range out {
			out[i].Packets += uint64(passed * float64(out[i].Packets) / 60_000)
		}
	}
	return out, nil
}

func (m *fakeMonitor) Health(context.Context) (Health, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.health, nil
}

// fakeHistory answers what it was given, and remembers what was asked.
type fakeHistory struct {
	mu        sync.Mutex
	filter    history.Filter
	span      history.Span
	scans     []history.Scan
	next      string
	bans      []history.Ban
	countries []history.CountryTotal
	places    []history.PlaceTotal
	buckets   []history.Bucket
	impact    history.Impact
	score     int
	udpScore  int
	fail      error
}

func (h *fakeHistory) Scans(_ context.Context, f history.Filter) (history.Page, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.filter = f
	page := history.Page{Next: h.next}
	for _, s := range h.scans {
		if (!f.Source.IsValid() || f.Source.Overlaps(s.Source)) && (f.Country == "" || f.Country == s.Place.CountryISO) &&
			(f.Action == "" || f.Action == s.Action) && (f.Kinds == 0 || f.Kinds&s.Kinds != 0) && len(page.Scans) < f.Limit {
			page.Scans = append(page.Scans, s)
		}
	}
	return page, h.fail
}

func (h *fakeHistory) Source(_ context.Context, p netip.Prefix) (history.SourceSummary, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum := history.SourceSummary{Source: p}
	for _, s := range h.scans {
		if p.Overlaps(s.Source) {
			sum.Scans++
			sum.First, sum.Last, sum.Kinds, sum.Place = s.First, s.Last, sum.Kinds|s.Kinds, s.Place
			sum.MaxScore, sum.Probes, sum.Dropped = max(sum.MaxScore, s.Score), sum.Probes+s.Probes, sum.Dropped+s.Dropped
			sum.Ports = append(sum.Ports, s.Ports...)
			sum.Tools = []event.Tool{s.Tool}
		}
	}
	slices.Sort(sum.Ports)
	sum.Ports = slices.Compact(sum.Ports)
	return sum, sum.Scans > 0, h.fail
}

func (h *fakeHistory) Bans(_ context.Context, _ history.Range, p netip.Prefix, _ int) ([]history.Ban, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []history.Ban
	for _, b := range h.bans {
		if p.Overlaps(b.Source) {
			out = append(out, b)
		}
	}
	return out, h.fail
}

func (h *fakeHistory) Notes(context.Context, history.Range, int) ([]history.Note, error) {
	return nil, h.fail
}

func (h *fakeHistory) Countries(context.Context, history.Range) ([]history.CountryTotal, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.countries, h.fail
}

func (h *fakeHistory) Places(context.Context, history.Range, int) ([]history.PlaceTotal, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.places, h.fail
}

func (h *fakeHistory) Timeline(_ context.Context, s history.Span) ([]history.Bucket, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.span = s
	return h.buckets, h.fail
}

func (h *fakeHistory) Impact(_ context.Context, _ history.Range, score, udpScore int) (history.Impact, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.score, h.udpScore = score, udpScore
	return h.impact, h.fail
}

// fakeEvidence has the same proof against everybody in a network.
type fakeEvidence struct {
	source netip.Prefix
	proof  Proof
}

func (e *fakeEvidence) Proof(_ context.Context, p netip.Prefix) (Proof, error) {
	if !e.source.IsValid() || !e.source.Overlaps(p) {
		return Proof{}, ErrNoEvidence
	}
	return e.proof, nil
}

func (e *fakeEvidence) Capture(ctx context.Context, p netip.Prefix, w io.Writer) error {
	if _, err := e.Proof(ctx, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\xd4\xc3\xb2\xa1pcap")
	return err
}
