// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"denmap/userspace/event"
)

func TestScanRoundTrip(t *testing.T) {
	db := mustOpen(t, Options{})
	e := banEvent("A", "192.0.2.7/32", 0)
	e.Scan.Place = event.Place{
		CountryISO: "GB", Country: "United Kingdom", City: "London", Latitude: 51.5, Longitude: -0.1, HasCoordinates: true,
		ASNumber: 4294967295, ASName: "Example", Database: "test.mmdb",
	}
	e.Scan.Dropped, e.Scan.Probes = 1<<40, 1<<41
	e.Scan.Protected, e.Scan.Watched, e.Scan.Grade = true, true, event.Proven
	e.Scan.Ports = []uint16{0, 1, 65535}
	e.Scan.Group = &event.Group{
		ID: "A", Size: 3, Proven: []netip.Prefix{e.Scan.Source},
		Sources: []netip.Prefix{e.Scan.Source, netip.MustParsePrefix("192.0.2.8/32"), netip.MustParsePrefix("2001:db8::/64")},
	}
	db.handle(e)
	want := Scan{ID: "A", Action: Banned, Interface: "eth0", Reason: "score 8 of 8", Scan: *e.Scan}
	if got := db.mustScan(t, "A"); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	v6 := scanEvent("B", "2001:db8:1::/64", event.ScanDetected, time.Second)
	v6.Scan.Destination, v6.Scan.Place, v6.Scan.Ports = netip.Addr{}, event.Place{Special: "documentation"}, nil
	db.handle(v6)
	want = Scan{ID: "B", Action: Detected, Interface: "eth0", Reason: "score 8 of 8", Scan: *v6.Scan}
	if got := db.mustScan(t, "B"); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if _, found, err := db.Scan(context.Background(), "C"); found || err != nil {
		t.Errorf("Scan of an unknown ID: %v, %v", found, err)
	}
}

