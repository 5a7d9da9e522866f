// SPDX-License-Identifier: MIT

package loader

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// host returns the host's address of the source's family.
func host(src netip.Addr) netip.Addr {
	if src.Is4() {
		return host4
	}
	return host6
}

// scans sends probes of each kind to distinct closed ports.
var scans = []struct {
	kind    event.Kind
	tool    event.Tool
	build   func(src, dst netip.Addr, port uint16) packet.TCP
	crafted bool
	points  int
}{
	{event.Connect, event.ToolKernel, packet.Connect, false, 1},
	{event.SYN, event.ToolNmap, packet.Nmap, true, 2},
	{event.SYN, event.ToolHping3, packet.Hping3, true, 2},
	{event.FIN, event.ToolNmap, flags(packet.FIN), true, 2},
	{event.Xmas, event.ToolNmap, flags(packet.FIN | packet.PSH | packet.URG), true, 2},
	{event.Null, event.ToolNmap, flags(0), true, 2},
	{event.OddFlags, event.ToolNmap, flags(packet.SYN | packet.FIN), true, 2},
	{event.OddFlags, event.ToolNmap, flags(packet.URG), true, 2},
	{event.OddFlags, event.ToolNmap, flags(0xff), true, 2},
	{event.ACK, event.ToolNmap, flags(packet.ACK), false, 1},
	{event.Maimon, event.ToolNmap, flags(packet.FIN | packet.ACK), false, 1},
	{event.ACK, event.ToolNmap, with(flags(packet.ACK), withData), false, 1},
	{event.Maimon, event.ToolNmap, with(flags(packet.FIN|packet.ACK), withData), false, 1},
	{event.OddFlags, event.ToolNmap, with(packet.Nmap, func(p *packet.TCP) { p.Flags |= packet.ACK; p.Ack = 9 }), false, 1},
	{event.OddFlags, event.ToolNmap, flags(packet.RST), false, 1},
}

func flags(f byte) func(src, dst netip.Addr, port uint16) packet.TCP {
	return func(src, dst netip.Addr, port uint16) packet.TCP { return packet.NmapFlags(src, dst, port, f) }
}

func withData(p *packet.TCP) { p.Payload = make([]byte, 20) }

func TestScansAreBannedOnTheCrossingPacket(t *testing.T) {
	for _, src := range []netip.Addr{scanner4, scanner6} {
		for _, drop := range []bool{true, false} {
			for i, scan := range scans {
				t.Run(fmt.Sprintf("%v/%v/drop_crafted=%v/%d", src.BitLen(), scan.kind, drop, i), func(t *testing.T) {
					o := enforcing()
					o.Settings.DropCrafted = drop
					r := newRig(t, o)
					passed := 0
					for port := range uint16(100) {
						frame := scan.build(src, host(src), 1000+port).Bytes()
						for range 2 { // a retransmission is free
							if r.run(frame) == xdpPass {
								passed++
							}
						}
					}
					want := 2 * (8/scan.points - 1)
					if scan.crafted && drop {
						want = 0
					}
					if passed != want {
						t.Errorf("%d packets passed, want %d", passed, want)
					}
					checkEvents(t, r.drain(), src, scan.kind, scan.tool, scan.points)
				})
			}
		}
	}
}

func checkEvents(t *testing.T, got []event.Detection, src netip.Addr, kind event.Kind, tool event.Tool, points int) {
	t.Helper()
	if len(got) != 2 || got[0].Verdict != event.VerdictAlert || got[1].Verdict != event.VerdictBan {
		t.Fatalf("events: %+v, want an alert and a ban", got)
	}
	for i, threshold := range []int{4, 8} {
		d := got[i]
		if d.Source != netip.PrefixFrom(src, src.BitLen()) || d.Destination != host(src) {
			t.Errorf("event %d: source %v to %v", i, d.Source, d.Destination)
		}
		if names := d.Kinds.Names(); len(names) != 1 || names[0] != kind.String() {
			t.Errorf("event %d: kinds %v, want %v", i, names, kind)
		}
		if d.Tool != tool {
			t.Errorf("event %d: tool %v, want %v", i, d.Tool, tool)
		}
		if d.Score != threshold || d.Threshold != threshold || d.Distinct != threshold/points {
			t.Errorf("event %d: score %d of %d, %d ports", i, d.Score, d.Threshold, d.Distinct)
		}
		if len(d.Ports) != d.Distinct || d.Ports[0] != uint16(1000+d.Distinct-1) {
			t.Errorf("event %d: ports %v", i, d.Ports)
		}
		if d.Transport != "tcp" {
			t.Errorf("event %d: transport %q", i, d.Transport)
		}
	}
	if left := got[1].BanUntil.Sub(got[1].Time); left != 10*time.Minute {
		t.Errorf("banned for %v", left)
	}
}

