// SPDX-License-Identifier: MIT

package loader

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"denmap/bpf"
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

func TestVerdicts(t *testing.T) {
	r := newRig(t, enforcing())
	open := r.listen("198.51.100.1:0")
	data := packet.Connect(scanner4, host4, 80)
	data.Flags, data.Payload, data.Options = packet.ACK|packet.PSH, []byte("GET /"), packet.Timestamp
	pureAck := data
	pureAck.Flags, pureAck.Payload = packet.ACK, nil
	foreign := packet.Connect(scanner4, foreign4, 80)
	otherMAC := packet.Connect(scanner4, host4, 82)
	otherMAC.DstMAC = [6]byte{2, 0, 0, 0, 0, 9}
	group := packet.NmapFlags(scanner4, host4, 80, 0)
	group.DstMAC = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	later := packet.Connect(scanner4, host4, 80)
	later.Fragment = 0x0010
	tagged := packet.NmapFlags(scanner4, host4, 80, packet.FIN)
	tagged.VLANs = []uint16{0x88a8, 0x8100}
	threeTags := tagged
	threeTags.VLANs = []uint16{0x88a8, 0x8100, 0x8100}
	optioned := packet.NmapFlags(scanner4, host4, 80, packet.FIN)
	optioned.IPOptions = bytes.Repeat([]byte{1}, 40)
	chained := packet.NmapFlags(scanner6, host6, 80, packet.FIN)
	for range 12 {
		chained.Extensions = append(chained.Extensions, packet.Extension{Number: 60, Body: []byte{0, 1, 4, 0, 0, 0, 0}})
	}
	tiny := packet.Nmap(scanner4, host4, 80)
	tiny.Fragment = 0x2000
	tcp := func(flags byte) packet.TCP { return packet.NmapFlags(scanner4, host4, 80, flags) }
	arp := append(make([]byte, 12), 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
	for _, row := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"data segment", data.Bytes(), "pass established"},
		{"ACK with timestamps", pureAck.Bytes(), "pass established"},
		{"ARP", arp, "pass not-ip"},
		{"UDP", data.UDP(nil), "pass counted"},
		{"ICMP unreachable", data.IP(1, []byte{3, 4, 0, 0, 0, 0, 0, 0}), "pass essential"},
		{"neighbour solicitation", packet.Connect(scanner6, host6, 80).IP(58, []byte{135, 0, 0, 0}), "pass essential"},
		{"later fragment", later.Bytes(), "pass later-fragment"},
		{"first fragment of 8 bytes", tiny.IP(6, tiny.Bytes()[34:42]), "drop crafted"},
		{"SYN behind 17 extension headers", endless(60).Bytes(), "drop crafted"},
		{"SYN behind 17 extension headers, the last AH", endless(51).Bytes(), "drop crafted"},
		{"to a group address", group.Bytes(), "pass not-unicast"},
		{"SYN to an open port", packet.Connect(scanner4, host4, open).Bytes(), "pass open"},
		{"nmap SYN to an open port", packet.Nmap(scanner4, host4, open).Bytes(), "drop crafted"},
		{"SYN to another host", foreign.Bytes(), "pass waiting"},
		{"SYN to another MAC", otherMAC.Bytes(), "pass foreign"},
		{"SYN+ACK", tcp(packet.SYN | packet.ACK).Bytes(), "pass backscatter"},
		{"RST", tcp(packet.RST).Bytes(), "pass backscatter"},
		{"RST+ACK", tcp(packet.RST | packet.ACK).Bytes(), "pass backscatter"},
		{"SYN to a closed port", packet.Connect(scanner4, host4, 81).Bytes(), "pass counted"},
		{"the same again", packet.Connect(scanner4, host4, 81).Bytes(), "pass repeated"},
		{"three VLAN tags", threeTags.Bytes(), "pass bad-vlan"},
		{"FIN in QinQ", tagged.Bytes(), "drop crafted"},
		{"FIN behind IP options", optioned.Bytes(), "drop crafted"},
		{"FIN behind 12 extension headers", chained.Bytes(), "drop crafted"},
		{"ACK to an ephemeral port", func() []byte {
			p := tcp(packet.ACK)
			p.DstPort, p.Window = 40000, 500
			return p.Bytes()
		}(), "pass answer"},
	} {
		if row.want != "pass repeated" {
			if err := r.forget(netip.PrefixFrom(scanner4, 32)); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.verdict(row.frame); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

// endless is a SYN behind one extension header more than is walked.
func endless(last byte) packet.TCP {
	p := packet.Connect(scanner6, host6, 80)
	for range 16 {
		p.Extensions = append(p.Extensions, packet.Extension{Number: 60, Body: []byte{0, 1, 4, 0, 0, 0, 0}})
	}
	p.Extensions = append(p.Extensions, packet.Extension{Number: last, Body: []byte{0, 1, 4, 0, 0, 0, 0}})
	return p
}

func TestRawIPLink(t *testing.T) {
	r := newRig(t, RunnerOptions{Settings: defaults(), RawIP: true})
	for _, src := range []netip.Addr{scanner4, scanner6} {
		p := packet.NmapFlags(src, host(src), 80, 0)
		p.Raw = true
		// The kernel runs programs on 14 bytes and more, and calls the rest
		// of the frame Ethernet or not as the program likes.
		if got := r.verdict(p.Bytes()); got != "drop crafted" {
			t.Errorf("Null probe from %s: %q", src, got)
		}
	}
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
}

func flags(f byte) func(src, dst netip.Addr, port uint16) packet.TCP {
	return func(src, dst netip.Addr, port uint16) packet.TCP { return packet.NmapFlags(src, dst, port, f) }
}

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

func TestBlindBanStartsNothingAndCutsNothing(t *testing.T) {
	r := newRig(t, enforcing())
	open := r.listen("198.51.100.1:0")
	for port := range uint16(8) {
		r.run(packet.Connect(scanner4, host4, 1000+port).Bytes())
	}
	data := packet.Connect(scanner4, host4, open)
	data.Flags, data.Payload, data.Options = packet.ACK|packet.PSH, []byte("x"), packet.Timestamp
	for _, row := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"SYN to an open port", packet.Connect(scanner4, host4, open).Bytes(), "drop banned"},
		{"data", data.Bytes(), "pass established"},
		{"answer to a connection of ours", packet.NmapFlags(scanner4, host4, 40000, packet.SYN|packet.ACK).Bytes(), "pass backscatter"},
		{"reset", packet.NmapFlags(scanner4, host4, 40000, packet.RST).Bytes(), "pass backscatter"},
		{"bare ACK to a listener", packet.NmapFlags(scanner4, host4, open, packet.ACK).Bytes(), "pass open"},
		{"bare ACK to nothing", packet.NmapFlags(scanner4, host4, 7, packet.ACK).Bytes(), "drop banned"},
		{"Xmas", flags(packet.FIN|packet.PSH|packet.URG)(scanner4, host4, 9).Bytes(), "drop banned"},
		{"fragmentation needed", data.IP(1, []byte{3, 4, 0, 0, 0, 0, 0, 0}), "pass essential"},
	} {
		if got := r.verdict(row.frame); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestBanEndsOnTimeAndScoreRestarts(t *testing.T) {
	r := newRig(t, enforcing())
	open := r.listen("198.51.100.1:0")
	for port := range uint16(8) {
		r.run(packet.Connect(scanner4, host4, 1000+port).Bytes())
	}
	again := packet.Connect(scanner4, host4, open).Bytes()
	r.advance(10*time.Minute - time.Second)
	if got := r.verdict(again); got != "drop banned" {
		t.Errorf("a second before the end: %q", got)
	}
	r.advance(time.Second)
	if got := r.verdict(again); got != "pass open" {
		t.Errorf("at the end: %q", got)
	}
	for port := range uint16(7) {
		if got := r.verdict(packet.Connect(scanner4, host4, 1000+port).Bytes()); got != "pass counted" {
			t.Fatalf("probe %d after the ban: %q", port+1, got)
		}
	}
}

func TestScanThatGoesOnProlongsItsBan(t *testing.T) {
	r := newRig(t, enforcing())
	open := r.listen("198.51.100.1:0")
	for port := range uint16(8) {
		r.run(packet.Connect(scanner4, host4, 1000+port).Bytes())
	}
	r.drain()
	retry, probe := packet.Connect(scanner4, host4, open).Bytes(), packet.Connect(scanner4, host4, 1008).Bytes()
	until := func() time.Duration {
		b, found, err := r.Ban(netip.PrefixFrom(scanner4, 32))
		if err != nil || !found {
			t.Fatal(found, err)
		}
		return b.Until.Sub(b.Since).Round(time.Second)
	}
	r.advance(5 * time.Minute)
	r.run(retry)
	if got := until(); got != 10*time.Minute {
		t.Errorf("a client's retry made the ban %v", got)
	}
	r.advance(time.Minute)
	r.run(probe)
	if got := until(); got != 16*time.Minute {
		t.Errorf("a probe after 6 minutes made the ban %v, want 16m", got)
	}
	if got := r.drain(); len(got) != 0 {
		t.Errorf("prolonging sent events: %+v", got)
	}
}

// TestScanProlongsAProvenBan: probes do, whatever else the source sends does
// not, and neither is let through.
func TestScanProlongsAProvenBan(t *testing.T) {
	r := newRig(t, enforcing())
	open := r.listen("198.51.100.1:0")
	r.advance(time.Duration(readClock().boot) - r.now) // bans count by the kernel's clock
	source := netip.PrefixFrom(scanner4, 32)
	data := packet.Connect(scanner4, host4, open)
	data.Flags, data.Payload, data.Options = packet.ACK|packet.PSH, []byte("GET /"), packet.Timestamp
	for _, row := range []struct {
		name  string
		grade event.Grade
		p     packet.TCP
		want  bool
	}{
		{"data", event.Proven, data, false},
		{"SYN to an open port", event.Proven, packet.Connect(scanner4, host4, open), false},
		{"reset", event.Proven, packet.NmapFlags(scanner4, host4, 81, packet.RST), false},
		{"SYN to a closed port", event.Proven, packet.Connect(scanner4, host4, 81), true},
		{"Null probe", event.Proven, packet.NmapFlags(scanner4, host4, 82, 0), true},
		{"SYN under a manual ban", event.Manual, packet.Connect(scanner4, host4, 83), false},
	} {
		if _, err := r.RemoveBan(source); err != nil {
			t.Fatal(err)
		}
		given := time.Now().Add(time.Minute)
		if err := r.AddBan(event.Ban{Source: source, Grade: row.grade, Until: given}); err != nil {
			t.Fatal(err)
		}
		if got := r.verdict(row.p.Bytes()); got != "drop banned" {
			t.Errorf("%s: %q", row.name, got)
		}
		ban, _, err := r.Ban(source)
		if err != nil {
			t.Fatal(err)
		}
		if longer := ban.Until.Sub(given) > 5*time.Minute; longer != row.want {
			t.Errorf("%s: the ban of a minute ends %v later", row.name, ban.Until.Sub(given))
		}
	}
}

func TestSlowScanAndDecay(t *testing.T) {
	for _, row := range []struct {
		name   string
		gap    time.Duration
		banned bool
	}{
		{"nmap -T1", 15 * time.Second, true},
		{"nmap -T0", 5 * time.Minute, true},
		{"one failure in half an hour", 31 * time.Minute, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, enforcing())
			start, banned := r.now, false
			for port := range uint16(30) {
				banned = banned || r.verdict(packet.Connect(scanner4, host4, 1000+port).Bytes()) == "drop crossed"
				if banned {
					break
				}
				r.advance(row.gap)
			}
			if banned != row.banned {
				t.Errorf("banned %v, want %v", banned, row.banned)
			}
			if took := r.now - start; banned && took > time.Hour {
				t.Errorf("banned only after %v", took)
			}
		})
	}
}

