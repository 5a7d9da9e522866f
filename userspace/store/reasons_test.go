// SPDX-License-Identifier: MIT

package store

import (
	"net/netip"
	"testing"

	"denmap/userspace/event"
)

func TestAddReasons(t *testing.T) {
	source, other := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("192.0.2.2/32")
	bans := []event.Ban{
		{Source: source, Grade: event.Manual},
		{Source: source, Grade: event.Blind},
		{Source: other, Grade: event.Manual, Reason: "of another ban"},
	}
	AddReasons(bans, []event.Ban{{Source: source, Grade: event.Manual, Reason: "why"}})
	if bans[0].Reason != "why" || bans[1].Reason != "" || bans[2].Reason != "" {
		t.Errorf("got %+v", bans)
	}
}