func TestLostEventsAreCounted(t *testing.T) {
	r := newRig(t, enforcing())
	sent := 0
	for i := range 6000 {
		src := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
		for port := range uint16(4) {
			r.run(flags(0)(src, host4, port).Bytes())
			sent++
		}
		if i%16 == 0 {
			r.advance(time.Second) // else it is a forged flood
		}
	}
	lost := r.counts()["lost event"]
	if got := uint64(len(r.drain())); lost == 0 || got+lost != 12000 {
		t.Errorf("%d events read, %d lost, of 12000", got, lost)
	}
}

func TestOtherProtocolsAreScored(t *testing.T) {
	for _, src := range []netip.Addr{scanner4, scanner6} {
		for _, row := range []struct {
			kind      event.Kind
			transport string
			first     int // packets that pass before the ban
			build     func(n int) []byte
		}{
			{event.UDP, "udp", 15, func(n int) []byte {
				p := packet.Connect(src, host(src), uint16(1000+n))
				p.DF = false
				return p.UDP(nil)
			}},
			{event.SCTP, "sctp", 7, func(n int) []byte { return packet.Connect(src, host(src), uint16(1000+n)).SCTP(1) }},
			{event.SCTP, "sctp", 7, func(n int) []byte { return packet.Connect(src, host(src), uint16(1000+n)).SCTP(10) }},
			{event.IPProtocol, "", 7, func(n int) []byte { return packet.Connect(src, host(src), 0).IP(byte(150+n), nil) }},
		} {
			t.Run(fmt.Sprint(src.BitLen(), row.kind), func(t *testing.T) {
				r := newRig(t, enforcing())
				passed := 0
				for n := range 40 {
					frame := row.build(n)
					for range 2 {
						if r.run(frame) == xdpPass {
							passed++
						}
					}
				}
				if passed != 2*row.first {
					t.Errorf("%d packets passed, want %d", passed, 2*row.first)
				}
				got := r.drain()
				if len(got) != 2 || got[1].Verdict != event.VerdictBan || got[1].Kinds.Names()[0] != row.kind.String() || got[1].Transport != row.transport {
					t.Errorf("events: %+v", got)
				}
				if latest := uint16(150 + row.first); row.kind == event.IPProtocol && got[1].Ports[0] != latest {
					t.Errorf("the latest protocol is %d, want %d", got[1].Ports[0], latest)
				}
			})
		}
	}
}

