// SPDX-License-Identifier: MIT

// Package netstate tells what the host's network looks like now, as plain
// values: its interfaces, its own addresses, and the addresses that it must
// not lose contact with. Read takes one look; Watch reports every change.
//
// Link-local IPv6 addresses carry a zone, always the interface index in
// decimal ("fe80::1%2"): names can change, and are taken again by other
// interfaces, while an index names one interface for as long as it exists.
// No other address has a zone, and IPv4 addresses are never in their
// IPv6-mapped form.
package netstate

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
)

// Interface is one network interface.
type Interface struct {
	Index     int
	Name      string
	MAC       net.HardwareAddr // nil unless the link has addresses of 6 bytes
	LinkLayer string           // what its packets begin with: "ether", "loopback", "none", ...
	Up        bool             // switched on by the administrator; says nothing of the cable
	MTU       int              // bytes
	XDP       XDP
}

// XDP is the XDP program on an interface. The zero value: none.
type XDP struct {
	ProgID uint32 // kernel's program id; 0 if Mode is empty or "multi"
	Mode   string // "native", "generic", "offload", "multi" (several at once), or empty
}

// Snapshot is the state of the network at one moment. Every list is sorted
// and free of duplicates. Snapshots may share memory with each other: treat
// them as read-only.
type Snapshot struct {
	Interfaces []Interface    // by index
	Own        []netip.Addr   // assigned to this host, loopback included
	OnLink     []netip.Prefix // reached without a router, loopback left out
	Gateways   []netip.Addr   // next hops of all routing tables
	Resolvers  []netip.Addr   // DNS servers other than this host
	Sessions   []netip.Addr   // remote ends of logged-in sessions
	NAT        bool           // ports are published by address translation
}

// Equal reports whether two snapshots say the same.
func (s Snapshot) Equal(o Snapshot) bool {
	return slices.EqualFunc(s.Interfaces, o.Interfaces, Interface.equal) &&
		slices.Equal(s.Own, o.Own) &&
		slices.Equal(s.OnLink, o.OnLink) &&
		slices.Equal(s.Gateways, o.Gateways) &&
		slices.Equal(s.Resolvers, o.Resolvers) &&
		slices.Equal(s.Sessions, o.Sessions) &&
		s.NAT == o.NAT
}

func (i Interface) equal(o Interface) bool {
	return i.Index == o.Index && i.Name == o.Name && bytes.Equal(i.MAC, o.MAC) &&
		i.LinkLayer == o.LinkLayer && i.Up == o.Up && i.MTU == o.MTU && i.XDP == o.XDP
}

// sortAddrs sorts a list in place and removes duplicates.
func sortAddrs(list []netip.Addr) []netip.Addr {
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

func sortPrefixes(list []netip.Prefix) []netip.Prefix {
	slices.SortFunc(list, func(a, b netip.Prefix) int {
		if c := a.Addr().Compare(b.Addr()); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	return slices.Compact(list)
}
