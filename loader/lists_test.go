// SPDX-License-Identifier: MIT

package loader

import (
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"

	"denmap/testenv/packet"
)

// longest is what SyncList promises, in the plainest way.
func longest(entries []ListEntry, addr netip.Addr) (listed, watch bool) {
	best := -1
	for _, e := range entries {
		if e.Prefix.Contains(addr) && e.Prefix.Bits() >= best {
			best, listed, watch = e.Prefix.Bits(), true, e.Watch
		}
	}
	return listed, watch
}

// someEntries are nested and crowded: a few /16 and /32, all lengths.
func someEntries(c *rand.Rand, n int) []ListEntry {
	out := make([]ListEntry, n)
	for i := range out {
		addr := netip.AddrFrom4([4]byte{198, byte(18 + c.IntN(2)), byte(c.IntN(4)), byte(c.IntN(256))})
		bits := 15 + c.IntN(18)
		if c.IntN(2) == 0 {
			addr = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, byte(c.IntN(3)), 0, byte(c.IntN(3)), 15: byte(c.IntN(4))})
			bits = []int{0, 12, 16, 28, 31, 32, 33, 40, 47, 48, 49, 63, 64, 65, 96, 127, 128, 128}[c.IntN(18)]
			if bits < 28 && c.IntN(4) > 0 {
				bits = 128
			}
		}
		prefix, err := addr.Prefix(bits)
		if err != nil {
			panic(err)
		}
		out[i] = ListEntry{Prefix: prefix, Watch: c.IntN(3) == 0}
	}
	return out
}

// Whatever the lists held before, they then hold what they should, and the
// program and Listed agree on it.
func TestListsAreWhatWasAskedFor(t *testing.T) {
	r := newRig(t, enforcing())
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := rand.New(rand.NewPCG(seed, 0))
	var entries []ListEntry
	for round := range 60 {
		switch c.IntN(4) {
		case 0:
			entries = someEntries(c, c.IntN(60))
		case 1:
			if len(entries) > 0 {
				entries = append([]ListEntry{}, entries[:c.IntN(len(entries))]...)
			}
		default:
			entries = append(append([]ListEntry{}, entries...), someEntries(c, 1+c.IntN(3))...)
		}
		list := []ListName{Allow, Deny}[round/20%2]
		for _, l := range []ListName{Allow, Deny} {
			want := entries
			if l != list {
				want = nil
			}
			if _, err := r.SyncList(l, want, nil); err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
		}
		for range 40 {
			addr := someEntries(c, 1)[0].Prefix.Addr()
			r.checkListed(list, entries, addr)
		}
		for _, e := range entries {
			r.checkListed(list, entries, e.Prefix.Addr())
		}
		if t.Failed() {
			t.Fatalf("round %d: %s list is %v", round, list, entries)
		}
	}
}

func (r *rig) checkListed(list ListName, entries []ListEntry, addr netip.Addr) {
	r.t.Helper()
	listed, watch := longest(entries, addr)
	watch = watch && list == Allow
	got, gotWatch, err := r.Listed(list, addr)
	if err != nil || got != listed || (list == Allow && gotWatch != watch) {
		r.t.Errorf("Listed(%s, %s) = %v, %v, %v; want %v, %v", list, addr, got, gotWatch, err, listed, watch)
	}
	dst := host4
	if addr.Is6() {
		dst = host6
	}
	frame := packet.Connect(addr, dst, 80)
	frame.Flags, frame.Payload = packet.ACK, []byte("data")
	want := "pass established"
	switch {
	case listed && list == Deny:
		want = "drop denied"
	case listed && !watch:
		want = "pass allowed"
	}
	if verdict := r.verdict(frame.Bytes()); verdict != want {
		r.t.Errorf("%s: %q, want %q", addr, verdict, want)
	}
}

// However a list changes around an address, an entry that stays, or is
// replaced by another one that covers it, holds at every moment.
func TestNoMomentWithoutTheList(t *testing.T) {
	for _, src := range []netip.Addr{netip.MustParseAddr("198.18.1.77"), netip.MustParseAddr("2001:db8:0:1::77")} {
		r := newRig(t, enforcing())
		around := someEntries(rand.New(rand.NewPCG(7, 7)), 3000)
		var covers []ListEntry
		for _, bits := range []int{src.BitLen(), src.BitLen() - 5, 24, 17} {
			prefix, err := src.Prefix(bits)
			if err != nil {
				t.Fatal(err)
			}
			covers = append(covers, ListEntry{Prefix: prefix})
		}
		sync := func(round int) error {
			n := round * 997 % len(around)
			_, err := r.SyncList(Deny, append(append([]ListEntry{}, around[:n]...), covers[round%len(covers)]), nil)
			return err
		}
		if err := sync(0); err != nil {
			t.Fatal(err)
		}
		dst := host4
		if src.Is6() {
			dst = host6
		}
		frame := packet.Connect(src, dst, 80).Bytes()
		var done atomic.Bool
		failed := make(chan error, 1)
		go func() {
			defer done.Store(true)
			for round := range 150 {
				if err := sync(round); err != nil {
					failed <- err
					return
				}
			}
			failed <- nil
		}()
		packets := 0
		for !done.Load() {
			if r.run(frame) != xdpDrop {
				t.Fatalf("%s got through after %d packets", src, packets)
			}
			packets++
		}
		if err := <-failed; err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d packets", src, packets)
	}
}

func TestBigListsTakeMemoryOnlyWhileTheyAreBig(t *testing.T) {
	r := newRig(t, enforcing())
	var entries []ListEntry
	for i := range 100_000 {
		entries = append(entries, ListEntry{Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18 | byte(i>>16), byte(i >> 8), byte(i)}), 32)})
	}
	memory := func(want []ListEntry) uint64 {
		t.Helper()
		if _, err := r.SyncList(Deny, want, nil); err != nil {
			t.Fatal(err)
		}
		bytes, err := r.ListMemory()
		if err != nil {
			t.Fatal(err)
		}
		return bytes
	}
	small := memory(entries[:1])
	// Dense: 391 /24 of 32 bytes, or nothing where they are full.
	if big := memory(entries); big > 2<<20 || small > 1<<20 {
		t.Errorf("one entry takes %d bytes, 100,000 take %d", small, big)
	}
	for i := range 50 { // leaves nothing behind
		memory(entries[i*100:])
	}
	if again := memory(entries[:1]); again > small+512<<10 {
		t.Errorf("one entry took %d bytes, and %d after many changes", small, again)
	}
	if none := memory(nil); none != 0 {
		t.Errorf("an empty list takes %d bytes", none)
	}
}
