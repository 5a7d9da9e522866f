// SPDX-License-Identifier: MIT

package lists

import (
	"net/netip"
	"slices"
)

// prefixSet answers quickly whether a network overlaps any of a set. It
// holds disjoint networks, sorted.
type prefixSet []netip.Prefix

// newPrefixSet takes networks as interfaces and routes show them: host
// bits, zones and the IPv4-mapped form are removed.
func newPrefixSet(prefixes []netip.Prefix) prefixSet {
	set := make(prefixSet, 0, len(prefixes))
	for _, p := range prefixes {
		addr, bits := p.Addr().WithZone(""), p.Bits()
		if addr.Is4In6() && bits >= 96 {
			addr, bits = addr.Unmap(), bits-96
		}
		if p = netip.PrefixFrom(addr, bits).Masked(); p.IsValid() {
			set = append(set, p)
		}
	}
	slices.SortFunc(set, netip.Prefix.Compare)
	disjoint := set[:0]
	for _, p := range set {
		if n := len(disjoint); n == 0 || !covers(disjoint[n-1], p) {
			disjoint = append(disjoint, p)
		}
	}
	return disjoint
}

// overlap returns the first network of the set that shares an address
// with p.
func (s prefixSet) overlap(p netip.Prefix) (netip.Prefix, bool) {
	// Networks are nested or disjoint: one that contains p starts at or
	// before it, and the next one may lie inside p.
	i, found := slices.BinarySearchFunc(s, p, netip.Prefix.Compare)
	if found {
		return s[i], true
	}
	if i > 0 && s[i-1].Overlaps(p) {
		return s[i-1], true
	}
	if i < len(s) && s[i].Overlaps(p) {
		return s[i], true
	}
	return netip.Prefix{}, false
}
