// SPDX-License-Identifier: MIT

package loader

import "testing"

func TestPrefixesInOrder(t *testing.T) {
	for _, row := range []struct {
		present int
		older   []int
		want    banPrefixes
	}{
		{64, nil, banPrefixes{64}},
		{128, nil, banPrefixes{}},
		{64, []int{0, 64, 128}, banPrefixes{64}},
		{56, []int{64, 48, 56, 64}, banPrefixes{64, 56, 48}},
		{32, []int{127, 40, 64, 80, 96}, banPrefixes{127, 64, 40, 32}},
	} {
		if got := prefixes(row.present, row.older...); got != row.want {
			t.Errorf("%d after %v: %v, want %v", row.present, row.older, got, row.want)
		}
	}
}
