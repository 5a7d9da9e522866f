// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"denmap/bpf"
	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// reset is a kernel's.
var reset = with(flags(packet.RST), func(p *packet.TCP) { p.Window = 0 })

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
		{"reset", reset(scanner4, host4, 40000).Bytes(), "pass backscatter"},
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
		{"reset", event.Proven, reset(scanner4, host4, 81), false},
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
	r.advance(time.Second) // what a CPU remembers of it ends
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

// TestProvenBanLeavesALongerOne: what waited when its source was banned by
// hand fails later, and must not put a shorter ban in the place of that one.
func TestProvenBanLeavesALongerOne(t *testing.T) {
	for _, row := range []struct {
		length time.Duration // of the ban by hand
		want   event.Grade
	}{{0, event.Manual}, {time.Hour, event.Manual}, {time.Minute, event.Proven}} {
		r := behindNAT(t)
		r.advance(time.Duration(readClock().boot) - r.now) // bans count by the kernel's clock
		for port := range uint16(12) {
			r.run(packet.Connect(scanner4, host4, 1000+port).Bytes())
			r.advance(500 * time.Millisecond)
		}
		source := netip.PrefixFrom(scanner4, 32)
		var s bpf.ScanSource
		if err := r.maps["sources"].Lookup(prefixKey(source), &s); err != nil {
			t.Fatal(err)
		}
		s.Proven = uint8(len(s.Proofs))
		if err := r.maps["sources"].Put(prefixKey(source), s); err != nil {
			t.Fatal(err)
		}
		ban := event.Ban{Source: source, Grade: event.Manual}
		if row.length > 0 {
			ban.Until = time.Now().Add(row.length)
		}
		if err := r.AddBan(ban); err != nil {
			t.Fatal(err)
		}
		r.advance(4 * time.Second)
		if err := r.Settle(); err != nil {
			t.Fatal(err)
		}
		if got := r.drain(); len(got) != 2 || got[1].Verdict != event.VerdictBan || got[1].Grade != event.Proven {
			t.Fatalf("a ban of %v: events %+v", row.length, got)
		}
		if got, found, err := r.Ban(source); err != nil || !found || got.Grade != row.want {
			t.Errorf("a ban of %v: found %v, a %v one, want %v: %v", row.length, found, got.Grade, row.want, err)
		}
	}
}

// TestMonitorEnforcesManualBansAlone: nor does a proven ban of an address,
// from another interface say, hide a manual one of its network.
func TestMonitorEnforcesManualBansAlone(t *testing.T) {
	o := enforcing()
	o.Monitor = true
	r := newRig(t, o)
	probe := packet.Connect(scanner6, host6, 1000).Bytes()
	if err := r.AddBan(event.Ban{Source: netip.PrefixFrom(scanner6, 128), Grade: event.Proven}); err != nil {
		t.Fatal(err)
	}
	if got := r.verdict(probe); got != "pass counted" {
		t.Errorf("under a proven ban: %q", got)
	}
	banned(t, r, "2001:db8:bad::/64")
	if got := r.verdict(probe); got != "drop banned" {
		t.Errorf("under a manual ban of its network too: %q", got)
	}
}

// TestWatchedAddressIsScoredAlone: a scanner of one's own, whose failures
// bring no ban, does not bring one to the next client of its network.
func TestWatchedAddressIsScoredAlone(t *testing.T) {
	r := newRig(t, enforcing())
	watch := []ListEntry{{Prefix: netip.PrefixFrom(scanner6, 128), Watch: true}}
	if _, err := r.SyncList(Allow, watch, nil); err != nil {
		t.Fatal(err)
	}
	for port := range uint16(20) {
		r.run(packet.Connect(scanner6, host6, 1000+port).Bytes())
	}
	if got := r.drain(); len(got) != 2 || got[1].Verdict != event.VerdictWouldBan {
		t.Errorf("events of the watched one: %+v", got)
	}
	for port := range uint16(7) {
		if got := r.verdict(packet.Connect(neighbour, host6, 2000+port).Bytes()); got != "pass counted" {
			t.Errorf("failure %d of its neighbour: %q", port+1, got)
		}
	}
}
