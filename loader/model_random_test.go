// SPDX-License-Identifier: MIT

package loader

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"

	"denmap/testenv/packet"
)

// rolls makes random sequences for one lab.
type rolls struct {
	*rand.Rand
	sources []netip.Addr
	targets []netip.Addr
	ports   []uint16
	waits   []time.Duration
	toggles int
}

func pick[T any](r *rolls, from []T) T { return from[r.IntN(len(from))] }

// some returns up to n of from: a sequence with few sources and ports has
// the more repetitions and crossings.
func some[T any](r *rolls, from []T, n int) []T {
	out := make([]T, 1+r.IntN(n))
	for i := range out {
		out[i] = pick(r, from)
	}
	return out
}

// shapes are the frames that sequences are made of.
var shapes = []func(src, dst netip.Addr, port uint16) packet.TCP{
	packet.Connect, packet.Connect, packet.Connect, packet.Nmap, packet.Masscan, packet.Hping3, packet.Zmap2,
	flags(0), flags(packet.FIN), flags(packet.FIN | packet.PSH | packet.URG), flags(packet.ACK),
	flags(packet.FIN | packet.ACK), flags(packet.SYN | packet.ACK), flags(packet.RST), flags(packet.SYN | packet.FIN),
}

var optionLists = [][]byte{
	nil, packet.MSS1460, packet.LinuxSYN, packet.Timestamp,
	{2, 4, 0x05, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2},                                      // zmap, Windows order
	{2, 4, 0x05, 0xb4, 1, 3, 3, 6, 1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 4, 2, 0, 0}, // zmap, BSD order
	{3, 3, 10, 1, 2, 4, 5, 0xb4, 4, 2, 1, 1},                                        // nmap -O
	{8, 10, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 1},
	{34, 2, 2, 4, 0x02, 0x18, 1, 1}, // fast open
}

// sequence returns n steps that dwell on a few sources, targets and ports.
func (r *rolls) sequence(n int) []step {
	sources, targets := some(r, r.sources, 5), some(r, r.targets, 4)
	ports := append(some(r, r.ports, 60), some(r, r.ports, 8)...)
	builders := some(r, shapes, 6)
	waits := append(some(r, r.waits, 4), make([]time.Duration, r.IntN(60))...)
	steps := make([]step, 0, n)
	for range n {
		s := step{wait: pick(r, waits)}
		if r.toggles > 0 && r.IntN(80) == 0 {
			s.toggle = 1 + r.IntN(r.toggles)
			steps = append(steps, s)
			continue
		}
		if r.IntN(30) == 0 {
			s.settle = true
			steps = append(steps, s)
			continue
		}
		src := pick(r, sources)
		dst := pick(r, targets)
		for dst.Is4() != src.Is4() {
			dst = pick(r, r.targets)
		}
		s.p, s.via = pick(r, builders)(src, dst, pick(r, ports)), protoTCP
		if r.toggles > 0 && r.IntN(12) == 0 {
			steps = append(steps, r.handshake(s.wait)...)
			continue
		}
		if r.IntN(20) == 0 {
			steps = append(steps, r.halfOpen(s)...)
			continue
		}
		r.vary(&s)
		steps = append(steps, s)
	}
	return steps
}

// handshake is that of the one source that really connects, or part of it.
func (r *rolls) handshake(wait time.Duration) (steps []step) {
	n := r.IntN(4)
	syn := packet.Connect(scanner4, host4, 81+uint16(n))
	next := syn
	next.Flags, next.Seq, next.Options = pick(r, []byte{packet.ACK, packet.ACK | packet.PSH, packet.RST | packet.ACK}), syn.Seq+1, packet.Timestamp
	toggle := step{toggle: 7 + n}
	for i, s := range []step{toggle, {wait: wait, via: protoTCP, p: syn}, toggle, {via: protoTCP, p: next}} {
		if i == 1 || r.IntN(8) > 0 {
			steps = append(steps, s)
		}
	}
	return steps
}

// halfOpen is a SYN and what may come next, with or without the right
// sequence number.
func (r *rolls) halfOpen(s step) []step {
	r.vary(&s)
	if s.via != protoTCP {
		return []step{s}
	}
	next := s
	next.wait, next.p.Options, next.p.Payload = pick(r, r.waits), nil, nil
	next.p.Flags = pick(r, []byte{packet.RST, packet.RST, packet.RST | packet.ACK, packet.ACK})
	next.p.Seq += pick(r, []uint32{1, 1, 1, 1, 0, 2})
	return []step{s, next}
}