func TestForgottenWithItsPorts(t *testing.T) {
	r := newRig(t, enforcing())
	for range 5 {
		for port := range uint16(3) {
			r.run(packet.Connect(scanner4, host4, 1000+port).Bytes())
		}
		src, found, err := r.Source(scanner4)
		if err != nil || !found || src.Distinct != 3 {
			t.Fatalf("%+v, %v, %v", src, found, err)
		}
		r.advance(2 * time.Hour)
	}
	if got := r.drain(); len(got) != 0 {
		t.Errorf("a client's rare failures sent %+v", got)
	}
}

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

func TestIPv6PrefixIsBannedFromTheSecondAddressOn(t *testing.T) {
	r := newRig(t, enforcing())
	for port := range uint16(8) {
		r.run(packet.Connect(scanner6, host6, 1000+port).Bytes())
	}
	got := r.drain()
	if len(got) != 2 || got[1].Source.String() != "2001:db8:bad::7/128" {
		t.Fatalf("one address: %+v", got)
	}
	if v := r.verdict(packet.Connect(neighbour, host6, 22).Bytes()); v != "drop crossed" {
		t.Errorf("first failure of the second address: %q", v)
	}
	got = r.drain()
	if len(got) != 1 || got[0].Source.String() != "2001:db8:bad::/64" || got[0].Verdict != event.VerdictBan {
		t.Errorf("second address: %+v", got)
	}
	if v := r.verdict(packet.Connect(netip.MustParseAddr("2001:db8:bad::9"), host6, 22).Bytes()); v != "drop banned" {
		t.Errorf("third address: %q", v)
	}
	if v := r.verdict(packet.Connect(netip.MustParseAddr("2001:db8:bad:1::9"), host6, 22).Bytes()); v != "pass counted" {
		t.Errorf("next /64: %q", v)
	}
}

