// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"testing"

	"denmap/testenv/packet"
)

// scattered returns addresses in n networks /16, each in a /24 that depends
// on shift.
func scattered(n, shift int) (out []netip.Addr) {
	for i := range n {
		out = append(out, netip.AddrFrom4([4]byte{byte(16 + i/256), byte(i), byte(i*7 + shift), byte(i * 13)}))
	}
	return out
}

// TestMarksFollowTheSet makes a list big enough to be marked, changes it,
// and makes it small again, with each address looked up by the program.
func TestMarksFollowTheSet(t *testing.T) {
	r := newRig(t, enforcing())
	for _, step := range []struct {
		networks, shift int
		marked          bool
	}{
		{100, 0, false},
		{markedFrom, 0, true},
		{2 * markedFrom, 1, true},
		{2 * markedFrom, 2, true},
		{markedFrom / 2, 2, true},
		{markedFrom/2 - 1, 3, false},
		{markedFrom, 4, true},
	} {
		listed := scattered(step.networks, step.shift)
		// Of a whole /16 the root says all, and no mark is looked at.
		whole := netip.PrefixFrom(netip.AddrFrom4([4]byte{203, byte(step.shift), 0, 0}), 16)
		entries := []ListEntry{{Prefix: whole}}
		for _, a := range listed {
			entries = append(entries, ListEntry{Prefix: netip.PrefixFrom(a, 32)})
		}
		if _, err := r.SyncList(Deny, entries, nil); err != nil {
			t.Fatal(err)
		}
		for _, a := range append(listed, whole.Addr().Next()) {
			if r.run(packet.Connect(a, host4, 80).Bytes()) != xdpDrop {
				t.Fatalf("%d networks, shift %d: %s passes", step.networks, step.shift, a)
			}
			if on, _, err := r.Listed(Deny, a); err != nil || !on {
				t.Fatalf("%d networks, shift %d: %s is not listed: %v", step.networks, step.shift, a, err)
			}
		}
		for _, a := range scattered(step.networks, step.shift+8) {
			if r.run(packet.Connect(a, host4, 80).Bytes()) == xdpDrop {
				t.Fatalf("%d networks, shift %d: %s, in another /24, is dropped", step.networks, step.shift, a)
			}
		}
		if marked := r.checkMarks(); marked != step.marked {
			t.Errorf("%d networks: marked is %v, want %v", step.networks, marked, step.marked)
		}
	}
}

// checkMarks reports whether the deny list is marked, and fails if a /23 is
// marked in vain.
func (r *rig) checkMarks() bool {
	r.t.Helper()
	sets, err := r.openSets(Deny)
	if err != nil {
		r.t.Fatal(err)
	}
	defer sets.close()
	if !sets.marks.isMarked(0) {
		return false
	}
	values, err := sets.readRoots(0)
	if err != nil {
		r.t.Fatal(err)
	}
	want, err := sets.marksOf(values)
	if err != nil {
		r.t.Fatal(err)
	}
	for root, value := range values {
		got, err := sets.marks.read(0, root)
		if err != nil || (value >= firstRoot && got != want[root]) {
			r.t.Fatalf("the marks of root %d are %x, want %x: %v", root, got, want[root], err)
		}
	}
	return true
}
