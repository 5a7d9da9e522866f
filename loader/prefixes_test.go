// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"denmap/userspace/event"
)

func TestPrefixesInOrder(t *testing.T) {
	for _, row := range []struct {
		present int
		older   []int
		want    banPrefixes
		left    []int
	}{
		{64, nil, banPrefixes{64}, nil},
		{128, nil, banPrefixes{}, nil},
		{64, []int{0, 64, 128}, banPrefixes{64}, nil},
		{56, []int{64, 48, 56, 64}, banPrefixes{64, 56, 48}, nil},
		{32, []int{127, 40, 64, 80, 96}, banPrefixes{127, 64, 40, 32}, []int{80, 96}},
	} {
		got, left := prefixes(row.present, row.older...)
		if got != row.want || !slices.Equal(left, row.left) {
			t.Errorf("%d after %v: %v and %v, want %v and %v", row.present, row.older, got, left, row.want, row.left)
		}
	}
}

// TestOverlooked attaches with bans of one length too many: the one that
// the fewest bans have is told of.
func TestOverlooked(t *testing.T) {
	dir := bpfDir(t)
	enterNetns(t)
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "peer0"}); err != nil {
		t.Fatal(err)
	}
	k := mustOpen(t, dir)
	defer k.Close(false)
	for _, source := range []string{"2001:db8:1::/48", "2001:db8:2::/48", "2001:db8:100::/40", "2001:db8:200::/40", "2001:db8:1:100::/56", "2001:db8:2:100::/56", "2001:db9::/32"} {
		if err := k.AddBan(event.Ban{Source: netip.MustParsePrefix(source), Grade: event.Manual, Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.Attach("eth0", AttachOptions{Hook: HookGeneric}); err != nil {
		t.Fatal(err)
	}
	if got := k.Overlooked(); !slices.Equal(got, []int{32}) {
		t.Errorf("overlooked %v, want [32]", got)
	}
	if _, err := k.RemoveBan(netip.MustParsePrefix("2001:db9::/32")); err != nil {
		t.Fatal(err)
	}
	if err := k.Reconfigure(defaults()); err != nil {
		t.Fatal(err)
	}
	if got := k.Overlooked(); len(got) != 0 {
		t.Errorf("overlooked %v after its end", got)
	}
}
