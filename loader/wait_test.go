// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"testing"
	"time"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// follow is the next packet of the connection that syn opens.
func follow(syn packet.TCP, flags byte, payload string) packet.TCP {
	syn.Flags, syn.Seq, syn.Ack, syn.Options = flags, syn.Seq+1, 0x77, packet.Timestamp
	syn.Payload = []byte(payload)
	return syn
}

func behindNAT(t *testing.T) *rig {
	r := newRig(t, enforcing())
	if err := r.SetHost(Host{Own: []netip.Addr{host4, host6}, NAT: true}); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestClientsOfPublishedPortsAreNoScanners(t *testing.T) {
	for _, src := range []netip.Addr{scanner4, scanner6} {
		r := behindNAT(t)
		var syns []packet.TCP
		for port := range uint16(16) {
			syn := packet.Connect(src, host(src), 8000+port)
			syn.SrcPort = 40000 + port
			syns = append(syns, syn)
			if got := r.verdict(syn.Bytes()); got != "pass waiting" {
				t.Fatalf("SYN to port %d: %q", syn.DstPort, got)
			}
		}
		for i, syn := range syns {
			next := follow(syn, packet.ACK, "")
			if i%2 == 0 {
				next.Options = nil // as Windows sends it
			}
			if got := r.verdict(next.Bytes()); got != "pass established" {
				t.Fatalf("handshake ACK to port %d: %q", syn.DstPort, got)
			}
		}
		for _, syn := range syns {
			data := follow(syn, packet.ACK|packet.PSH, "GET /")
			r.run(data.Bytes())
		}
		r.advance(10 * time.Second)
		if got := r.verdict(packet.Connect(src, host(src), 9000).Bytes()); got != "pass waiting" {
			t.Fatalf("a port more, when the others have long been answered: %q", got)
		}
		r.advance(10 * time.Second)
		for _, syn := range syns {
			if got := r.verdict(syn.Bytes()); got != "pass open" {
				t.Errorf("port %d is not remembered as published: %q", syn.DstPort, got)
			}
		}
		if got := r.drain(); len(got) != 0 {
			t.Errorf("events: %+v", got)
		}
	}
}

func TestScansThroughNATAreFound(t *testing.T) {
	for _, row := range []struct {
		name   string
		gap    time.Duration
		passed int // at most, before the first drop
	}{
		// 16 wait, each further one settles the oldest.
		{"at full speed", 0, 24},
		// Up to four seconds' worth waits.
		{"one a second", time.Second, 13},
		{"nmap -T1", 15 * time.Second, 9},
	} {
		r := behindNAT(t)
		passed := 0
		for port := range uint16(60) {
			syn := packet.Connect(scanner4, host4, 1000+port)
			if r.run(syn.Bytes()) == xdpDrop {
				break
			}
			rst := follow(syn, packet.RST, "")
			r.run(rst.Bytes()) // half-open scanners reset what is open
			passed++
			r.advance(row.gap)
		}
		if passed > row.passed {
			t.Errorf("%s: %d passed, want at most %d", row.name, passed, row.passed)
		}
		if got := r.drain(); len(got) != 2 || got[1].Kinds.Names()[0] != "connect" {
			t.Errorf("%s: events %+v", row.name, got)
		}
	}
}

func TestForeignDestinations(t *testing.T) {
	mine := packet.Connect(scanner4, foreign4, 80)
	other := mine
	other.DstMAC = [6]byte{2, 0, 0, 0, 0, 9}
	for _, row := range []struct {
		name    string
		bridged bool
		frame   packet.TCP
		want    string
	}{
		{"routed", false, mine, "pass waiting"},
		{"bridged", true, other, "pass waiting"},
		{"stray", false, other, "pass foreign"},
	} {
		r := newRig(t, RunnerOptions{Settings: defaults(), Bridged: row.bridged})
		r.listen("0.0.0.0:0") // a wildcard listener vouches for nobody else
		if got := r.verdict(row.frame.Bytes()); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestOutOfSequenceIsNoAnswer(t *testing.T) {
	r := behindNAT(t)
	syn := packet.Connect(scanner4, host4, 8000)
	r.run(syn.Bytes())
	forged := follow(syn, packet.ACK|packet.PSH, "x")
	forged.Seq += 1 << 30
	r.run(forged.Bytes())
	if got := r.verdict(packet.Connect(netip.MustParseAddr("192.0.2.1"), host4, 8000).Bytes()); got != "pass waiting" {
		t.Errorf("a forged answer published the port: %q", got)
	}
}

func TestWaitingProbesBelongToTheirSender(t *testing.T) {
	r := newRig(t, enforcing())
	if err := r.SetHost(Host{Own: []netip.Addr{host6}, NAT: true}); err != nil {
		t.Fatal(err)
	}
	for port := range uint16(12) {
		r.run(packet.Connect(scanner6, host6, 1000+port).Bytes())
	}
	r.advance(4 * time.Second)
	if got := r.verdict(packet.Connect(neighbour, host6, 80).Bytes()); got != "pass waiting" {
		t.Errorf("a neighbour's first SYN: %q", got)
	}
	if got := r.drain(); len(got) != 0 {
		t.Errorf("events: %+v", got)
	}
	if err := r.Settle(); err != nil {
		t.Fatal(err)
	}
	if got := r.verdict(packet.Connect(scanner6, host6, 80).Bytes()); got != "drop banned" {
		t.Errorf("the scanner's next SYN: %q", got)
	}
	if got := r.verdict(packet.Connect(neighbour, host6, 81).Bytes()); got != "pass waiting" {
		t.Errorf("the neighbour's next SYN: %q", got)
	}
}

// TestScanThatStopsIsSettled: what waits is scored without another packet of
// its source, once, with its own time and ports.
func TestScanThatStopsIsSettled(t *testing.T) {
	r := behindNAT(t)
	for port := range uint16(12) {
		if got := r.verdict(packet.Connect(scanner4, host4, 1000+port).Bytes()); got != "pass waiting" {
			t.Fatalf("port %d: %q", 1000+port, got)
		}
	}
	settle := func() []event.Detection {
		t.Helper()
		if err := r.Settle(); err != nil {
			t.Fatal(err)
		}
		return r.drain()
	}
	r.advance(2 * time.Second)
	if got := settle(); len(got) != 0 {
		t.Errorf("too early: %+v", got)
	}
	r.advance(2 * time.Second)
	got := settle()
	if len(got) != 2 || got[0].Verdict != event.VerdictAlert || got[1].Verdict != event.VerdictBan {
		t.Fatalf("events: %+v", got)
	}
	if d := got[1]; d.Source.Addr() != scanner4 || d.Destination != host4 || d.Transport != "tcp" || d.IfIndex != 1 || d.Ports[0] != 1007 || d.Main != event.Connect {
		t.Errorf("the ban says %+v", d)
	}
	if got := settle(); len(got) != 0 {
		t.Errorf("again: %+v", got)
	}
}

func TestAllowedSourcesAreNotSettled(t *testing.T) {
	r := behindNAT(t)
	for port := range uint16(12) {
		r.run(packet.Connect(scanner4, host4, 1000+port).Bytes())
	}
	if _, err := r.SyncList(Allow, []ListEntry{{Prefix: netip.PrefixFrom(scanner4, 32)}}, nil); err != nil {
		t.Fatal(err)
	}
	r.advance(4 * time.Second)
	if err := r.Settle(); err != nil {
		t.Fatal(err)
	}
	if got := r.drain(); len(got) != 0 {
		t.Errorf("events: %+v", got)
	}
}

func TestBlindBanUnderNATCutsAndProlongsNothing(t *testing.T) {
	r := behindNAT(t)
	for port := range uint16(4) {
		r.run(packet.Nmap(scanner4, host4, 1000+port).Bytes())
	}
	before, found, err := r.Ban(netip.PrefixFrom(scanner4, 32))
	if err != nil || !found {
		t.Fatal(found, err)
	}
	r.advance(time.Minute)
	ack := packet.NmapFlags(scanner4, host4, 8000, packet.ACK)
	ack.Window = 500
	if got := r.verdict(ack.Bytes()); got != "pass answer" {
		t.Errorf("bare ACK of a translated connection: %q", got)
	}
	if got := r.verdict(packet.Connect(scanner4, host4, 8000).Bytes()); got != "drop banned" {
		t.Errorf("SYN: %q", got)
	}
	after, _, err := r.Ban(netip.PrefixFrom(scanner4, 32))
	if err != nil || after.Until.Sub(after.Since) != before.Until.Sub(before.Since) {
		t.Errorf("a retry to a published port made the ban %v long", after.Until.Sub(after.Since))
	}
}