// What arrives because the host itself once spoke to the sender, or because
// the network lives: never scored.
func TestAnswersAndNeighboursAreNotScans(t *testing.T) {
	r := newRig(t, enforcing())
	const port = 16386
	conn, err := net.ListenPacket("udp", net.JoinHostPort("198.51.100.1", strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	from := func(sport, dport uint16, ttl byte) []byte {
		p := packet.Connect(scanner4, host4, dport)
		p.SrcPort, p.TTL = sport, ttl
		return p.UDP([]byte("answer"))
	}
	if got := r.verdict(from(16384, port, 60)); got != "pass open" {
		t.Errorf("to a socket: %q", got)
	}
	conn.Close()
	r.advance(time.Minute)
	if got := r.verdict(from(16384, port, 60)); got != "pass service-gone" {
		t.Errorf("late packet of a call: %q", got)
	}
	if got := r.verdict(from(16385, port+1, 60)); got != "pass service-gone" {
		t.Errorf("report beside a call: %q", got)
	}
	for n := range uint16(200) {
		for _, sport := range []uint16{53, 123, 443, 3478, 1900, 3702, 11211} {
			if got := r.verdict(from(sport, 2000+n*317, 60)); got != "pass answer" {
				t.Fatalf("late answer from port %d: %q", sport, got)
			}
		}
	}
	// A search for devices is answered from any port, to one that the kernel
	// gave out.
	for n := range uint16(200) {
		if got := r.verdict(from(50000-n*71, 33600+n*97, 60)); got != "pass answer" {
			t.Fatalf("late answer to a question to all: %q", got)
		}
	}
	for _, sport := range []uint16{53, 123} {
		empty := packet.Connect(netip.MustParseAddr("203.0.113.9"), host4, 33300+sport)
		empty.SrcPort = sport
		if got := r.verdict(empty.UDP(nil)); got != "pass counted" {
			t.Errorf("an answer without a word from port %d: %q", sport, got)
		}
	}
	for n := range uint16(100) {
		if got := r.verdict(from(45000, 33434+n, byte(1+n/3)&31)); n/3 < 30 && got != "pass answer" {
			t.Fatalf("traceroute probe %d: %q", n, got)
		}
	}
	for _, trace := range []struct{ first, step, hops uint16 }{{33000, 5, 12}, {44444, 1, 30}, {65000, 5, 12}} { // mtr, tracepath, an mtr that runs for long
		for n := range uint16(100) {
			if got := r.verdict(from(31245, trace.first+n*trace.step, byte(1+n%trace.hops))); got != "pass answer" {
				t.Fatalf("probe %d of a trace that began at port %d: %q", n, trace.first, got)
			}
		}
	}
	for _, port := range []uint16{49152, 33433, 33535, 44443, 44545} {
		far := packet.Connect(netip.MustParseAddr("203.0.113.10"), host4, port)
		far.TTL = 37 - 24 // nmap, which begins with 37 at least, a long way off
		if got := r.verdict(far.UDP(nil)); got != "pass counted" {
			t.Errorf("a scanner's datagram to port %d from far away: %q", port, got)
		}
	}
	for _, protocol := range []byte{2, 4, 41, 47, 50, 51, 88, 89, 103, 112, 115} {
		if got := r.verdict(packet.Connect(scanner4, host4, 0).IP(protocol, make([]byte, 40))); got != "pass tunnel" {
			t.Errorf("protocol %d: %q", protocol, got)
		}
	}
	for n := range uint16(100) {
		if got := r.verdict(packet.Connect(scanner4, foreign4, n).SCTP(1)); got != "pass foreign" {
			t.Fatalf("SCTP to another host: %q", got)
		}
	}
	if got := r.drain(); len(got) != 0 {
		t.Errorf("events: %+v", got)
	}
}

func TestSweepOfManyAddressesIsScoredLikeUDP(t *testing.T) {
	r := newRig(t, enforcing())
	var own []netip.Addr
	for i := range 30 {
		own = append(own, netip.AddrFrom4([4]byte{198, 51, 100, byte(100 + i)}))
	}
	if err := r.SetHost(Host{Own: own}); err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, dst := range own {
		if r.run(packet.Connect(scanner4, dst, 23).Bytes()) == xdpPass {
			passed++
		}
	}
	// The first probe is a connect probe like any other.
	if passed != 16 {
		t.Errorf("%d passed, want 16", passed)
	}
	got := r.drain()
	if len(got) != 2 || !got[1].Kinds.Has(event.Sweep) || got[1].Threshold != 16 {
		t.Errorf("events: %+v", got)
	}
}

func TestOSFingerprintProbes(t *testing.T) {
	r := newRig(t, enforcing())
	stamp := []byte{3, 3, 10, 1, 2, 4, 1, 9, 8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 4, 2}
	t2 := packet.NmapFlags(scanner4, host4, 1, 0)
	t3 := packet.NmapFlags(scanner4, host4, 2, packet.FIN|packet.SYN|packet.PSH|packet.URG)
	t5 := packet.NmapFlags(scanner4, host4, 3, packet.SYN)
	for _, p := range []packet.TCP{t2, t3, t5} {
		p.Options = stamp
		r.run(p.Bytes())
	}
	u1 := packet.Connect(scanner4, host4, 4)
	u1.ID = 4162
	r.run(u1.UDP(bytes.Repeat([]byte("C"), 300)))
	src, found, err := r.Source(scanner4)
	if err != nil || !found || len(src.Kinds.Names()) != 1 || !src.Kinds.Has(event.OSFingerprint) || src.Tool != event.ToolNmap {
		t.Errorf("%+v, %v, %v", src, found, err)
	}
}