// vary changes now and then what the rules look at.
func (r *rolls) vary(s *step) {
	switch r.IntN(24) {
	case 0, 1, 2, 3:
		r.datagram(s)
	case 4:
		s.via, s.p.Flags = protoSCTP, pick(r, []byte{0, 1, 10, 10, 1, 2})
	case 5:
		s.via, s.p.Payload = pick(r, modelProtocols), []byte{1, 2, 3, 4}
	case 6:
		s.via, s.p.Payload = pick(r, []byte{1, 58}), []byte{pick(r, []byte{0, 3, 8, 11, 128, 129, 135, 143}), 0, 0, 0}
	case 7:
		s.p.Flags = byte(r.Uint32())
	case 8:
		s.p.Options = pick(r, optionLists)
	case 9:
		s.p.Window = pick(r, []uint16{1, 3, 512, 1024, 1025, 1480, 2048, 4096, 8192, 64240, 65535})
	case 10:
		s.p.TTL = pick(r, []byte{1, 30, 31, 37, 64, 65, 255})
	case 11:
		s.p.DF = !s.p.DF
	case 12:
		s.p.Ack = pick(r, []uint32{0, 1})
	case 13:
		s.p.Payload = []byte("x")
	case 14:
		s.p.ID, s.p.Seq = pick(r, []uint16{1, 4162, 54321}), 0
	case 15:
		r.wrap(s)
	case 16:
		s.p.SrcPort, s.p.DstPort = 8080, 45000 // of the connection that is open
	case 17, 18:
		s.p.Flags = pick(r, []byte{packet.ACK, packet.ACK | packet.PSH, packet.ACK | packet.FIN, packet.RST})
		s.p.Seq += pick(r, []uint32{1, 1, 1, 2, 0, 1<<20 + 1, 1<<20 + 2})
	}
}

// datagram makes a UDP packet, or the answer to one.
func (r *rolls) datagram(s *step) {
	s.via, s.p.Payload = protoUDP, []byte("x")
	switch r.IntN(6) {
	case 0:
		s.p.SrcPort = pick(r, []uint16{53, 123, 1023, 1024, 5353})
	case 1:
		s.p.TTL = pick(r, []byte{1, 12, 13, 30, 31})
	case 2:
		s.p.ID, s.p.Payload = 4162, make([]byte, 300)
	case 3:
		s.p.ID = 54321
	}
}

// wrap changes what is around the segment.
func (r *rolls) wrap(s *step) {
	switch r.IntN(7) {
	case 6:
		s.p.Extensions = []packet.Extension{{Number: 60, Body: []byte{255, 1, 4, 0, 0, 0, 0}}} // longer than the packet
	case 0:
		s.p.DstMAC = pick(r, [][6]byte{{2, 0, 0, 0, 0, 9}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}})
	case 1:
		s.p.VLANs = pick(r, [][]uint16{
			{0x8100}, {0x88a8, 0x8100}, {0x88a8, 0x8100, 0x8100}, slices.Repeat([]uint16{0x8100}, 16), slices.Repeat([]uint16{0x8100}, 17),
		})
	case 2:
		s.p.Fragment = pick(r, []uint16{0x2000, 0x2001, 1, 0x1fff})
	case 3:
		s.p.IPOptions = []byte{1, 1, 1, 1}
	case 4:
		for range r.IntN(19) {
			s.p.Extensions = append(s.p.Extensions, packet.Extension{Number: 60, Body: []byte{0, 1, 4, 0, 0, 0, 0}})
		}
		if r.IntN(2) == 0 {
			s.p.Extensions = append(s.p.Extensions, packet.Extension{Number: 51, Body: []byte{2, 14: 0}})
		}
	case 5:
		s.p.Extensions = []packet.Extension{{Number: 44, Body: []byte{0, 0, byte(r.IntN(2)), 0, 0, 0, 1}}}
	}
}

var modelProtocols = []byte{2, 47, 59, 150, 151, 152, 153, 154}

var modelSources = []string{
	"203.0.113.7", "203.0.113.8", "203.0.113.9", "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5",
	"2001:db8:bad::7", "2001:db8:bad::8", "2001:db8:bad::9", "2001:db8:bad:1::1", "2001:db8:bad:100::1",
	"2001:db8:1::7", "2001:db8:1::8", "fe80::7", "fe80::8", "64:ff9b::203.0.113.7", "2001:db8:bad::4", "2001:db8:bad::5", "2001:db8:bad::6",
}

var modelLists = map[string]listing{
	"192.0.2.1": protected, "192.0.2.2": watched, "192.0.2.3": allowed, "192.0.2.4": denied, "192.0.2.5": manuallyBanned,
	"2001:db8:bad::4": denied, "2001:db8:bad::5": protected, "2001:db8:bad::6": watched,
}