func TestIPv6NeighboursAreScoredAlone(t *testing.T) {
	for _, row := range []struct{ name, first, second string }{
		{"on link", "2001:db8:1::7", "2001:db8:1::8"},
		{"link-local", "fe80::7", "fe80::8"},
		{"NAT64", "64:ff9b::203.0.113.7", "64:ff9b::203.0.113.8"},
	} {
		r := newRig(t, enforcing())
		if err := r.SetHost(Host{Own: []netip.Addr{host6}, OnLink: []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")}}); err != nil {
			t.Fatal(err)
		}
		first, second := netip.MustParseAddr(row.first), netip.MustParseAddr(row.second)
		for port := range uint16(8) {
			r.run(packet.Connect(first, host6, 1000+port).Bytes())
		}
		got := r.drain()
		if len(got) != 2 || got[1].Source != netip.PrefixFrom(first, 128) {
			t.Errorf("%s: %+v", row.name, got)
		}
		if v := r.verdict(packet.Connect(second, host6, 1000).Bytes()); v != "pass counted" {
			t.Errorf("%s: the neighbour got %q", row.name, v)
		}
	}
}

func TestSparedSources(t *testing.T) {
	for _, row := range []struct {
		name    string
		monitor bool
		prepare func(*rig) error
		flags   func(event.Detection) bool
	}{
		{"monitor mode", true, func(*rig) error { return nil },
			func(d event.Detection) bool { return !d.Protected && !d.Watched }},
		{"protected", false, func(r *rig) error {
			return r.SetHost(Host{Own: []netip.Addr{host4}, Protected: []netip.Addr{scanner4}})
		}, func(d event.Detection) bool { return d.Protected }},
		{"watched", false, func(r *rig) error {
			_, err := r.SyncList(Allow, []ListEntry{{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Watch: true}}, nil)
			return err
		}, func(d event.Detection) bool { return d.Watched }},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, RunnerOptions{Settings: defaults(), Monitor: row.monitor})
			if err := row.prepare(r); err != nil {
				t.Fatal(err)
			}
			for port := range uint16(50) {
				if got := r.run(packet.Connect(scanner4, host4, 1000+port).Bytes()); got != xdpPass {
					t.Fatalf("probe %d was dropped", port+1)
				}
			}
			got := r.drain()
			if len(got) != 2 || got[1].Verdict != event.VerdictWouldBan || !row.flags(got[1]) {
				t.Errorf("events: %+v", got)
			}
			if bans, err := r.Bans(); err != nil || len(bans) != 0 {
				t.Errorf("bans: %v, %v", bans, err)
			}
		})
	}
}

