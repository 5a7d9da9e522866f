// SPDX-License-Identifier: MIT

package loader

import (
	"slices"

	"denmap/bpf"
)

// banPrefixes are the lengths of IPv6 prefixes that a program looks bans up
// by, longest first; 0 ends them.
type banPrefixes [bpf.ScanLayoutBAN_PREFIXES]uint8

// prefixes puts the present length in order with older ones. Where there
// are too many, the first come first and the others are left over.
func prefixes(present int, older ...int) (out banPrefixes, left []int) {
	var lengths []uint8
	for _, n := range append([]int{present}, older...) {
		switch {
		case n <= 0 || n >= 128 || slices.Contains(lengths, uint8(n)):
		case len(lengths) < len(out):
			lengths = append(lengths, uint8(n))
		default:
			left = append(left, n)
		}
	}
	slices.Sort(lengths)
	slices.Reverse(lengths)
	copy(out[:], lengths)
	return out, left
}

// banPrefixes returns what a program must look up to enforce every ban:
// the present length, the one in force until now, under which an old program
// may give bans for another moment, and those of the bans that there are.
// What there is no room for is left for Overlooked to tell.
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
	looked, left := prefixes(k.settings.IPv6Prefix, older...)
	k.nameMu.Lock()
	defer k.nameMu.Unlock()
	k.overlooked = left
	return looked, nil
}

// Overlooked returns the lengths of IPv6 prefixes whose bans the programs
// had no room to look up when they were loaded: those bans stop nothing.
// detect.ipv6_prefix must have changed often for that.
func (k *Kernel) Overlooked() []int {
	k.nameMu.Lock()
	defer k.nameMu.Unlock()
	return slices.Clone(k.overlooked)
}
