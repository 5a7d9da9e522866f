// SPDX-License-Identifier: MIT

package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

// follower reads a stream.
type follower struct {
	t      testing.TB
	resp   *http.Response
	events chan [2]string // name and data; closed at the end
}

func (c *client) follow(path string) *follower {
	c.b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c.b.t.Cleanup(cancel)
	resp, err := http.DefaultTransport.RoundTrip(c.request("GET", path, nil).WithContext(ctx))
	if err != nil {
		c.b.t.Fatal(err)
	}
	f := &follower{c.b.t, resp, make(chan [2]string, 1000)}
	if resp.StatusCode != http.StatusOK {
		c.b.t.Fatalf("stream: %s", resp.Status)
	}
	go func() {
		defer close(f.events)
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 16<<20)
		name := ""
		for lines.Scan() {
			if text, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				name = text
			} else if text, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				f.events <- [2]string{name, text}
			}
		}
	}()
	return f
}

// next returns the next event of that name.
func (f *follower) next(name string) reply {
	f.t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case e, ok := <-f.events:
			if !ok {
				f.t.Fatalf("the stream ended before %q", name)
			}
			if e[0] == name {
				return reply{t: f.t, body: e[1]}
			}
		case <-limit:
			f.t.Fatalf("no %q in time", name)
		}
	}
}

func (f *follower) ends() {
	f.t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case _, ok := <-f.events:
			if !ok {
				return
			}
		case <-limit:
			f.t.Fatal("the stream does not end")
		}
	}
}

func scanEvent(source string, action event.Action, at time.Time) event.Event {
	return event.Event{
		ID: "x", Time: at, Action: action, Interface: "eth0", Reason: "score 8 of 8",
		Scan: &event.Scan{
			Source: prefix(source), Destination: addr("192.0.2.10"), Kinds: event.Kinds(0).With(event.SYN), Tool: event.ToolNmap, Confidence: event.High,
			Transport: "tcp", Score: 8, Threshold: 8, Probes: 8, Distinct: 8, Ports: []uint16{22, 80}, First: at, Last: at, Enforced: true, BanUntil: at.Add(10 * time.Minute),
			Place: event.Place{CountryISO: "GB", Country: "United Kingdom", ASNumber: 64500, ASName: "Example Networks"},
		},
	}
}

// TestStreamTells shows a scan within a second, with place and action, and
// then what changes about it.
func TestStreamTells(t *testing.T) {
	b := newBench(t)
	f := b.signIn().follow(streamPath + "?rows=1")
	f.next("pulse")
	if table := f.next("table"); len(table.get("rows").([]any)) != 0 {
		t.Errorf("table = %s, want none", table.body)
	}
	now := b.clock.now()
	ban := event.Ban{Source: prefix("203.0.113.9"), Grade: event.Proven, Since: now, Until: now.Add(10 * time.Minute)}
	b.kernel.set(nil, []event.Ban{ban})
	sent := time.Now()
	b.Handle(scanEvent("203.0.113.9", event.SourceBanned, now))
	row := f.next("rows")
	if took := time.Since(sent); took > time.Second {
		t.Errorf("told after %v, want within a second", took)
	}
	for path, want := range map[string]any{"source": "203.0.113.9", "state": "banned", "tool": "nmap", "grade": "blind", "interface": "eth0"} {
		if got := row.get("rows", 0, path); got != want {
			t.Errorf("%s = %v, want %v in %s", path, got, want, row.body)
		}
	}
	if got := row.get("rows", 0, "place", "iso"); got != "GB" {
		t.Errorf("place = %v", got)
	}
	// The kernel knows better how sure the address is.
	for row.get("rows", 0, "grade") != "proven" {
		row = f.next("rows")
	}
	ban.Dropped = 500
	b.kernel.set(nil, []event.Ban{ban})
	row = f.next("rows")
	if got := row.get("rows", 0, "dropped"); got != 500.0 {
		t.Errorf("dropped = %v in %s", got, row.body)
	}
	b.kernel.set(nil, nil)
	for row.get("rows", 0, "state") == "banned" {
		row = f.next("rows")
	}
	b.clock.forward(quietAfter + time.Minute)
	if gone := f.next("rows"); gone.get("removed", 0) != "203.0.113.9" {
		t.Errorf("%s, want it removed", gone.body)
	}
}

