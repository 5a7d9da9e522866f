// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"denmap/userspace/event"
)

func TestCountries(t *testing.T) {
	db := mustOpen(t, Options{})
	db.handle(filterScans()...)
	got, err := db.Countries(context.Background(), Range{})
	want := []CountryTotal{
		{"GB", "United Kingdom", 4, 4, 2},
		{"", "", 1, 1, 0},
		{"DE", "Germany", 1, 1, 0},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	got, err = db.Countries(context.Background(), Range{Since: testStart.Add(5 * time.Minute)})
	if err != nil || !reflect.DeepEqual(got, want[2:]) {
		t.Errorf("lately %+v, %v", got, err)
	}
}

func TestPlaces(t *testing.T) {
	db := mustOpen(t, Options{})
	events := filterScans()
	for i, city := range []string{"London", "London", "", "Bonn"} {
		p := &events[i].Scan.Place
		p.City, p.HasCoordinates = city, city != ""
		p.Latitude, p.Longitude = 51.5, -0.25
		if city == "Bonn" {
			p.CountryISO, p.Latitude, p.Longitude = "DE", 50.7, 7.1
		}
	}
	events[1].Scan.Source = events[0].Scan.Source
	db.handle(events...)
	london, bonn := PlaceTotal{51.5, -0.25, "GB", "London", 2, 1, 1}, PlaceTotal{50.7, 7.1, "DE", "Bonn", 1, 1, 1}
	for _, test := range []struct {
		in    Range
		limit int
		want  []PlaceTotal
	}{
		{Range{}, 0, []PlaceTotal{london, bonn}},
		{Range{}, 1, []PlaceTotal{london}},
		{Range{Since: testStart.Add(3 * time.Minute)}, 0, []PlaceTotal{bonn}},
	} {
		if got, err := db.Places(context.Background(), test.in, test.limit); err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%+v: got %+v, %v, want %+v", test.in, got, err, test.want)
		}
	}
}

func TestSource(t *testing.T) {
	db := mustOpen(t, Options{})
	db.handle(filterScans()...)
	db.handle(banEvent("G", "192.0.2.1/32", 6*time.Minute))
	got, found, err := db.Source(context.Background(), netip.MustParsePrefix("192.0.2.1/32"))
	want := SourceSummary{
		Source: netip.MustParsePrefix("192.0.2.1/32"),
		First:  testStart.Add(-200 * time.Millisecond), Last: testStart.Add(6 * time.Minute),
		Scans: 3, Bans: 1, Kinds: event.Kinds(0).With(event.SYN), Tools: []event.Tool{event.ToolNmap},
		MaxScore: 8, Probes: 12, Ports: []uint16{22, 80, 443, 8080},
		Place: event.Place{CountryISO: "GB", Country: "United Kingdom", Database: "test"},
	}
	if err != nil || !found || !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v, %v, %v\nwant %+v", got, found, err, want)
	}
	for _, p := range []netip.Prefix{{}, netip.MustParsePrefix("203.0.113.1/32")} {
		if _, found, err := db.Source(context.Background(), p); found || err != nil {
			t.Errorf("%v: %v, %v", p, found, err)
		}
	}
}

func TestImpact(t *testing.T) {
	db := mustOpen(t, Options{})
	events := filterScans()
	events[0].Scan.Score, events[0].Scan.Distinct = 5, 4
	events[5].Scan.Score, events[5].Scan.Distinct = 4, 6
	events[4].Scan.Score, events[4].Scan.Distinct = 4, 4
	events[2].Scan.Kinds = event.Kinds(0).With(event.UDP)
	db.handle(events...)
	for _, test := range []struct{ score, udp, scans, sources int }{
		{5, 9, 2, 1}, {6, 9, 1, 1}, {4, 8, 4, 3}, {9, 8, 1, 1}, {9, 9, 0, 0},
	} {
		got, err := db.Impact(context.Background(), Range{}, test.score, test.udp)
		if err != nil || got.Scans != test.scans || got.Sources != test.sources || len(got.Examples) != test.scans {
			t.Errorf("%+v: got %+v, %v", test, got, err)
		}
	}
}

func TestTimeline(t *testing.T) {
	db := mustOpen(t, Options{})
	would := banEvent("W", "192.0.2.9/32", -30*time.Minute)
	would.Scan.Enforced = false
	more := banEvent("A", "192.0.2.1/32", 2*time.Minute)
	more.Scan.Probes = 10
	db.handle(
		scanEvent("A", "192.0.2.1/32", event.ScanDetected, 0), more, would,
		scanEvent("O", "192.0.2.8/32", event.ScanDetected, -20*24*time.Hour),
		event.Event{ID: "L", Time: testStart, Action: event.EventsLost, Lost: &event.Loss{Stage: "queue", Count: 3}},
	)
	db.clock.add(3 * time.Minute)
	for span, want := range map[Span]Bucket{
		Hour:  {Probes: 14, Scans: 2, Bans: 1, WouldBan: 1, Lost: 3},
		Day:   {Probes: 14, Scans: 2, Bans: 1, WouldBan: 1, Lost: 3},
		Week:  {Probes: 14, Scans: 2, Bans: 1, WouldBan: 1, Lost: 3},
		Month: {Probes: 18, Scans: 3, Bans: 1, WouldBan: 1, Lost: 3},
	} {
		buckets, err := db.Timeline(context.Background(), span)
		if err != nil {
			t.Fatal(err)
		}
		step := spanSteps[span].step
		var sum Bucket
		for i, b := range buckets {
			if i > 0 && b.Start.Sub(buckets[i-1].Start) != step {
				t.Fatalf("%s: bucket %d starts at %v", span, i, b.Start)
			}
			sum.Probes += b.Probes
			sum.Scans += b.Scans
			sum.Bans += b.Bans
			sum.WouldBan += b.WouldBan
			sum.Lost += b.Lost
		}
		if sum != want {
			t.Errorf("%s: %+v, want %+v", span, sum, want)
		}
		last := buckets[len(buckets)-1].Start
		if now := db.clock.Now(); now.Before(last) || !now.Before(last.Add(step)) {
			t.Errorf("%s: the last bucket starts at %v", span, last)
		}
	}
	hour, err := db.Timeline(context.Background(), Hour)
	if err != nil || hour[56].Scans != 1 || hour[56].Probes != 4 || hour[58].Bans != 1 || hour[58].Probes != 6 {
		t.Errorf("the last minutes %+v, %v", hour[55:], err)
	}
	if _, err := db.Timeline(context.Background(), "year"); err == nil {
		t.Error("an unknown span is taken")
	}
}
