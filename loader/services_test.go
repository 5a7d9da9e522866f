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

func TestServiceThatIsGone(t *testing.T) {
	r := newRig(t, enforcing())
	if got := r.verdict(packet.Connect(scanner4, host4, 8443).Bytes()); got != "pass counted" {
		t.Fatal(got)
	}
	port := r.listen("198.51.100.1:0")
	syn := packet.Connect(netip.MustParseAddr("192.0.2.9"), host4, port).Bytes()
	if got := r.verdict(syn); got != "pass open" {
		t.Fatal(got)
	}
	if err := r.maps["listened"].Put(uint32(8080), bpf.ScanListener{Second: uint32(r.now.Seconds())}); err != nil {
		t.Fatal(err)
	}
	gone := packet.Connect(scanner4, host4, 8080).Bytes()
	if got := r.verdict(gone); got != "pass service-gone" {
		t.Error(got)
	}
	r.advance(24*time.Hour + time.Second)
	if got := r.verdict(gone); got != "pass counted" {
		t.Errorf("a day later: %q", got)
	}
}

// TestNotedServices: a service that user space knew of, and nobody asked
// for, is remembered for a day, also from before the boot.
func TestNotedServices(t *testing.T) {
	r := newRig(t, enforcing())
	boot := readClock()
	r.advance(time.Duration(boot.boot) - r.now) // the loader's clock is the kernel's
	day := time.Now().Add(-24*time.Hour + 10*time.Second)
	before := []event.Service{{Port: 8001}, {UDP: true, Port: 8002}, {Port: 8003, Seen: day}, {Port: 8004, Seen: day.Add(-time.Minute)}}
	if err := r.NoteServices(before); err != nil {
		t.Fatal(err)
	}
	syn := func(port uint16) string { return r.verdict(packet.Connect(scanner4, host4, port).Bytes()) }
	datagram := packet.Connect(scanner4, host4, 8002)
	for _, row := range [][2]string{
		{syn(8001), "pass service-gone"}, {syn(8003), "pass service-gone"}, {syn(8004), "pass counted"},
		{r.verdict(datagram.UDP([]byte("x"))), "pass service-gone"},
	} {
		if row[0] != row[1] {
			t.Errorf("%q, want %q", row[0], row[1])
		}
	}
	got, err := r.Services()
	if err != nil || len(got) != 3 || got[0].Port != 8001 || time.Since(got[0].Seen).Abs() > 2*time.Second || got[1].Seen.Sub(day).Abs() > 2*time.Second || !got[2].UDP {
		t.Errorf("services %+v, %v", got, err)
	}
	r.advance(time.Minute)
	if got := syn(8003); got == "pass service-gone" {
		t.Error("a service of more than a day ago is still spared")
	}
}
