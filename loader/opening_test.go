// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"testing"
	"time"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// TestHalfOpenScansOfOpenPorts: what resets a handshake that it began with
// a header of no connect() is a scanner, also where every port is open.
func TestHalfOpenScansOfOpenPorts(t *testing.T) {
	for _, src := range []netip.Addr{scanner4, scanner6} {
		for name, flags := range map[string]byte{"RST": packet.RST, "RST+ACK": packet.RST | packet.ACK} {
			r := newRig(t, enforcing())
			for i := range 8 {
				syn := bareSYN(src, host(src), r.listen("[::]:0"))
				if got := r.verdict(syn.Bytes()); got != "pass open" {
					t.Fatalf("SYN %d: %q", i, got)
				}
				reset := follow(syn, flags, "")
				for range 2 { // the second says nothing new
					if got := r.verdict(reset.Bytes()); got != "pass counted" && got != "pass backscatter" {
						t.Fatalf("%s %d: %q", name, i, got)
					}
				}
			}
			events := r.drain()
			if len(events) != 2 || events[1].Verdict != event.VerdictBan || events[1].Score != 8 || events[1].Distinct != 8 ||
				events[1].Main != event.SYN || events[1].Grade != event.Blind {
				t.Errorf("%s: %+v, want an alert and a blind ban of a SYN scan after 8 probes", name, events)
			}
		}
	}
}

// TestCraftedSYNsAreCountedOnce: one that is sent again to the same open
// port is a retransmission like any other.
func TestCraftedSYNsAreCountedOnce(t *testing.T) {
	r := newRig(t, enforcing())
	syn := packet.Nmap(scanner4, host4, r.listen("[::]:0"))
	for range 20 {
		if r.run(syn.Bytes()) != xdpDrop {
			t.Fatal("it passes")
		}
	}
	if events := r.drain(); len(events) != 0 {
		t.Errorf("%+v, want nothing", events)
	}
	if got := r.counts()["drop crafted"]; got != 20 {
		t.Errorf("%d of 20 were dropped on sight", got)
	}
}

// TestCraftedSYNsToOpenPortsCount: dropped on sight, they fail; where they
// pass, their resets say the same.
func TestCraftedSYNsToOpenPortsCount(t *testing.T) {
	for _, monitor := range []bool{false, true} {
		o := enforcing()
		o.Monitor = monitor
		r := newRig(t, o)
		for range 8 {
			syn := packet.Nmap(scanner4, host4, r.listen("[::]:0"))
			r.run(syn.Bytes())
			if monitor {
				reset := follow(syn, packet.RST, "")
				r.run(reset.Bytes())
			}
		}
		events := r.drain()
		want := event.VerdictBan
		if monitor {
			want = event.VerdictWouldBan
		}
		if len(events) != 2 || events[1].Verdict != want || events[1].Score != 8 {
			t.Errorf("monitor %v: %+v, want an alert and verdict %v at score 8", monitor, events, want)
		}
	}
}

// TestHalfOpenChecksAreNoScans: load balancers check services by
// connections that they abort.
func TestHalfOpenChecksAreNoScans(t *testing.T) {
	check := func(r *rig, flags byte) {
		syn := packet.Connect(scanner4, host4, r.listen("[::]:0"))
		reset := follow(syn, flags, "")
		r.run(syn.Bytes())
		r.run(reset.Bytes())
	}
	r := newRig(t, enforcing())
	for range 10 {
		check(r, packet.RST)
		check(r, packet.RST|packet.ACK)
	}
	if sources, err := r.Sources(); err != nil || len(sources) > 0 {
		t.Errorf("a source that never failed: %+v, %v", sources, err)
	}
	for port := range uint16(2) {
		r.run(packet.Connect(scanner4, host4, 7000+port).Bytes())
	}
	for range 10 {
		check(r, packet.RST|packet.ACK) // as a client's own kernel resets
	}
	if events := r.drain(); len(events) > 0 {
		t.Errorf("two services that are down: %+v", events)
	}
	for range 20 {
		check(r, packet.RST) // whose SYN no kernel sent, or a balancer's own stack
	}
	if events := r.drain(); len(events) != 1 || events[0].Score != 4 || events[0].Main != event.SYN {
		t.Errorf("half-open probes of a source that failed elsewhere: %+v, want an alert", events)
	}
	for port := range uint16(4) {
		r.run(packet.Connect(scanner4, host4, 7100+port).Bytes())
	}
	check(r, packet.RST)
	if events := r.drain(); len(events) != 1 || events[0].Score != 8 || events[0].Verdict != event.VerdictBan {
		t.Errorf("the same, and four failures more: %+v, want a ban", events)
	}
}

