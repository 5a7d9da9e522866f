// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"testing"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// Hints of bans that are gone are cleared away; those of bans in force and
// of scored sources stay, whichever half the program reads.
func TestHintsAreRenewedWithoutALoss(t *testing.T) {
	r := newRig(t, enforcing())
	ban := func(addr netip.Addr, grade event.Grade) {
		t.Helper()
		if err := r.AddBan(event.Ban{Source: netip.PrefixFrom(addr, addr.BitLen()), Grade: grade}); err != nil {
			t.Fatal(err)
		}
	}
	ban(scanner4, event.Manual)
	ban(scanner6, event.Blind)
	known := netip.MustParseAddr("192.0.2.99")
	for _, port := range []uint16{81, 82} {
		r.run(packet.Connect(known, host4, port).Bytes())
	}
	halves := make(map[uint32]bool)
	for range 3 {
		for i := range 5000 {
			addr := netip.AddrFrom4([4]byte{198, 51, byte(100 + i>>8), byte(i)})
			ban(addr, event.Manual)
			if _, err := r.RemoveBan(netip.PrefixFrom(addr, 32)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.DropExpired(); err != nil {
			t.Fatal(err)
		}
		gate, err := r.gate()
		if err != nil {
			t.Fatal(err)
		}
		halves[gate.HintHalf] = true
		h, err := r.tableHints()
		if err != nil {
			t.Fatal(err)
		}
		if n := h.ones(gate.HintHalf); n > 100 {
			t.Errorf("%d hints after all but two bans were lifted", n)
		}
		for frame, want := range map[string]string{
			string(packet.Connect(scanner4, host4, 80).Bytes()): "drop banned",
			string(packet.Connect(scanner6, host6, 80).Bytes()): "drop banned",
			string(packet.Connect(known, host4, 81).Bytes()):    "pass repeated",
		} {
			if got := r.verdict([]byte(frame)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	if len(halves) != 2 {
		t.Errorf("the hints were never renewed")
	}
}

// An address that becomes one to protect is let through at once.
func TestProtectingLiftsABlindBan(t *testing.T) {
	r := newRig(t, enforcing())
	if err := r.AddBan(event.Ban{Source: netip.PrefixFrom(scanner4, 32), Grade: event.Blind}); err != nil {
		t.Fatal(err)
	}
	syn := packet.Connect(scanner4, host4, 80).Bytes()
	if got := r.verdict(syn); got != "drop banned" {
		t.Fatal(got)
	}
	if err := r.SetHost(Host{Own: []netip.Addr{host4, host6}, Protected: []netip.Addr{scanner4}}); err != nil {
		t.Fatal(err)
	}
	if got := r.verdict(syn); got != "pass counted" {
		t.Error(got)
	}
}
