// SPDX-License-Identifier: MIT

package loader

import (
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"denmap/bpf"
)

func entriesOf(lines []ListEntry) *entries6 {
	out := newEntries6(len(lines))
	for _, e := range lines {
		out.add(e)
	}
	return out
}

// table is what a table holds that was filled with these lines.
func (e *entries6) table() map[listKey]bpf.ScanListFlags {
	out := make(map[listKey]bpf.ScanListFlags)
	for i, key := range e.keys {
		out[key] = e.flags[i]
	}
	return out
}

// Applied to what a list was, a change makes what it is to be, with
// duplicates of either kind, and never touches what stays.
func TestChangeLeadsFromOneListToAnother(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := rand.New(rand.NewPCG(seed, 0))
	line := func() ListEntry {
		addr := netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(c.IntN(40))})
		return ListEntry{Prefix: netip.PrefixFrom(addr, 128), Watch: c.IntN(2) == 0}
	}
	lines := make([]ListEntry, 60)
	known := 0
	for i := range lines {
		lines[i] = line()
	}
	for range 5000 {
		next := slices.Clone(lines)
		for range c.IntN(3) {
			i := c.IntN(len(next) + 1)
			switch c.IntN(3) {
			case 0:
				next = slices.Insert(next, i, line())
			case 1:
				next = slices.Delete(next, min(i, len(next)), min(i+1, len(next)))
			case 2:
				if i < len(next) {
					next[i] = line()
				}
			}
		}
		before, want := entriesOf(lines), entriesOf(next)
		change, ok := before.changeTo(want)
		if !ok {
			lines = next
			continue // so much that the table is read
		}
		known++
		held := before.table()
		for i, key := range change.put.keys {
			if held[key] == change.put.flags[i] {
				t.Fatalf("%v to %v puts %v again", lines, next, key)
			}
			held[key] = change.put.flags[i]
		}
		for _, key := range change.gone {
			if _, ok := held[key]; !ok {
				t.Fatalf("%v to %v deletes %v, which is not there", lines, next, key)
			}
			delete(held, key)
		}
		if wanted := want.table(); !maps.Equal(held, wanted) {
			t.Fatalf("%v to %v: the table holds %v, want %v", lines, next, held, wanted)
		}
		lines = next
	}
	if known < 500 {
		t.Errorf("%d of 5000 changes were found without the table", known)
	}
}

// What another process did to a list meanwhile is seen, and undone.
func TestListThatAnotherProcessChanged(t *testing.T) {
	dir := bpfDir(t)
	k := mustOpen(t, dir)
	defer k.Close(false)
	other, err := OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	one := netip.MustParsePrefix("2001:db8::1/128")
	two := netip.MustParsePrefix("2001:db8::2/128")
	sync := func(s *State, prefixes ...netip.Prefix) (written int) {
		t.Helper()
		var lines []ListEntry
		for _, p := range prefixes {
			lines = append(lines, ListEntry{Prefix: p})
		}
		written, err := s.SyncList(Deny, lines, nil)
		if err != nil {
			t.Fatal(err)
		}
		return written
	}
	check := func(prefix netip.Prefix, want bool) {
		t.Helper()
		if got, _, err := k.Listed(Deny, prefix.Addr()); err != nil || got != want {
			t.Errorf("%s listed: %v, %v; want %v", prefix, got, err, want)
		}
	}
	sync(k.State, one)
	sync(other, two)
	if n := sync(k.State, one); n != 2 {
		t.Errorf("%d entries written, want 2: one put back, one deleted", n)
	}
	check(one, true)
	check(two, false)
	if n := sync(k.State, one); n != 0 {
		t.Errorf("%d entries written, want none", n)
	}
	// The other list's changes are this State's own: nothing is forgotten.
	if _, err := k.SyncList(Allow, []ListEntry{{Prefix: two}}, nil); err != nil {
		t.Fatal(err)
	}
	if before, err := k.recall(Deny); err != nil || before == nil {
		t.Errorf("the deny list is unknown after a change of the allow list: %v", err)
	}
}