// TestResetsOfOthersAreNoHalfOpenProbes: the sequence number must be the
// next one, and the handshake unfinished.
func TestResetsOfOthersAreNoHalfOpenProbes(t *testing.T) {
	r := newRig(t, enforcing())
	for range 10 {
		syn := bareSYN(scanner4, host4, r.listen("[::]:0"))
		r.run(syn.Bytes())
		later := follow(syn, packet.RST, "")
		later.Seq++
		if got := r.verdict(later.Bytes()); got != "pass backscatter" {
			t.Fatalf("a reset out of sequence: %q", got)
		}
		other := follow(syn, packet.RST, "")
		other.SrcPort++
		if got := r.verdict(other.Bytes()); got != "pass backscatter" {
			t.Fatalf("a reset of another connection: %q", got)
		}
	}
	if events := r.drain(); len(events) > 0 {
		t.Errorf("%+v", events)
	}
}

// TestStrongerProbeOfTheSamePortCounts: what is found out half-open may be
// asked again by packets that no stack sends.
func TestStrongerProbeOfTheSamePortCounts(t *testing.T) {
	r := newRig(t, enforcing())
	for range 3 {
		syn := packet.Nmap(scanner4, host4, r.listen("[::]:0"))
		null := flags(0)(scanner4, host4, syn.DstPort)
		for range 2 {
			r.run(syn.Bytes())
			r.run(null.Bytes())
		}
	}
	if events := r.drain(); len(events) != 2 || events[1].Score != 9 || events[1].Distinct != 6 {
		t.Errorf("%+v, want a ban at 9 points, three for each of three ports", events)
	}
}

// TestLateResetsAreNoHalfOpenProbes: what was ended before the second
// SYN+ACK is reset by a client's kernel as well. A scanner resets the first.
func TestLateResetsAreNoHalfOpenProbes(t *testing.T) {
	for _, row := range []struct {
		name    string
		after   time.Duration
		again   bool // the SYN is sent again before the reset
		open    func(src, dst netip.Addr, port uint16) packet.TCP
		counted bool
	}{
		{"at once", 0, false, packet.Connect, true},
		{"after a long way", 800 * time.Millisecond, false, packet.Connect, true},
		{"a second SYN+ACK", time.Second, false, packet.Connect, false},
		{"a second SYN", time.Second, true, packet.Connect, false},
		{"a SYN that no kernel sends", 3 * time.Second, false, bareSYN, true},
	} {
		r := newRig(t, enforcing())
		for port := range uint16(2) {
			r.run(packet.Connect(scanner4, host4, 7000+port).Bytes())
		}
		syn := row.open(scanner4, host4, r.listen("[::]:0"))
		reset := follow(syn, packet.RST, "")
		r.run(syn.Bytes())
		r.advance(row.after)
		if row.again {
			r.run(syn.Bytes())
		}
		want := "pass backscatter"
		if row.counted {
			want = "pass counted"
		}
		if got := r.verdict(reset.Bytes()); got != want {
			t.Errorf("reset by %s: %q, want %q", row.name, got, want)
		}
	}
}