// A scan is what all its events say together.
func TestScanMerge(t *testing.T) {
	db := mustOpen(t, Options{})
	first := scanEvent("A", "2001:db8::1/128", event.ScanDetected, 0)
	first.Scan.Score, first.Scan.Place = 4, event.Place{}
	banned := banEvent("A", "2001:db8::/64", time.Second)
	banned.Scan.Kinds = event.Kinds(0).With(event.UDP)
	banned.Scan.Transport, banned.Scan.Tool, banned.Scan.Ports = "udp", event.ToolUnknown, []uint16{53}
	banned.Scan.Probes, banned.Scan.Distinct = 2, 2
	banned.Scan.Group = &event.Group{ID: "A", Size: 2, Sources: []netip.Prefix{banned.Scan.Source}}
	unbanned := scanEvent("A", "2001:db8::/64", event.SourceUnbanned, 10*time.Minute)
	unbanned.Reason, unbanned.Scan.Dropped = "expired", 70
	ended := unbanned
	ended.Action, ended.Reason = event.ScanEnded, "ban ended: expired"
	db.handle(first)
	db.handle(banned, unbanned, ended)

	got := db.mustScan(t, "A")
	want := Scan{ID: "A", Action: Banned, Interface: "eth0", Reason: "score 8 of 8", Ended: ended.Time, Scan: event.Scan{
		Source: netip.MustParsePrefix("2001:db8::/64"), Destination: first.Scan.Destination,
		Kinds: event.Kinds(0).With(event.SYN).With(event.UDP), Tool: event.ToolNmap, Confidence: event.High,
		Score: 8, Threshold: 8, Probes: 4, Dropped: 70, Distinct: 4, Ports: []uint16{22, 53, 80, 443, 8080},
		First: first.Scan.First, Last: unbanned.Scan.Last, Enforced: true,
		BanUntil: banned.Scan.BanUntil, Place: banned.Scan.Place, Group: banned.Scan.Group,
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	ban := Ban{
		ID: "A", Source: want.Source, Since: banned.Time, Until: banned.Scan.BanUntil, Ended: unbanned.Time,
		Reason: "score 8 of 8", EndReason: "expired", Interface: "eth0", Dropped: 70, Country: "GB",
	}
	if got := db.mustBans(t); !reflect.DeepEqual(got, []Ban{ban}) {
		t.Errorf("bans %+v\nwant %+v", got, ban)
	}
}

func TestScanActions(t *testing.T) {
	db := mustOpen(t, Options{})
	would := banEvent("W", "192.0.2.1/32", 0)
	would.Scan.Enforced, would.Scan.BanUntil = false, time.Time{}
	again := scanEvent("W", "192.0.2.1/32", event.ScanDetected, time.Second)
	again.Scan.Enforced = false
	manual := banEvent("M", "203.0.113.0/24", 0)
	manual.Scan.Kinds, manual.Scan.Grade, manual.Scan.BanUntil, manual.Reason = 0, event.Manual, time.Time{}, "the \"boss\"\x00 said so"
	db.handle(would, again, manual, scanEvent("D", "192.0.2.2/32", event.ScanDetected, 0))
	if got := db.mustScan(t, "W"); got.Action != WouldBan || got.Enforced {
		t.Errorf("W: %v, enforced %v", got.Action, got.Enforced)
	}
	if got := db.mustScan(t, "D"); got.Action != Detected {
		t.Errorf("D: %v", got.Action)
	}
	// An operator's ban is no scan.
	if got := ids(db.mustScans(t, Filter{})); !reflect.DeepEqual(got, []string{"W", "D"}) {
		t.Errorf("scans %q", got)
	}
	bans := db.mustBans(t)
	if len(bans) != 1 || bans[0].ID != "M" || bans[0].Reason != manual.Reason || !bans[0].Until.IsZero() || bans[0].Grade != event.Manual {
		t.Errorf("bans %+v", bans)
	}
}

// filterScans are A to F, one minute apart, F the latest.
func filterScans() []event.Event {
	events := []event.Event{
		scanEvent("A", "192.0.2.1/32", event.ScanDetected, 0),
		banEvent("B", "192.0.2.2/32", time.Minute),
		scanEvent("C", "198.51.100.3/32", event.ScanDetected, 2*time.Minute),
		banEvent("D", "2001:db8::1/128", 3*time.Minute),
		scanEvent("E", "2001:db8:0:1::/64", event.ScanDetected, 4*time.Minute),
		scanEvent("F", "192.0.2.1/32", event.ScanDetected, 5*time.Minute),
	}
	events[2].Scan.Kinds = event.Kinds(0).With(event.UDP).With(event.Null)
	events[4].Scan.Place = event.Place{Special: "documentation"}
	events[5].Scan.Place = event.Place{CountryISO: "DE", Country: "Germany"}
	return events
}

func TestScansFilter(t *testing.T) {
	db := mustOpen(t, Options{})
	db.handle(filterScans()...)
	at := func(d time.Duration) time.Time { return testStart.Add(d) }
	from := func(s string) Filter { return Filter{Source: netip.MustParsePrefix(s)} }
	tests := []struct {
		name string
		f    Filter
		want string
	}{
		{"all", Filter{}, "FEDCBA"},
		{"oldest first", Filter{Oldest: true}, "ABCDEF"},
		{"since", Filter{Range: Range{Since: at(3 * time.Minute)}}, "FED"},
		{"until leaves out what starts later", Filter{Range: Range{Until: at(2*time.Minute - 200*time.Millisecond)}}, "BA"},
		{"until keeps what has started", Filter{Range: Range{Until: at(2 * time.Minute)}}, "CBA"},
		{"range", Filter{Range: Range{at(time.Minute), at(4 * time.Minute)}}, "EDCB"},
		{"address", from("192.0.2.1/32"), "FA"},
		{"network", from("192.0.2.0/24"), "FBA"},
		{"wide network", from("192.0.0.0/8"), "FBA"},
		{"all of IPv4", from("0.0.0.0/0"), "FCBA"},
		{"all of IPv6", from("::/0"), "ED"},
		{"IPv6 network", from("2001:db8::/48"), "ED"},
		{"address in a source that is a network", from("2001:db8:0:1::99/128"), "E"},
		{"nothing there", from("203.0.113.0/24"), ""},
		{"country", Filter{Country: "GB"}, "DCBA"},
		{"no country", Filter{Country: NoCountry}, "E"},
		{"kind", Filter{Kinds: event.Kinds(0).With(event.Null)}, "C"},
		{"any of the kinds", Filter{Kinds: event.Kinds(0).With(event.Null).With(event.SYN)}, "FEDCBA"},
		{"action", Filter{Action: Banned}, "DB"},
		{"everything", Filter{
			Range: Range{at(0), at(time.Hour)}, Source: netip.MustParsePrefix("192.0.2.0/24"), Country: "GB",
			Kinds: event.Kinds(0).With(event.SYN), Action: Banned,
		}, "B"},
		{"source, oldest first", Filter{Source: netip.MustParsePrefix("192.0.2.0/24"), Oldest: true}, "ABF"},
		{"country, oldest first", Filter{Country: "GB", Oldest: true}, "ABCD"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var want []string
			for _, id := range test.want {
				want = append(want, string(id))
			}
			if got := ids(db.mustScans(t, test.f)); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			// The same, page by page.
			f, got := test.f, []string(nil)
			f.Limit = 1
			for range len(want) + 1 {
				page, err := db.Scans(context.Background(), f)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, ids(page.Scans)...)
				if f.After = page.Next; f.After == "" {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("in pages %q, want %q", got, want)
			}
		})
	}
}

func TestScansRefuses(t *testing.T) {
	db := mustOpen(t, Options{})
	db.handle(filterScans()...)
	for _, after := range []string{"x", "1", "1.", "1.2x", " 1.2", "1.2 ", "01.2", "'; DROP TABLE scans"} {
		if _, err := db.Scans(context.Background(), Filter{After: after}); !errors.Is(err, ErrBadCursor) {
			t.Errorf("after %q: %v", after, err)
		}
	}
	if _, err := db.Scans(context.Background(), Filter{Action: "banana"}); err == nil {
		t.Error("an unknown action is taken")
	}
	if got := db.mustScans(t, Filter{Limit: 1 << 30}); len(got) != 6 {
		t.Errorf("with a large limit %d scans", len(got))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := db.Scans(ctx, Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after cancel: %v", err)
	}
}

func TestNotes(t *testing.T) {
	db := mustOpen(t, Options{})
	at := func(n int) time.Time { return testStart.Add(time.Duration(n) * time.Second) }
	db.handle(
		event.Event{ID: "1", Time: at(1), Action: event.Attached, Interface: "eth0", Mode: "native", Reason: "daemon started"},
		event.Event{ID: "2", Time: at(2), Action: event.ListChanged, List: &event.ListChange{List: "deny", Path: "/etc/denmap/deny.list", Added: 3, Removed: 1, Total: 7, Type: "change"}},
		event.Event{ID: "3", Time: at(3), Action: event.EventsLost, Lost: &event.Loss{Stage: "ring-buffer", Count: 12}},
		event.Event{ID: "4", Time: at(4), Action: event.Detached, Interface: "eth0", Reason: "link is gone"},
	)
	want := []Note{
		{Time: at(4), Action: event.Detached, Interface: "eth0", Reason: "link is gone"},
		{Time: at(3), Action: event.EventsLost, Lost: &event.Loss{Stage: "ring-buffer", Count: 12}},
		{Time: at(2), Action: event.ListChanged, List: &event.ListChange{List: "deny", Path: "/etc/denmap/deny.list", Added: 3, Removed: 1, Total: 7, Type: "change"}},
		{Time: at(1), Action: event.Attached, Interface: "eth0", Mode: "native", Reason: "daemon started"},
	}
	if got := db.mustNotes(t); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	got, err := db.Notes(context.Background(), Range{at(2), at(4)}, 0)
	if err != nil || !reflect.DeepEqual(got, want[1:3]) {
		t.Errorf("in a range %+v, %v", got, err)
	}
}

// A file of the first version gets what is missing.
func TestSchemaGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history.db")
	mustWrite(t, path, storedFile(t))
	db, err := connectWriter(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DROP INDEX scans_place; UPDATE schema_version SET version = 1"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h := mustOpen(t, Options{Path: path})
	if _, err := h.Places(context.Background(), Range{}, 0); err != nil {
		t.Error(err)
	}
	if got := h.mustScans(t, Filter{}); len(got) == 0 {
		t.Error("the scans of before are gone")
	}
	h.mustClose(t)
	if reader, err := OpenReader(path, nil); err != nil {
		t.Error(err)
	} else if found, err := version(reader.db); err != nil || found != schemaVersion || reader.Close() != nil {
		t.Errorf("version %d, %v", found, err)
	}
}
