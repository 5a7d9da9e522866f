// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"testing"
	"time"

	"denmap/bpf"
	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// banned puts a manual ban in force.
func banned(t *testing.T, r *rig, source string) netip.Prefix {
	t.Helper()
	p := netip.MustParsePrefix(source)
	if err := r.AddBan(event.Ban{Source: p, Grade: event.Manual}); err != nil {
		t.Fatal(err)
	}
	return p
}

func dropped(t *testing.T, r *rig, source netip.Prefix) uint64 {
	t.Helper()
	ban, found, err := r.Ban(source)
	if err != nil || !found {
		t.Fatalf("ban of %v: %v, %v", source, found, err)
	}
	return ban.Dropped
}

// TestBansAtWorkAreCountedAndLifted: a ban counts every packet, wherever the
// count is at the moment, and none is dropped once it is lifted.
func TestBansAtWorkAreCountedAndLifted(t *testing.T) {
	for _, source := range []string{"203.0.113.7/32", "2001:db8:bad::/64", "2001:db8:bad::7/128"} {
		r := newRig(t, enforcing())
		ban := banned(t, r, source)
		src, dst := scanner4, host4
		if ban.Addr().Is6() {
			src, dst = scanner6, host6
		}
		frame := packet.Connect(src, dst, 1000).Bytes()
		for n := range uint64(11) {
			if got := r.verdict(frame); got != "drop banned" {
				t.Fatalf("%s: packet %d: %q", source, n, got)
			}
			if got := dropped(t, r, ban); got != n+1 {
				t.Errorf("%s: %d packets counted of %d", source, got, n+1)
			}
			if n%3 == 2 {
				r.advance(time.Second) // its end is due to be looked at
			}
		}
		if bans, err := r.Bans(); err != nil || len(bans) != 1 || bans[0].Dropped != 11 {
			t.Errorf("%s: %+v, %v", source, bans, err)
		}
		if found, err := r.RemoveBan(ban); err != nil || !found {
			t.Fatal(found, err)
		}
		if got := r.verdict(frame); got == "drop banned" {
			t.Errorf("%s: dropped after the ban was lifted", source)
		}
		banned(t, r, source)
		for n := range uint64(2) {
			if got := dropped(t, r, ban); got != n {
				t.Errorf("%s: the new ban has %d packets, %d were dropped", source, got, n)
			}
			if got := r.verdict(frame); got != "drop banned" {
				t.Errorf("%s: %q after it was banned again", source, got)
			}
		}
	}
}

// TestBansAtWorkShareSlots: many more addresses than slots lose no count, in
// turn or after a silence.
func TestBansAtWorkShareSlots(t *testing.T) {
	r := newRig(t, enforcing())
	const addresses = 3 * bpf.ScanLayoutSTOP_SLOTS
	ban := banned(t, r, "2001:db8:bad::/64")
	var frames [][]byte
	for i := range addresses {
		b := scanner6.As16()
		b[14], b[15] = byte(i>>8), byte(i)
		frames = append(frames, packet.Connect(netip.AddrFrom16(b), host6, 1000).Bytes())
	}
	sent := uint64(0)
	for round := range 4 {
		for _, frame := range frames {
			for range 2 {
				if got := r.verdict(frame); got != "drop banned" {
					t.Fatalf("round %d: %q", round, got)
				}
				sent++
			}
		}
		if got := dropped(t, r, ban); got != sent {
			t.Fatalf("round %d: %d packets counted of %d", round, got, sent)
		}
		r.advance(time.Second)
	}
	working, err := r.stops()
	if err != nil || len(working) == 0 {
		t.Errorf("no slot counts anything: %v", err)
	}
}
