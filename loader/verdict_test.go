// SPDX-License-Identifier: MIT

package loader

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"denmap/testenv/packet"
)

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
	tags := func(n int) []byte {
		p := data
		p.VLANs = slices.Repeat([]uint16{0x8100}, n)
		return p.Bytes()
	}
	optioned := packet.NmapFlags(scanner4, host4, 80, packet.FIN)
	optioned.IPOptions = bytes.Repeat([]byte{1}, 40)
	chained := packet.NmapFlags(scanner6, host6, 80, packet.FIN)
	for range 12 {
		chained.Extensions = append(chained.Extensions, packet.Extension{Number: 60, Body: []byte{0, 1, 4, 0, 0, 0, 0}})
	}
	tiny := packet.Nmap(scanner4, host4, 80)
	tiny.Fragment = 0x2000
	tcp := func(flags byte) packet.TCP { return packet.NmapFlags(scanner4, host4, 80, flags) }
	answer := func(flags byte) packet.TCP {
		p := tcp(flags)
		p.Window = 0
		return p
	}
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
		{"masscan 1.3.9's SYN to an open port", with(packet.Masscan, masscanMSS)(scanner4, host4, open).Bytes(), "drop crafted"},
		{"the same with another id", with(packet.Masscan, func(p *packet.TCP) { masscanMSS(p); p.ID++ })(scanner4, host4, open).Bytes(), "pass open"},
		{"SYN to another host", foreign.Bytes(), "pass waiting"},
		{"SYN to another MAC", otherMAC.Bytes(), "pass foreign"},
		{"SYN+ACK", answer(packet.SYN | packet.ACK).Bytes(), "pass backscatter"},
		{"RST", answer(packet.RST).Bytes(), "pass backscatter"},
		{"RST+ACK", answer(packet.RST | packet.ACK).Bytes(), "pass backscatter"},
		{"RST in nmap's header", tcp(packet.RST).Bytes(), "pass counted"},
		{"RST in nmap's header to an ephemeral port", func() []byte {
			p := tcp(packet.RST)
			p.DstPort = 40000
			return p.Bytes()
		}(), "pass answer"},
		{"SYN to a closed port", packet.Connect(scanner4, host4, 81).Bytes(), "pass counted"},
		{"the same again", packet.Connect(scanner4, host4, 81).Bytes(), "pass repeated"},
		{"data behind 16 VLAN tags", tags(16), "pass established"},
		{"data behind 17 VLAN tags", tags(17), "drop crafted"},
		{"16 VLAN tags and nothing", tags(17)[:14+16*4], "drop crafted"},
		{"16 VLAN tags, cut off", tags(17)[:14+16*4-1], "pass bad-vlan"},
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

// TestNobodyHidesBehindTags: Linux takes off any number of tags that name no
// VLAN, so all that are walked are looked behind, and what has more does not
// arrive.
func TestNobodyHidesBehindTags(t *testing.T) {
	lenient := enforcing()
	lenient.Settings.DropCrafted = false
	monitor := enforcing()
	monitor.Monitor = true
	for _, row := range []struct {
		name    string
		options RunnerOptions
		more    string // than 16 tags
	}{{"enforcing", enforcing(), "drop crafted"}, {"without drop_crafted", lenient, "pass bad-vlan"}, {"monitor", monitor, "pass bad-vlan"}} {
		r := newRig(t, row.options)
		banned(t, r, "203.0.113.7/32")
		for n := range 20 {
			p := packet.Connect(scanner4, host4, 1000)
			p.VLANs = slices.Repeat([]uint16{0x8100}, n)
			want := "drop banned"
			if n > 16 {
				want = row.more
			}
			if got := r.verdict(p.Bytes()); got != want {
				t.Errorf("%s: a banned source behind %d tags: %q", row.name, n, got)
			}
		}
		if err := r.Pause(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		p := packet.Connect(scanner4, host4, 1000)
		p.VLANs = slices.Repeat([]uint16{0x8100}, 17)
		if got := r.verdict(p.Bytes()); got[:4] != "pass" {
			t.Errorf("%s: 17 tags in a pause: %q", row.name, got)
		}
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
			p.VLANs = []uint16{0x88a8, 0x8100, 0x8100}
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