// furnish gives the lab sockets, a second address of each family, lists and
// neighbours, and returns what to roll.
func (l *modelLab) furnish(rng *rand.Rand, nat bool) *rolls {
	l.t.Helper()
	second4, second6 := netip.MustParseAddr("198.51.100.2"), netip.MustParseAddr("2001:db8:1::2")
	l.host = Host{
		Own:    []netip.Addr{host4, host6, second4, second6},
		OnLink: []netip.Prefix{netip.MustParsePrefix("2001:db8:1::/64")},
		NAT:    nat,
	}
	r := &rolls{Rand: rng, targets: []netip.Addr{
		host4, host4, host4, second4, foreign4, host6, host6, host6, second6, netip.MustParseAddr("2001:db8:1::99"),
	}}
	for _, text := range modelSources {
		r.sources = append(r.sources, netip.MustParseAddr(text))
	}
	entries := make(map[ListName][]ListEntry)
	for text, what := range modelLists {
		a := netip.MustParseAddr(text)
		l.lists[netip.AddrFrom16(a.As16())] = what
		prefix := netip.PrefixFrom(a, a.BitLen())
		switch what {
		case protected:
			l.host.Protected = append(l.host.Protected, a)
		case denied:
			entries[Deny] = append(entries[Deny], ListEntry{Prefix: prefix})
		case allowed, watched:
			entries[Allow] = append(entries[Allow], ListEntry{Prefix: prefix, Watch: what == watched})
		}
	}
	if err := l.SetHost(l.host); err != nil {
		l.t.Fatal(err)
	}
	for list, e := range entries {
		if _, err := l.SyncList(list, e, nil); err != nil {
			l.t.Fatal(err)
		}
	}
	l.openSockets()
	r.toggles = len(l.sockets) - l.steady
	r.ports = []uint16{80, 443, 81, 82, 83, 84, 81, 82, 83, 84, 8080, 53, 5353, 40001, 45000, 32999, 33000, 33433, 33434, 33534, 33535, 44444, 44545, 40000, 40002, 60999, 61000, 0, 65535, 32767, 32768}
	for port := range uint16(60) {
		r.ports = append(r.ports, 1000+port)
	}
	r.waits = modelWaits(l.o.Settings)
	return r
}

// openSockets: those that sequences open and close come first.
func (l *modelLab) openSockets() {
	l.t.Helper()
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		l.t.Fatal(err)
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: scanner4.AsSlice(), Mask: net.CIDRMask(32, 32)}}
	if err := netlink.AddrAdd(lo, addr); err != nil {
		l.t.Fatal(err)
	}
	l.sockets = []*modelSocket{
		{network: "tcp", addr: host4, port: 80}, {network: "tcp", addr: netip.IPv6Unspecified(), port: 443},
		{network: "tcp", addr: host6, port: 8080}, {network: "udp", addr: host4, port: 53},
		{network: "udp", addr: netip.IPv6Unspecified(), port: 5353}, {network: "udp", addr: host6, port: 40001},
	}
	theirs := &modelSocket{network: "tcp", addr: scanner4, port: 8080}
	ours := &modelSocket{
		network: "tcp", addr: host4, port: 45000, outbound: true, listener: theirs, peer: netip.AddrPortFrom(scanner4, 8080),
	}
	steady := []*modelSocket{ours, theirs}
	for port := range uint16(4) {
		mine := &modelSocket{network: "tcp", addr: host4, port: 81 + port}
		steady = append(steady, mine)
		l.sockets = append(l.sockets, &modelSocket{
			network: "tcp", addr: host4, port: mine.port, listener: mine, peer: netip.AddrPortFrom(scanner4, 40000),
		})
	}
	l.sockets, l.steady = append(l.sockets, steady...), len(steady)
	for i := len(l.sockets) - 1; i >= 0; i-- {
		l.toggle(l.sockets[i])
	}
}

// modelWaits are times at which something may end, and near them.
func modelWaits(s Settings) []time.Duration {
	waits := []time.Duration{
		0, time.Millisecond, time.Second, 15 * time.Second, time.Minute, time.Hour, 23 * time.Hour, 24 * time.Hour,
		s.Decay * 128, s.Decay * 127, 1 << 28, 1<<28 - 1, 1 << 22,
		3 * time.Second, 3001 * time.Millisecond, staleMS * time.Millisecond, (staleMS + 1) * time.Millisecond, answerTicks << 22, answerTicks<<22 - 1,
	}
	for _, whole := range []time.Duration{s.Decay, s.Decay / 2, s.Decay / 4, s.Decay / 16, 2 * s.Decay, 3 * s.Decay, s.BanDuration, s.BanDuration / 2} {
		waits = append(waits, whole, whole-time.Millisecond, whole+time.Millisecond, whole)
	}
	return waits
}

// randomOptions are settings that a configuration may have.
func randomOptions(rng *rand.Rand) RunnerOptions {
	alert, udpAlert := 1+rng.IntN(6), 1+rng.IntN(8)
	s := Settings{
		AlertScore: alert, BanScore: alert + rng.IntN(8), UDPAlert: udpAlert, UDPBan: udpAlert + rng.IntN(24),
		Decay:      []time.Duration{30 * time.Minute, time.Minute, time.Second, 7 * time.Second, time.Hour}[rng.IntN(5)],
		IPv6Prefix: []int{64, 56, 48, 128}[rng.IntN(4)], DropCrafted: rng.IntN(3) > 0,
		BanDuration: []time.Duration{10 * time.Minute, time.Second, time.Minute, time.Hour}[rng.IntN(4)],
		IgnorePorts: []uint16{1003, 65535}, BanMultiplier: rng.IntN(5), BanMax: 24 * time.Hour,
	}
	return RunnerOptions{Settings: s, Monitor: rng.IntN(5) == 0, Bridged: rng.IntN(3) == 0, EntryLimit: rng.IntN(3)}
}
