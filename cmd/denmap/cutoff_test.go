// SPDX-License-Identifier: MIT

package main

import (
	"net/netip"
	"strings"
	"testing"
)

// TestCallersSession: nobody cuts off the session that the command is given
// in, by any of the ways to keep somebody out.
func TestCallersSession(t *testing.T) {
	c := newConsole(t)
	c.env.Caller = func() []netip.Addr {
		return []netip.Addr{netip.MustParseAddr("203.0.113.77"), netip.MustParseAddr("2001:db8:77::1")}
	}
	const yours, force = "where your session comes from", "; --force does it all the same"
	for line, want := range map[string]string{
		"lists add deny 203.0.113.77":              `deny "203.0.113.77": it is ` + yours + force,
		"lists add deny 198.51.100.1 203.0.0.0/16": `deny "203.0.0.0/16": it contains 203.0.113.77, ` + yours + force,
		"lists add deny 2001:db8::/32":             `deny "2001:db8::/32": it contains 2001:db8:77::1, ` + yours + force,
		"bans add 203.0.113.77":                    `ban "203.0.113.77": it is ` + yours + force,
		"bans add 2001:db8:77::/64":                `ban "2001:db8:77::/64": it contains 2001:db8:77::1, ` + yours + force,
		"lists add deny 192.0.2.254":               `deny "192.0.2.254": it is a gateway` + force,
		"lists add deny 192.0.2.53":                `deny "192.0.2.53": it is a DNS server of this host` + force,
		"lists add deny 198.51.100.0/24":           `deny "198.51.100.0/24": it contains 198.51.100.22, where a logged-in session comes from` + force,
	} {
		if strings.Contains(want, "2001:db8::/32") {
			// The host's own address lies in there too, and comes first.
			want = `deny "2001:db8::/32": it contains 2001:db8::1, an address of this host` + force
		}
		c.expect(line, refused(exitFailed, want))
	}
	if text := c.read("deny.list"); text != "" {
		t.Errorf("the deny list was written:\n%s", text)
	}
	got := c.runInput("203.0.113.0/24\n203.0.113.77\n203.0.113.78\n", "lists", "import", "deny", "-")
	if got.code != exitDone || strings.TrimSpace(c.read("deny.list")) != "203.0.113.78" {
		t.Errorf("import: %+v, and the list is %q", got, c.read("deny.list"))
	}
	c.expect("lists add deny 203.0.113.77 --force",
		said("deny list: 1 added, 0 updated, 0 removed; 2 entries", "not attached: in force from the next attach on"))
}

// TestUncover: what keeps a session from being dropped stays on the allow
// list.
func TestUncover(t *testing.T) {
	c := newConsole(t)
	c.env.Caller = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("203.0.113.77")} }
	c.write("deny.list", "# abuse\n203.0.113.0/24\n")
	c.write("allow.list", "203.0.113.64/26\n203.0.113.77\n198.51.100.0/24\n")
	whole := "remove from the allow list: then 203.0.113.77, where your session comes from, is dropped: deny list, line 2; --force does it all the same"
	c.expect("lists remove allow 203.0.113.64/26 203.0.113.77", refused(exitFailed, whole))
	after := func(n string) outcome {
		return said("allow list: 0 added, 0 updated, 1 removed; "+n, "not attached: in force from the next attach on")
	}
	c.expect("lists remove allow 203.0.113.77", after("2 entries")) // the network still covers it
	c.expect("lists remove allow 203.0.113.64/26", refused(exitFailed, whole))
	c.expect("lists remove allow 198.51.100.0/24", after("1 entry"))
	c.expect("lists remove --force allow 203.0.113.64/26", after("0 entries"))
}

// TestUncoverBan: a ban counts as the deny list does.
func TestUncoverBan(t *testing.T) {
	c := newConsole(t)
	c.write("allow.list", "203.0.113.77\n")
	c.expect("bans add 203.0.113.77", said(
		`203.0.113.77 is on the allow list ($DIR/allow.list, line 1), which beats the ban`,
		"not attached: in force from the next attach on", "banned 203.0.113.77 for 10m"))
	c.env.Caller = func() []netip.Addr { return []netip.Addr{netip.MustParseAddr("203.0.113.77")} }
	c.expect("lists remove allow 203.0.113.77", refused(exitFailed,
		"remove from the allow list: then 203.0.113.77, where your session comes from, is dropped: manual ban of 203.0.113.77; --force does it all the same"))
}