// TestStreamStates: what is done about a source, in every case.
func TestStreamStates(t *testing.T) {
	now := time.Now()
	src := &event.Source{Prefix: prefix("203.0.113.9"), First: now, Last: now, Score: 3}
	with := func(action event.Action, change func(*event.Scan)) *facts {
		e := scanEvent("203.0.113.9", action, now)
		change(e.Scan)
		return &facts{scan: e.Scan, action: action}
	}
	for _, row := range []struct {
		name  string
		facts *facts
		want  State
	}{
		{"a score alone", &facts{source: src}, StateScored},
		{"an alert", with(event.ScanDetected, func(*event.Scan) {}), StateAlerted},
		{"a ban in the kernel", &facts{ban: &event.Ban{}}, StateBanned},
		{"a ban that is over", with(event.SourceBanned, func(*event.Scan) {}), StateEnded},
		{"monitor mode", with(event.SourceBanned, func(s *event.Scan) { s.Enforced = false }), StateWouldBan},
		{"watched", with(event.SourceBanned, func(s *event.Scan) { s.Enforced, s.Watched = false, true }), StateWatched},
		{"protected", with(event.SourceBanned, func(s *event.Scan) { s.Enforced, s.Protected = false, true }), StateProtected},
		{"the end", with(event.ScanEnded, func(*event.Scan) {}), StateEnded},
		{"unbanned", with(event.SourceUnbanned, func(*event.Scan) {}), StateEnded},
	} {
		if got := row.facts.state(); got != row.want {
			t.Errorf("%s: %s, want %s", row.name, got, row.want)
		}
	}
	again := with(event.SourceUnbanned, func(*event.Scan) {})
	again.source = src
	if got := again.state(); got != StateScored {
		t.Errorf("unbanned but scored: %s", got)
	}
}

// TestPulse: rates from counters, and problems in words.
func TestPulse(t *testing.T) {
	b := newBench(t)
	b.monitor.counters = []Counter{{"eth0", "pass", "established", 1000}, {"eth0", "drop", "banned", 100}, {"eth0", "lost", "event", 0}}
	f := b.signIn().follow(streamPath)
	p := f.next("pulse")
	if p.get("mode") != "enforce" || p.get("packets") != 0.0 || p.get("interfaces", 0, "name") != "eth0" || p.get("scores", "ban") != 8.0 {
		t.Errorf("pulse = %s", p.body)
	}
	b.monitor.mu.Lock()
	b.monitor.counters = []Counter{{"eth0", "pass", "established", 6000}, {"eth0", "drop", "banned", 1100}, {"eth0", "lost", "event", 7}}
	b.monitor.mu.Unlock()
	p = f.next("pulse")
	if n := p.get("packets").(float64); n < 2000 || n > 7000 {
		t.Errorf("packets = %v, want near 6000 in %s", n, p.body)
	}
	if n := p.get("drops").(float64); n < 300 || n > 1200 {
		t.Errorf("drops = %v, want near 1000", n)
	}
	if p.get("lost") != 7.0 {
		t.Errorf("lost = %v, want 7", p.get("lost"))
	}
	b.monitor.mu.Lock()
	b.monitor.health.Interfaces[0].Problem = "its link is gone"
	b.monitor.mu.Unlock()
	b.clock.forward(slowly)
	for !strings.Contains(p.body, "eth0 is not protected: its link is gone") {
		p = f.next("pulse")
	}
	b.kernel.mu.Lock()
	b.kernel.fail = fmt.Errorf("kernel state is gone")
	b.kernel.mu.Unlock()
	for !strings.Contains(p.body, "kernel state is gone") {
		p = f.next("pulse")
	}
}

// TestStreamSession: the stream ends with its session, and does not keep
// it alive.
func TestStreamSession(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	f := c.follow(streamPath)
	c.do("POST", "/api/v1/sign-out", map[string]any{}).want(http.StatusOK)
	f.ends()
}

// TestManyStreams: there is a bound, and slots come back.
func TestManyStreams(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	var all []*follower
	for range maxStreams {
		f := c.follow(streamPath)
		f.next("pulse")
		all = append(all, f)
	}
	c.do("GET", streamPath, nil).want(http.StatusServiceUnavailable)
	all[0].resp.Body.Close()
	eventually(t, "a free stream", func() bool {
		b.hub.mu.Lock()
		defer b.hub.mu.Unlock()
		return len(b.hub.streams) < maxStreams
	})
	c.follow(streamPath).next("pulse")
}

// TestSlowStream: a page that does not read is left behind, not waited for.
func TestSlowStream(t *testing.T) {
	h := newHub(Options{Kernel: &fakeKernel{}, Now: time.Now, Config: (&bench{}).defaults, Report: func(string) {}})
	s, err := h.subscribe(true)
	if err != nil {
		t.Fatal(err)
	}
	h.mu.Lock()
	for range maxBehind + 1 {
		h.broadcast("rows", change{})
	}
	left := len(h.streams)
	h.mu.Unlock()
	if left != 0 {
		t.Errorf("%d streams, want the slow one gone", left)
	}
	n := 0
	for range s.out {
		n++
	}
	if n != maxBehind {
		t.Errorf("%d messages before the end, want %d", n, maxBehind)
	}
	h.unsubscribe(s) // as its handler does
}

