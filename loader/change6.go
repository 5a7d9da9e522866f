// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"

	"github.com/cilium/ebpf"

	"denmap/bpf"
)

// change6 is what a table of IPv6 entries lacks, and has too many. No key is
// in both.
type change6 struct {
	put  *entries6
	gone []listKey
}

// fewTimes is how many times as many lines a list must have as there are
// between the first and the last that differ, for a table not to be read.
const fewTimes = 4

// changeTo returns the change from one list to another. It looks at each
// line once, and longer only at those between the first and the last that
// differ. When they are many it says false: reading the table is faster.
func (e *entries6) changeTo(want *entries6) (c change6, ok bool) {
	first, behind := e.shared(want)
	sides := []*entries6{e, want}
	n := 0
	for _, side := range sides {
		n += len(side.keys) - behind - first
	}
	if c.put = newEntries6(0); n == 0 || fewTimes*n > len(e.keys) {
		return c, n == 0
	}
	touched := make(map[listKey]struct{}, n)
	for _, side := range sides {
		for _, key := range side.keys[first : len(side.keys)-behind] {
			touched[key] = struct{}{}
		}
	}
	before, after := e.flagsOf(touched), want.flagsOf(touched)
	for key := range touched {
		switch flags := after[key]; {
		case flags == before[key]:
		case flags == 0:
			c.gone = append(c.gone, key)
		default:
			c.put.put(key, flags)
		}
	}
	return c, true
}

// shared returns how many lines two lists begin and end with in common.
func (e *entries6) shared(want *entries6) (first, behind int) {
	n, m := len(e.keys), len(want.keys)
	for first < min(n, m) && e.keys[first] == want.keys[first] && e.flags[first] == want.flags[first] {
		first++
	}
	for behind < min(n, m)-first && e.keys[n-1-behind] == want.keys[m-1-behind] && e.flags[n-1-behind] == want.flags[m-1-behind] {
		behind++
	}
	return first, behind
}

// flagsOf returns the flags that count of some keys. One that is not there
// has none.
func (e *entries6) flagsOf(some map[listKey]struct{}) map[listKey]bpf.ScanListFlags {
	out := make(map[listKey]bpf.ScanListFlags, len(some))
	for i, key := range e.keys {
		if _, ok := some[key]; ok {
			out[key] = e.flags[i]
		}
	}
	return out
}

// readChange6 compares a table, which may be nil, with what is wanted.
func readChange6(table *ebpf.Map, want *entries6) (c change6, err error) {
	if table == nil {
		return change6{put: want}, nil
	}
	left := make(map[listKey]bpf.ScanListFlags, len(want.keys)) // 0: is there
	for i, key := range want.keys {
		left[key] = want.flags[i]
	}
	same := 0
	err = eachEntry6(table, func(key listKey, flags bpf.ScanListFlags) {
		if wanted, ok := left[key]; !ok {
			c.gone = append(c.gone, key)
		} else if wanted == flags {
			left[key] = 0
			same++
		}
	})
	if err != nil {
		return c, fmt.Errorf("read IPv6 entries in force: %w", err)
	}
	c.put = newEntries6(len(left) - same)
	for key, flags := range left {
		if flags != 0 {
			c.put.put(key, flags)
		}
	}
	return c, nil
}

// eachEntry6 reads a table in batches, several times faster than one by
// one.
func eachEntry6(table *ebpf.Map, each func(listKey, bpf.ScanListFlags)) error {
	var cursor ebpf.MapBatchCursor
	keys, values := make([]listKey, batchSize), make([]bpf.ScanListFlags, batchSize)
	for {
		n, err := table.BatchLookup(&cursor, keys, values, nil)
		for i := range n {
			each(keys[i], values[i])
		}
		if notFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
