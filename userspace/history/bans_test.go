// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"denmap/userspace/event"
)

func TestBansFilter(t *testing.T) {
	db := mustOpen(t, Options{})
	net := banEvent("N", "192.0.2.0/24", 0)
	net.Scan.Kinds, net.Scan.Grade = 0, event.Manual
	over := scanEvent("B", "192.0.2.2/32", event.SourceUnbanned, 5*time.Minute)
	db.handle(net, banEvent("B", "192.0.2.2/32", time.Minute), banEvent("C", "2001:db8::1/128", 2*time.Minute), over)
	tests := []struct {
		name   string
		in     Range
		source string
		limit  int
		want   string
	}{
		{"all", Range{}, "", 0, "CBN"},
		{"limit", Range{}, "", 2, "CB"},
		{"after one has ended", Range{Since: testStart.Add(6 * time.Minute)}, "", 0, "CN"},
		{"before one has begun", Range{Until: testStart.Add(2 * time.Minute)}, "", 0, "BN"},
		{"address and the network around it", Range{}, "192.0.2.2/32", 0, "BN"},
		{"address in the network", Range{}, "192.0.2.9/32", 0, "N"},
		{"network", Range{}, "192.0.0.0/16", 0, "BN"},
		{"everything of IPv4", Range{}, "0.0.0.0/0", 0, "BN"},
		{"IPv6", Range{}, "2001:db8::/32", 0, "C"},
		{"address, in a range", Range{Since: testStart.Add(6 * time.Minute)}, "192.0.2.2/32", 0, "N"},
	}
	for _, test := range tests {
		var source netip.Prefix
		if test.source != "" {
			source = netip.MustParsePrefix(test.source)
		}
		bans, err := db.Bans(context.Background(), test.in, source, test.limit)
		got := ""
		for _, b := range bans {
			got += b.ID
		}
		if err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", test.name, got, err, test.want)
		}
	}
	running, err := db.RunningBans(context.Background())
	want := map[netip.Prefix]string{netip.MustParsePrefix("192.0.2.0/24"): "N", netip.MustParsePrefix("2001:db8::1/128"): "C"}
	if err != nil || !reflect.DeepEqual(running, want) {
		t.Errorf("running %v, %v, want %v", running, err, want)
	}
	db.clock.add(11 * time.Minute)
	if running, err := db.RunningBans(context.Background()); err != nil || len(running) != 1 {
		t.Errorf("running later %v, %v", running, err)
	}
}

// A ban that went on over a restart ends under another ID.
func TestBanEndsUnderAnotherID(t *testing.T) {
	db := mustOpen(t, Options{})
	end := scanEvent("B", "192.0.2.1/32", event.SourceUnbanned, 5*time.Minute)
	end.Scan.Kinds, end.Reason = 0, "by operator"
	db.handle(banEvent("A", "192.0.2.1/32", 0), end)
	bans := db.mustBans(t)
	if len(bans) != 1 || bans[0].ID != "A" || !bans[0].Ended.Equal(end.Time) || bans[0].EndReason != "by operator" {
		t.Errorf("bans %+v", bans)
	}
	if got := ids(db.mustScans(t, Filter{})); !slices.Equal(got, []string{"A"}) {
		t.Errorf("scans %q", got)
	}
}