func TestAddressRulesInOrder(t *testing.T) {
	for _, src := range []netip.Addr{scanner4, scanner6} {
		r := newRig(t, enforcing())
		data := packet.Connect(src, host(src), 80)
		data.Flags, data.Payload = packet.ACK, []byte("x")
		want := func(what, want string) {
			t.Helper()
			if got := r.verdict(data.Bytes()); got != want {
				t.Errorf("%v %s: got %q, want %q", src, what, got, want)
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		sync := func(list ListName, prefixes ...netip.Prefix) {
			t.Helper()
			var entries []ListEntry
			for _, p := range prefixes {
				entries = append(entries, ListEntry{Prefix: p.Masked()})
			}
			_, err := r.SyncList(list, entries, nil)
			must(err)
		}
		whole, net := netip.PrefixFrom(src, src.BitLen()), netip.PrefixFrom(src, 24)
		want("nothing listed", "pass established")
		must(r.AddBan(event.Ban{Source: whole, Grade: event.Manual, Until: time.Now().Add(100 * time.Hour)}))
		want("manual ban", "drop banned")
		sync(Deny, net)
		want("denied network", "drop denied")
		sync(Deny, whole)
		want("denied address", "drop denied")
		sync(Allow, net)
		want("allowed network", "pass allowed")
		sync(Allow)
		want("allow list emptied", "drop denied")
		must(r.Pause(time.Now().Add(200 * time.Hour)))
		want("paused", "pass paused")
		must(r.Resume())
		want("resumed", "drop denied")
		must(r.Heartbeat(10 * time.Second))
		must(r.SetClock(awake() + 9*time.Second))
		want("heartbeat heard", "drop denied")
		must(r.SetClock(awake() + 11*time.Second))
		want("daemon silent", "pass paused")
		must(r.Heartbeat(0))
		want("no dead man's switch", "drop denied")
		must(r.SetClock(time.Hour))
		sync(Deny)
		want("deny list emptied", "drop banned")
		if found, err := r.RemoveBan(whole); err != nil || !found {
			t.Fatal(found, err)
		}
		want("unbanned", "pass established")
	}
}

func TestSyncListTouchesOnlyTheDifference(t *testing.T) {
	r := newRig(t, enforcing())
	entries := []ListEntry{
		{Prefix: netip.MustParsePrefix("192.0.2.1/32")}, {Prefix: netip.MustParsePrefix("198.51.100.0/24")},
		{Prefix: netip.MustParsePrefix("2001:db8::/32")}, {Prefix: netip.MustParsePrefix("2001:db8::1/128"), Watch: true},
	}
	// The two IPv4 entries lie in two /16.
	for _, row := range []struct {
		want    []ListEntry
		written int
	}{{entries, 4}, {entries, 0}, {entries[:2], 2}, {entries[1:], 3}, {nil, 3}} {
		written, err := r.SyncList(Allow, row.want, nil)
		if err != nil || written != row.written {
			t.Errorf("%d entries: wrote %d, %v; want %d", len(row.want), written, err, row.written)
		}
	}
	if gate, err := r.gate(); err != nil || gate.Sets != 0 || gate.Tables != 0 {
		t.Errorf("gate of an empty list: %+v, %v", gate, err)
	}
	if bytes, err := r.ListMemory(); err != nil || bytes != 0 {
		t.Errorf("empty lists take %d bytes, %v", bytes, err)
	}
}

func TestIgnoredPorts(t *testing.T) {
	o := enforcing()
	o.Settings.IgnorePorts = []uint16{1000, 65535}
	r := newRig(t, o)
	for _, port := range []uint16{1000, 65535} {
		if got := r.verdict(packet.Connect(scanner4, host4, port).Bytes()); got != "pass ignored-port" {
			t.Errorf("port %d: %q", port, got)
		}
	}
	if got := r.verdict(packet.Connect(scanner4, host4, 1001).Bytes()); got != "pass counted" {
		t.Errorf("port 1001: %q", got)
	}
}

func TestLowThresholdNeedsNoSecondFailure(t *testing.T) {
	o := enforcing()
	o.Settings.AlertScore, o.Settings.BanScore = 1, 1
	r := newRig(t, o)
	if got := r.verdict(packet.Connect(scanner4, host4, 22).Bytes()); got != "drop crossed" {
		t.Error(got)
	}
}

// Eight packets of one source on two CPUs at once: the threshold itself
// passes, never more.
func TestCrossingIsExactOnManyCPUs(t *testing.T) {
	r := newRig(t, enforcing())
	for round := range 200 {
		src := netip.AddrFrom4([4]byte{192, 0, 2, byte(round)})
		var wg sync.WaitGroup
		passed := make([]int, 4)
		for w := range passed {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range 50 {
					frame := packet.Connect(src, foreign4, uint16(1000+50*w+i))
					frame.Flags = packet.FIN // needs no socket: the namespace is this thread's only
					if v, err := r.scan.Run(&ebpf.RunOptions{Data: frame.Bytes()}); err != nil {
						t.Error(err)
					} else if v == xdpPass {
						passed[w]++
					}
				}
			}()
		}
		wg.Wait()
		total := 0
		for _, n := range passed {
			total += n
		}
		if total > 3 {
			t.Fatalf("round %d: %d passed, at most 3 may", round, total)
		}
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

// Every cut of every frame, and noise: a verdict, never an abort, and no
// drop that no rule names.
func TestEveryLengthOfEveryPacket(t *testing.T) {
	r := newRig(t, enforcing())
	var frames [][]byte
	for _, src := range []netip.Addr{scanner4, scanner6} {
		for _, scan := range scans {
			p := scan.build(src, host(src), 80)
			frames = append(frames, p.Bytes())
			p.VLANs = []uint16{0x88a8, 0x8100}
			p.IPOptions = bytes.Repeat([]byte{1}, 40)
			p.Extensions = []packet.Extension{
				{Number: 0, Body: []byte{0, 1, 4, 0, 0, 0, 0}}, {Number: 44, Body: []byte{0, 0, 1, 0, 0, 0, 1}},
				{Number: 51, Body: make([]byte, 15)},
			}
			p.Extensions[2].Body[0] = 2
			frames = append(frames, p.Bytes())
		}
	}
	for _, frame := range frames {
		whole := r.verdict(frame)
		for n := 14; n < len(frame); n++ {
			got := r.verdict(frame[:n])
			if got[:4] == "drop" && got != "drop crafted" && got != "drop banned" && got != "drop crossed" {
				t.Errorf("%d of %d bytes: %q (whole: %q)", n, len(frame), got, whole)
			}
		}
	}
}

func TestNoiseNeverAborts(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	r := newRig(t, enforcing())
	for range 50_000 {
		src := []netip.Addr{scanner4, scanner6}[rng.IntN(2)]
		frame := scans[rng.IntN(len(scans))].build(src, host(src), uint16(rng.Uint32())).Bytes()
		for range rng.IntN(8) {
			frame[12+rng.IntN(len(frame)-12)] = byte(rng.Uint32())
		}
		if v := r.run(frame[:14+rng.IntN(len(frame)-13)]); v != xdpPass && v != xdpDrop {
			t.Fatalf("verdict %d on %x", v, frame)
		}
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
	conn, err := net.ListenPacket("udp", "198.51.100.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := uint16(conn.LocalAddr().(*net.UDPAddr).Port)
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
	for n := range uint16(200) {
		for _, sport := range []uint16{53, 123, 443, 3478} {
			if got := r.verdict(from(sport, 33000+n, 60)); got != "pass answer" {
				t.Fatalf("late answer from port %d: %q", sport, got)
			}
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

func TestEvidence(t *testing.T) {
	for _, src := range []netip.Addr{scanner4, scanner6} {
		r := newRig(t, enforcing())
		var frames [][]byte
		for port := range uint16(8) {
			frame := packet.Connect(src, host(src), 1000+port).Bytes()
			frames = append(frames, frame)
			r.run(frame)
			r.advance(time.Second)
		}
		e, found, err := r.Evidence(src)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		if len(e.Probes) != 8 || len(e.Packets) != 5 {
			t.Fatalf("%d probes and %d packets, want 8 and 5 (from the alert on)", len(e.Probes), len(e.Packets))
		}
		for i, p := range e.Probes {
			// The first one waited in the filter, which keeps no header.
			if p.Port != uint16(1000+i) || p.Kind != event.Connect || p.Score != i+1 || p.Known != (i > 0) {
				t.Errorf("probe %d: %+v", i, p)
			}
			if p.Known && (p.Flags != packet.SYN || p.Window != 64240 || p.TTL != 64) {
				t.Errorf("header of probe %d: %+v", i, p)
			}
		}
		for i, p := range e.Packets {
			if want := frames[3+i][14:]; !bytes.Equal(p.Header, want) || p.Length != len(want) {
				t.Errorf("packet %d: %x of %d bytes, want %x", i, p.Header, p.Length, want)
			}
		}
	}
}

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

func TestForget(t *testing.T) {
	r := behindNAT(t)
	syn := packet.Connect(scanner4, host4, 8000)
	r.run(syn.Bytes())
	next := follow(syn, packet.ACK, "")
	r.run(next.Bytes())
	for port := range uint16(6) {
		r.run(packet.Nmap(scanner4, host4, 1000+port).Bytes())
	}
	if err := r.Forget(); err != nil {
		t.Fatal(err)
	}
	if got := r.verdict(syn.Bytes()); got != "pass waiting" {
		t.Errorf("after Forget: %q", got)
	}
	if found, err := r.Sources(); err != nil || len(found) != 0 {
		t.Errorf("sources: %v, %v", found, err)
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

// A real client in the rig's namespace connects; the packets that its
// kernel would send are given to the program by hand, at the right moments.
func TestHandshakesAfterTheFirstFailureProveTheAddress(t *testing.T) {
	for _, row := range []struct {
		name    string
		visited bool // the client used the ports before anything spoke against it
		forged  bool // nobody behind the address: no handshake completes
		grade   event.Grade
	}{
		{"scanner", false, false, event.Proven},
		{"forger borrowing a client's address", true, false, event.Blind},
		{"forger", false, true, event.Blind},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, enforcing())
			var ports []uint16
			for range 3 {
				ports = append(ports, r.listen(fmt.Sprintf("198.51.100.1:%d", 2000+len(ports))))
			}
			if row.visited {
				for _, port := range ports {
					r.run(packet.Connect(host4, host4, port).Bytes())
				}
			}
			for port := range uint16(2) { // a source enters on its second failure
				r.run(packet.Connect(host4, host4, 1+port).Bytes())
			}
			for i, port := range ports {
				syn := packet.Connect(host4, host4, port)
				syn.SrcPort = uint16(20000 + i)
				if got := r.verdict(syn.Bytes()); got != "pass open" {
					t.Fatal(got)
				}
				if !row.forged {
					from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(host4, syn.SrcPort))
					conn, err := (&net.Dialer{LocalAddr: from}).Dial("tcp4", netip.AddrPortFrom(host4, port).String())
					if err != nil {
						t.Fatal(err)
					}
					defer conn.Close()
				}
				ack := follow(syn, packet.ACK, "")
				r.run(ack.Bytes())
			}
			for port := range uint16(6) {
				r.run(packet.Connect(host4, host4, 10+port).Bytes())
			}
			got := r.drain()
			if len(got) != 2 || got[1].Grade != row.grade {
				t.Fatalf("events %+v, want a %v ban", got, row.grade)
			}
		})
	}
}

// A score that was reached while no ban was allowed brings one on the next
// failure, and says so once.
func TestBanFollowsWhenItIsAllowed(t *testing.T) {
	watch := func(r *rig, entries ...ListEntry) {
		if _, err := r.SyncList(Allow, entries, nil); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, enforcing())
	watch(r, ListEntry{Prefix: netip.MustParsePrefix("203.0.113.0/24"), Watch: true})
	for port := range uint16(20) {
		r.run(packet.Connect(scanner4, host4, 1000+port).Bytes())
	}
	r.drain()
	watch(r)
	if got := r.verdict(packet.Connect(scanner4, host4, 2000).Bytes()); got != "drop crossed" {
		t.Errorf("first failure without protection: %q", got)
	}
	if got := r.verdict(packet.Connect(scanner4, host4, 2001).Bytes()); got != "drop banned" {
		t.Errorf("second: %q", got)
	}
	if got := r.drain(); len(got) != 1 || got[0].Verdict != event.VerdictBan {
		t.Errorf("events: %+v", got)
	}
	// Pushed out of its table, a ban comes back without a word.
	if err := clearTable(r.maps["blind_bans"]); err != nil {
		t.Fatal(err)
	}
	if got := r.verdict(packet.Connect(scanner4, host4, 2002).Bytes()); got != "drop crossed" {
		t.Errorf("after the ban was evicted: %q", got)
	}
	if got := r.verdict(packet.Connect(scanner4, host4, 2003).Bytes()); got != "drop banned" {
		t.Errorf("after it came back: %q", got)
	}
	if got := r.drain(); len(got) != 0 {
		t.Errorf("events: %+v", got)
	}
}

func TestPrefixBanSparesProtectedAddresses(t *testing.T) {
	r := newRig(t, enforcing())
	open := r.listen("[2001:db8:1::1]:0")
	admin := netip.MustParseAddr("2001:db8:bad::ad")
	if err := r.SetHost(Host{Own: []netip.Addr{host6}, Protected: []netip.Addr{admin}}); err != nil {
		t.Fatal(err)
	}
	for port := range uint16(10) {
		r.run(packet.Connect(scanner6, host6, 1000+port).Bytes())
		r.run(packet.Connect(neighbour, host6, 1000+port).Bytes())
	}
	if got := r.verdict(packet.Connect(scanner6, host6, open).Bytes()); got != "drop banned" {
		t.Fatalf("the scanner: %q", got)
	}
	if got := r.verdict(packet.Connect(admin, host6, open).Bytes()); got != "pass open" {
		t.Errorf("the administrator in the same /64: %q", got)
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

func TestDeniedSourcesAreDroppedHoweverBroken(t *testing.T) {
	r := newRig(t, enforcing())
	if _, err := r.SyncList(Deny, []ListEntry{{Prefix: netip.PrefixFrom(scanner6, 128)}}, nil); err != nil {
		t.Fatal(err)
	}
	broken := packet.Connect(scanner6, host6, 80)
	broken.Extensions = []packet.Extension{{Number: 60, Body: []byte{255, 1, 4, 0, 0, 0, 0}}}
	if got := r.verdict(broken.Bytes()); got != "drop denied" {
		t.Errorf("extension header beyond the packet: %q", got)
	}
}

func TestShortIPv6PrefixesMeanIPv6(t *testing.T) {
	r := newRig(t, enforcing())
	if _, err := r.SyncList(Deny, []ListEntry{{Prefix: netip.MustParsePrefix("::/0")}}, nil); err != nil {
		t.Fatal(err)
	}
	for src, want := range map[netip.Addr]string{scanner4: "pass counted", scanner6: "drop denied"} {
		if got := r.verdict(packet.Connect(src, host(src), 81).Bytes()); got != want {
			t.Errorf("%s: %q, want %q", src, got, want)
		}
	}
}
