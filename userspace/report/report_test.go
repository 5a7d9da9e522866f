// SPDX-License-Identifier: MIT

package report

import (
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/eventlog"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// line is one record about a scan by 203.0.113.n.
func line(id string, n int, a event.Action, change func(*event.Scan)) eventlog.Record {
	s := event.Scan{
		Source: netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(n)}), 32), Kinds: event.Kinds(0).With(event.SYN),
		Tool: event.ToolNmap, Score: 8, Threshold: 8, Probes: 4, Distinct: 4, Ports: []uint16{22, 80},
		First: now, Last: now.Add(time.Second), Enforced: true, Place: event.Place{Country: "Testland"},
	}
	if change != nil {
		change(&s)
	}
	return eventlog.NewRecord(event.Event{ID: id, Time: now, Action: a, Scan: &s}, eventlog.Meta{})
}

func build(records ...eventlog.Record) Report {
	b := New()
	for _, r := range records {
		b.Add(r)
	}
	return b.Report()
}

func TestScanIsCountedOnce(t *testing.T) {
	r := build(
		line("a", 1, event.ScanDetected, func(s *event.Scan) { s.Score, s.Threshold, s.Probes = 4, 4, 2 }),
		line("a", 1, event.SourceBanned, nil),
		line("a", 1, event.SourceUnbanned, func(s *event.Scan) { s.Dropped, s.Place = 990, event.Place{} }),
		line("a", 1, event.ScanEnded, func(s *event.Scan) { s.Dropped, s.Probes, s.Place = 990, 6, event.Place{} }),
		line("b", 1, event.ScanDetected, func(s *event.Scan) { s.Kinds, s.Main = event.Kinds(0).With(event.FIN).With(event.SYN), event.FIN }),
		line("c", 2, event.ScanDetected, func(s *event.Scan) {
			s.Ports, s.Place, s.Tool = []uint16{80}, event.Place{Special: "private"}, event.ToolUnknown
		}),
	)
	if r.Scans != 3 || r.Sources != 2 || r.Bans != 1 || r.Unbans != 1 || r.Probes != 14 || r.Dropped != 990 || r.Records != 6 {
		t.Errorf("report %+v", r)
	}
	for _, test := range []struct{ got, want any }{
		{r.Kinds, []Count{{"syn", 3}, {"fin", 1}}},
		{r.Tools, []Count{{"nmap", 2}, {"unknown", 1}}},
		{r.Countries, []Count{{"Testland", 2}, {"private", 1}}},
		{r.Ports, []PortCount{{80, 3}, {22, 2}}},
	} {
		if !reflect.DeepEqual(test.got, test.want) {
			t.Errorf("got %v, want %v", test.got, test.want)
		}
	}
	top := r.TopSources[0]
	if top.Source.String() != "203.0.113.1/32" || top.Scans != 2 || top.Bans != 1 || top.Probes != 10 || top.Place.Country != "Testland" || top.Main != event.FIN {
		t.Errorf("first source %+v", top)
	}
	if len(r.WouldBan) != 0 {
		t.Errorf("would ban %+v, want nobody", r.WouldBan)
	}
}

func TestWouldBan(t *testing.T) {
	spare := func(change func(*event.Scan)) func(*event.Scan) {
		return func(s *event.Scan) {
			s.Enforced = false
			if change != nil {
				change(s)
			}
		}
	}
	r := build(
		line("a", 1, event.SourceBanned, spare(nil)),
		line("a", 1, event.ScanEnded, spare(nil)),
		line("b", 1, event.SourceBanned, spare(func(s *event.Scan) { s.Score = 9 })),
		line("c", 2, event.SourceBanned, spare(func(s *event.Scan) { s.Protected = true })),
		line("d", 3, event.SourceBanned, spare(func(s *event.Scan) { s.Watched, s.UsedService, s.Grade = true, true, event.Proven })),
		line("e", 4, event.ScanDetected, spare(nil)), // below the ban score
		line("f", 5, event.SourceBanned, nil),        // banned
	)
	var got []string
	for _, w := range r.WouldBan {
		got = append(got, fmt.Sprint(w.Source.Source.Addr(), " ", w.Cause, " ", w.Grade, " ", w.Times, " ", w.Score, "/", w.Threshold, " ", w.Used))
	}
	want := []string{
		"203.0.113.3 watched proven 1 8/8 true",
		"203.0.113.1 monitor blind 2 9/8 false",
		"203.0.113.2 protected blind 1 8/8 false",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("would ban %q, want %q", got, want)
	}
	if r.Bans != 1 || r.Scans != 6 {
		t.Errorf("%d bans of %d scans, want 1 of 6", r.Bans, r.Scans)
	}
}

