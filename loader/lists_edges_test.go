// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
)

// edgeEntries are of all lengths and stand close together, so that the first
// bits of IPv6 ones, by which the guide goes, are often shared and often not.
func edgeEntries(c *rand.Rand, n int) (out []ListEntry) {
	for range n {
		a := [16]byte{0x20, byte(c.IntN(2)), byte(c.IntN(2)*13 + c.IntN(3)), byte(0xb7 + c.IntN(4)), byte(c.IntN(2)), byte(c.IntN(2)), 15: byte(c.IntN(3))}
		addr, bits := netip.AddrFrom16(a), c.IntN(129)
		if c.IntN(2) == 0 {
			addr = netip.AddrFrom4([4]byte{198, byte(18 + c.IntN(3)), byte(c.Uint32()), byte(c.Uint32())})
			bits = 14 + c.IntN(19)
		}
		if addr.Is6() && c.IntN(2) == 0 {
			bits = 22 + c.IntN(13)
		}
		// PrefixFrom: Prefix only fails for bits that do not fit.
		out = append(out, ListEntry{Prefix: netip.PrefixFrom(addr, bits).Masked(), Watch: c.IntN(3) == 0})
	}
	return out
}

// edges are the first and the last address of a prefix, and those before and
// behind it.
func edges(p netip.Prefix) (out []netip.Addr) {
	first := p.Addr().As16()
	last, bits := first, p.Bits()
	if p.Addr().Is4() {
		bits += 96
	}
	for i := bits; i < 128; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	for _, a := range []netip.Addr{netip.AddrFrom16(first).Unmap(), netip.AddrFrom16(last).Unmap()} {
		for _, b := range []netip.Addr{a.Prev(), a, a.Next()} {
			if b.IsValid() && b.Is4() == p.Addr().Is4() && !b.Is4In6() {
				out = append(out, b)
			}
		}
	}
	return out
}

// TestListsAtTheirEdges looks up what is just inside and just outside of
// every entry, in small lists and in ones that are marked.
func TestListsAtTheirEdges(t *testing.T) {
	r := newRig(t, enforcing())
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := rand.New(rand.NewPCG(seed, 0))
	var crowd []ListEntry // makes a set big enough for marks, and fills some of the same /23
	for i := range markedFrom {
		a := 16<<24 | uint32(i)<<16 | c.Uint32N(1<<16)
		crowd = append(crowd, ListEntry{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, a))), 32)})
	}
	var entries []ListEntry
	for round := range 40 {
		list := Allow
		if round >= 20 {
			list = Deny
			if _, err := r.SyncList(Allow, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		switch entries = append([]ListEntry{}, entries...); round % 4 {
		case 0:
			entries = edgeEntries(c, 1+c.IntN(40))
		case 1, 2:
			entries = append(entries, edgeEntries(c, 1+c.IntN(3))...)
		case 3:
			entries = entries[c.IntN(len(entries)):]
		}
		want := entries
		if round%8 > 3 {
			want = append(append([]ListEntry{}, crowd...), entries...)
		}
		if _, err := r.SyncList(list, want, nil); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for _, e := range entries {
			for _, addr := range edges(e.Prefix) {
				r.checkListed(list, entries, addr)
			}
		}
		if t.Failed() {
			t.Fatalf("round %d: %s list is %v", round, list, entries)
		}
	}
}
