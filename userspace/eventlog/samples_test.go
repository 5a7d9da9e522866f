// SPDX-License-Identifier: MIT

package eventlog

import (
	"fmt"
	"net/netip"
	"time"

	"denmap/userspace/event"
)

var (
	testTime = time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC)
	testMeta = Meta{Version: "1.2.3", Hostname: "web1"}
)

// scanEvent is the ban that the documentation shows.
func scanEvent(a event.Action) event.Event {
	return event.Event{
		ID: "01KDYQ4B3Y0000000000000001", Time: testTime, Action: a, Interface: "eth0", Reason: "score 8 of 8",
		Scan: &event.Scan{
			Source:      netip.MustParsePrefix("203.0.113.69/32"),
			Destination: netip.MustParseAddr("198.51.100.1"),
			Kinds:       event.Kinds(0).With(event.SYN),
			Tool:        event.ToolNmap, Confidence: event.High,
			Transport: "tcp",
			Score:     8, Threshold: 8, Probes: 5, Distinct: 4,
			Ports: []uint16{22, 80, 443, 8080},
			First: testTime.Add(-200 * time.Millisecond), Last: testTime,
			Enforced: true, BanUntil: testTime.Add(10 * time.Minute),
			Place: event.Place{CountryISO: "GB", Country: "United Kingdom", ASNumber: 64500, ASName: "Example & Sons"},
		},
	}
}

// changed returns the sample with its scan changed.
func changed(a event.Action, change func(*event.Event, *event.Scan)) event.Event {
	e := scanEvent(a)
	change(&e, e.Scan)
	return e
}

type sample struct {
	name  string
	event event.Event
}

