// SPDX-License-Identifier: MIT

package lists

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
)

// sortKey is a network in a form that compares fast: with a million
// entries, sorting is most of the work. It holds no pointers.
type sortKey struct {
	hi, lo uint64
	index  int32
	family uint8 // 4 or 6
	bits   uint8
}

func newSortKey(p netip.Prefix, index int) sortKey {
	k := sortKey{index: int32(index), family: 6, bits: uint8(p.Bits())}
	if p.Addr().Is4() {
		b := p.Addr().As4()
		k.family, k.hi = 4, uint64(binary.BigEndian.Uint32(b[:]))
		return k
	}
	b := p.Addr().As16()
	k.hi, k.lo = binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	return k
}

func (k sortKey) compare(other sortKey) int {
	if k.family != other.family {
		return cmp.Compare(k.family, other.family)
	}
	if k.hi != other.hi {
		return cmp.Compare(k.hi, other.hi)
	}
	if k.lo != other.lo {
		return cmp.Compare(k.lo, other.lo)
	}
	if k.bits != other.bits {
		return cmp.Compare(k.bits, other.bits)
	}
	return cmp.Compare(k.index, other.index)
}

// order returns the n networks that at names, sorted: IPv4 first, by
// address, a wider network before what lies in it, and equal ones by their
// index. This is netip.Prefix.Compare, with a tie-break.
func order(n int, at func(int) (netip.Prefix, bool)) []sortKey {
	keys := make([]sortKey, 0, n)
	for i := range n {
		if p, ok := at(i); ok {
			keys = append(keys, newSortKey(p, i))
		}
	}
	slices.SortFunc(keys, sortKey.compare)
	return keys
}

// covers reports whether outer contains all of inner.
func covers(outer, inner netip.Prefix) bool {
	return outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr())
}

// nest is the chain of networks around the current one, widest first,
// during a walk in the order of order.
type nest []*Entry

// enter leaves the networks that do not contain p.
func (n nest) enter(p netip.Prefix) nest {
	for len(n) > 0 && !covers(n[len(n)-1].Prefix, p) {
		n = n[:len(n)-1]
	}
	return n
}

// without returns the entry of n that makes e needless: one that contains
// it, lasts as long and says the same, with nothing between the two that
// says otherwise. It returns nil if e matters.
func (n nest) without(e *Entry) *Entry {
	for i := len(n) - 1; i >= 0 && n[i].Watch == e.Watch; i-- {
		if n[i].outlives(e) {
			return n[i]
		}
	}
	return nil
}
