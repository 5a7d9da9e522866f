// SPDX-License-Identifier: MIT

package loader

import (
	"slices"

	"denmap/bpf"
)

// banPrefixes are the lengths of IPv6 prefixes that a program looks bans up
// by, longest first; 0 ends them.
type banPrefixes [bpf.ScanLayoutBAN_PREFIXES]uint8

// prefixes puts the present length in order with older ones, of which the
// first come first where there are too many.
func prefixes(present int, older ...int) (out banPrefixes) {
	var lengths []uint8
	for _, n := range append([]int{present}, older...) {
		if n > 0 && n < 128 && !slices.Contains(lengths, uint8(n)) && len(lengths) < len(out) {
			lengths = append(lengths, uint8(n))
		}
	}
	slices.Sort(lengths)
	slices.Reverse(lengths)
	copy(out[:], lengths)
	return out
}

// banPrefixes returns what a program must look up to enforce every ban:
// the present length, the one in force until now, under which an old program
// may give bans for another moment, and those of the bans that there are.
func (k *Kernel) banPrefixes() (banPrefixes, error) {
	given := make(map[int]int)
	for _, table := range []string{"bans", "blind_bans"} {
		err := k.walkKeys(table, func(key bpf.ScanPrefix) {
			if p := prefixFrom(key); p.Addr().Is6() {
				given[p.Bits()]++
			}
		})
		if err != nil {
			return banPrefixes{}, err
		}
	}
	older := []int{k.prefixBefore}
	for n := range given {
		older = append(older, n)
	}
	slices.SortStableFunc(older[1:], func(a, b int) int { return given[b] - given[a] })
	return prefixes(k.settings.IPv6Prefix, older...), nil
}