// samples has every action, and every variant that is written differently.
func samples() []sample {
	return []sample{
		{"detected", changed(event.ScanDetected, func(e *event.Event, s *event.Scan) {
			e.Reason, s.Score, s.Threshold, s.Distinct, s.Ports = "score 4 of 4", 4, 4, 2, []uint16{22, 443}
			s.BanUntil = time.Time{}
		})},
		{"crafted", changed(event.ScanDetected, func(e *event.Event, s *event.Scan) {
			e.Reason, s.Score, s.Threshold, s.Distinct, s.Ports = "score 2 of 4", 2, 4, 1, []uint16{22}
			s.Kinds, s.Main, s.BanUntil = event.Kinds(0).With(event.Xmas), event.Xmas, time.Time{}
		})},
		{"banned", scanEvent(event.SourceBanned)},
		{"banned-proven-ipv6-net", changed(event.SourceBanned, func(_ *event.Event, s *event.Scan) {
			s.Source, s.Destination = netip.MustParsePrefix("2001:db8:1:2::/64"), netip.MustParseAddr("2001:db8::1")
			s.Grade, s.Tool, s.Kinds, s.Main = event.Proven, event.ToolKernel, event.Kinds(0).With(event.Connect), event.Connect
			s.Place = event.Place{Country: "Testland", CountryISO: "ZZ", City: "Test Town", HasCoordinates: true, Latitude: 51.5, Longitude: -0.125, Database: "test.mmdb"}
		})},
		{"banned-monitor", changed(event.SourceBanned, func(_ *event.Event, s *event.Scan) {
			s.Enforced, s.BanUntil = false, time.Time{}
			s.Kinds, s.Main, s.Transport = event.Kinds(0).With(event.FIN).With(event.UDP), event.UDP, ""
			s.Tool, s.Confidence = event.ToolUnknown, event.Low
			s.Source, s.Place = netip.MustParsePrefix("192.0.2.7/32"), event.Place{Special: "documentation", Country: "Nowhere"}
		})},
		{"banned-protected", changed(event.SourceBanned, func(_ *event.Event, s *event.Scan) {
			s.Enforced, s.Protected, s.BanUntil = false, true, time.Time{}
		})},
		{"banned-watched", changed(event.SourceBanned, func(_ *event.Event, s *event.Scan) {
			s.Enforced, s.Watched, s.UsedService, s.BanUntil = false, true, true, time.Time{}
		})},
		{"detected-decoys", changed(event.ScanDetected, func(e *event.Event, s *event.Scan) {
			e.Reason, s.Score, s.Threshold, s.BanUntil = "score 4 of 4", 4, 4, time.Time{}
			s.Group = &event.Group{ID: e.ID, Size: 3, Sources: []netip.Prefix{
				s.Source, netip.MustParsePrefix("203.0.113.70/32"), netip.MustParsePrefix("203.0.113.71/32"),
			}}
		})},
		{"banned-decoy", changed(event.SourceBanned, func(e *event.Event, s *event.Scan) {
			real := netip.MustParsePrefix("203.0.113.70/32")
			s.Group = &event.Group{ID: e.ID, Size: 100, Sources: []netip.Prefix{s.Source, real}, Proven: []netip.Prefix{real}}
		})},
		{"banned-among-decoys", changed(event.SourceBanned, func(e *event.Event, s *event.Scan) {
			s.Grade = event.Proven
			s.Group = &event.Group{ID: e.ID, Size: 2, Sources: []netip.Prefix{s.Source}, Proven: []netip.Prefix{s.Source}}
		})},
		{"banned-by-operator", event.Event{
			ID: "01KDYQ4B3Y0000000000000002", Time: testTime, Action: event.SourceBanned, Reason: "abuse report",
			Scan: &event.Scan{Source: netip.MustParsePrefix("198.51.100.0/24"), Grade: event.Manual, Enforced: true, BanUntil: testTime.Add(time.Hour)},
		}},
		{"unbanned", changed(event.SourceUnbanned, func(e *event.Event, s *event.Scan) { e.Reason, s.Dropped = "expired", 996 })},
		{"ended", changed(event.ScanEnded, func(e *event.Event, s *event.Scan) {
			e.Reason, s.Dropped, s.Last = "ban ended: expired", 996, testTime.Add(90*time.Second)
		})},
		{"ended-sweep", changed(event.ScanEnded, func(e *event.Event, s *event.Scan) {
			e.Reason, s.Kinds, s.Main, s.Distinct, s.Ports = "quiet for 2m0s", event.Kinds(0).With(event.Sweep), event.Sweep, 1, nil
		})},
		{"list", event.Event{
			ID: "01KDYQ4B3Y0000000000000003", Time: testTime, Action: event.ListChanged,
			List: &event.ListChange{List: "deny", Path: "/etc/denmap/deny.list", Added: 2, Removed: 1, Total: 40, Type: "change"},
		}},
		{"list-created", event.Event{
			ID: "01KDYQ4B3Y0000000000000004", Time: testTime, Action: event.ListChanged,
			List: &event.ListChange{List: "allow", Path: "/etc/denmap/my lists/allow.list", Added: 1, Total: 1, Type: "creation"},
		}},
		{"attached", event.Event{ID: "01KDYQ4B3Y0000000000000005", Time: testTime, Action: event.Attached, Interface: "eth0", Mode: "native"}},
		{"detached", event.Event{ID: "01KDYQ4B3Y0000000000000006", Time: testTime, Action: event.Detached, Interface: "eth0", Reason: "link is gone"}},
		{"lost", event.Event{
			ID: "01KDYQ4B3Y0000000000000007", Time: testTime, Action: event.EventsLost,
			Lost: &event.Loss{Stage: "ring-buffer", Count: 12},
		}},
		{"hostile", changed(event.SourceBanned, func(e *event.Event, s *event.Scan) {
			e.Reason = "a\nb | id=forged \x1b[2J\" \\ x=y\xff\u202e"
			s.Place.Country, s.Place.ASName = "Ev|il\r\n{\"a\":1}", "=\x00"
			s.Place.HasCoordinates, s.Place.Latitude = true, 1e300
		})},
	}
}

// numberedEvent is event i of a series, each with a line of its own.
func numberedEvent(i int) event.Event {
	e := scanEvent(event.SourceBanned)
	e.ID = fmt.Sprintf("event-%06d", i)
	e.Time = testTime.Add(time.Duration(i) * time.Millisecond)
	return e
}