func TestOtherEvents(t *testing.T) {
	group := func(proven ...netip.Prefix) func(*event.Scan) {
		return func(s *event.Scan) {
			s.Group = &event.Group{ID: "g", Size: 2, Proven: proven}
			if len(proven) > 0 {
				s.Grade = event.Proven
			}
		}
	}
	record := func(e event.Event) eventlog.Record {
		e.Time = now.Add(time.Hour)
		return eventlog.NewRecord(e, eventlog.Meta{})
	}
	r := build(
		record(event.Event{Action: event.Attached, Interface: "eth0"}),
		record(event.Event{Action: event.Detached, Interface: "eth0", Reason: "link is gone"}),
		record(event.Event{Action: event.Detached, Interface: "eth0", Reason: event.ReasonStopped}),
		record(event.Event{Action: event.Detached, Interface: "eth0", Reason: event.ReasonStopped + ": by operator"}),
		record(event.Event{Action: event.ListChanged, List: &event.ListChange{List: "deny"}}),
		record(event.Event{Action: event.EventsLost, Lost: &event.Loss{Count: 5}}),
		record(event.Event{Action: event.EventsLost}),
		record(event.Event{ID: "m", Action: event.SourceBanned, Scan: &event.Scan{Source: netip.MustParsePrefix("198.51.100.0/24"), Grade: event.Manual, Enforced: true}}),
		record(event.Event{ID: "n", Action: event.SourceUnbanned, Scan: &event.Scan{Source: netip.MustParsePrefix("198.51.100.0/24")}}),
		record(event.Event{ID: "o", Action: event.SourceBanned}), // damaged
		line("a", 1, event.SourceBanned, group(netip.MustParsePrefix("203.0.113.1/32"))),
		line("b", 2, event.SourceBanned, group()),
		line("", 3, event.ScanDetected, nil),
		line("", 4, event.ScanDetected, nil),
	)
	if r.Detached != 1 || r.ListChanges != 1 || r.Lost != 5 || r.ManualBans != 1 || r.Unbans != 1 || r.Scans != 4 || r.Sources != 4 || r.Decoys != 1 {
		t.Errorf("report %+v", r)
	}
	if !r.First.Equal(now) || !r.Last.Equal(now.Add(time.Hour)) {
		t.Errorf("from %v to %v", r.First, r.Last)
	}
	for _, s := range r.TopSources {
		if want := s.Source.Addr().As4()[3] == 2; s.Decoy != want {
			t.Errorf("%s: decoy %v, want %v", s.Source, s.Decoy, want)
		}
	}
	if empty := build(); empty.Records != 0 || empty.Scans != 0 || !empty.First.IsZero() {
		t.Errorf("report of nothing: %+v", empty)
	}
}

// TestBounds feeds a log of forged sources that never end.
func TestBounds(t *testing.T) {
	b := New()
	const scans = maxOpen + maxSources + 10
	for i := range scans {
		b.Add(eventlog.Record{Event: event.Event{
			ID: fmt.Sprint(i), Time: now, Action: event.ScanDetected,
			Scan: &event.Scan{
				Source: netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 13: byte(i >> 16), byte(i >> 8), byte(i)}), 128),
				Kinds:  event.Kinds(0).With(event.SYN), Place: event.Place{Country: fmt.Sprint("Country ", i)},
			},
		}})
		if len(b.open) > maxOpen || len(b.sources) > maxSources {
			t.Fatalf("%d scans and %d sources are kept", len(b.open), len(b.sources))
		}
	}
	r := b.Report()
	if r.Scans != scans || r.Sources != maxSources || r.Overflow != scans-maxSources || len(r.Countries) != maxNames {
		t.Errorf("%d scans, %d sources, %d over, %d countries", r.Scans, r.Sources, r.Overflow, len(r.Countries))
	}
}