// TestEndEndsStreams: the daemon does not wait for pages.
func TestEndEndsStreams(t *testing.T) {
	b := newBench(t)
	f := b.signIn().follow(streamPath)
	f.next("pulse")
	began := time.Now()
	b.stop()
	f.ends()
	if took := time.Since(began); took > closePatience {
		t.Errorf("ended after %v", took)
	}
}

// TestHandleNeverBlocks, nobody at the other end.
func TestHandleNeverBlocks(t *testing.T) {
	h := newHub(Options{Kernel: &fakeKernel{}, Now: time.Now, Config: (&bench{}).defaults, Report: func(string) {}})
	for range maxEvents + 10 {
		h.handle(scanEvent("203.0.113.9", event.ScanDetected, time.Now()))
	}
	if n := h.lost.Load(); n != 10 {
		t.Errorf("lost = %d, want 10", n)
	}
}

// TestBounds: a flood of sources takes bounded memory, and shows the latest.
func TestBounds(t *testing.T) {
	k := &fakeKernel{}
	l := newLive(Options{Kernel: k, Now: time.Now, Config: (&bench{}).defaults})
	now := time.Now()
	var sources []event.Source
	for i := range 3 * maxRows {
		sources = append(sources, event.Source{Prefix: prefix(fmt.Sprintf("2001:db8::%x", i+1)), First: now, Last: now.Add(time.Duration(i) * time.Millisecond), Score: 1})
	}
	k.set(sources, nil)
	if err := l.refresh(); err != nil {
		t.Fatal(err)
	}
	for i := range maxFacts + 100 {
		l.handle(scanEvent(fmt.Sprintf("2001:db8:1::%x", i+1), event.ScanDetected, now.Add(-time.Minute)))
	}
	c, err := l.publish()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Rows) != maxRows || c.Total != len(sources) {
		t.Errorf("%d rows of %d, want %d of %d", len(c.Rows), c.Total, maxRows, len(sources))
	}
	if n := len(l.facts); n > maxFacts+maxRows {
		t.Errorf("%d sources remembered", n)
	}
	var row Row
	if err := json.Unmarshal(l.rows[sources[len(sources)-1].Prefix], &row); err != nil || row.Score != 1 {
		t.Errorf("the latest source is not shown: %+v, %v", row, err)
	}
	if again, err := l.publish(); err != nil || len(again.Rows)+len(again.Removed) > 0 {
		t.Errorf("nothing changed, but %d rows are told again, %v", len(again.Rows), err)
	}
}

// TestRate follows what is counted.
func TestRate(t *testing.T) {
	var r rate
	at := time.Now()
	r.see(10, at, 3)
	if got := r.value(at); got != 3 {
		t.Errorf("first rate = %v, want the guess", got)
	}
	for i := range 40 {
		at = at.Add(time.Second)
		r.see(uint64(10+100*(i+1)), at, 0)
	}
	if got := r.value(at); got < 98 || got > 100 {
		t.Errorf("rate = %v, want 100", got)
	}
	for range 60 {
		at = at.Add(time.Second)
		r.see(5, at, 0) // the ban is over: the count starts again
	}
	if got := r.value(at); got != 0 {
		t.Errorf("rate after a minute of quiet = %v", got)
	}
}

// TestForgetsTheOldest: one source too many makes room for some, and those
// that were heard last stay.
func TestForgetsTheOldest(t *testing.T) {
	l := newLive(Options{Kernel: &fakeKernel{}, Now: time.Now, Config: (&bench{}).defaults})
	name := func(i int) string { return fmt.Sprintf("2001:db8:1::%x", i+1) }
	now := time.Now()
	for i := range maxFacts + 1 {
		l.handle(scanEvent(name(i), event.ScanDetected, now.Add(time.Duration(i)*time.Millisecond)))
	}
	gone := maxFacts / forgetPart
	if len(l.facts) != maxFacts+1-gone {
		t.Errorf("%d sources remembered of %d", len(l.facts), maxFacts+1)
	}
	for i := range maxFacts + 1 {
		if remembered := l.facts[prefix(name(i))] != nil; remembered != (i >= gone) {
			t.Fatalf("source %d of %d: remembered is %v", i, maxFacts+1, remembered)
		}
	}
}
