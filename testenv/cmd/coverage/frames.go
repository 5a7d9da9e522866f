// SPDX-License-Identifier: MIT

package main

import (
	"net/netip"

	"denmap/testenv"
	"denmap/testenv/packet"
)

// IPv6 extension headers (RFC 8200 4), each of 8 bytes.
var (
	hopByHop           = packet.Extension{Number: 0, Body: []byte{0, 1, 4, 0, 0, 0, 0}}
	destinationOptions = packet.Extension{Number: 60, Body: []byte{0, 1, 4, 0, 0, 0, 0}}
	routing            = packet.Extension{Number: 43, Body: []byte{0, 0, 0, 0, 0, 0, 0}}
	atomicFragment     = packet.Extension{Number: 44, Body: []byte{0, 0, 0, 0, 0, 0, 1}}
)

// handmadePorts is how many ports a scan of handmade frames asks.
const handmadePorts = 40

func times(n int, e packet.Extension) []packet.Extension {
	out := make([]packet.Extension, n)
	for i := range out {
		out[i] = e
	}
	return out
}

// chain is nmap's SYN behind IPv6 extension headers, which no scanner of
// the lab sends. A header is a packet.Extension or several of them.
func chain(name, kind string, headers ...any) scan {
	var all []packet.Extension
	for _, h := range headers {
		switch h := h.(type) {
		case packet.Extension:
			all = append(all, h)
		case []packet.Extension:
			all = append(all, h...)
		}
	}
	return scan{name: "SYN behind " + name, kind: kind, most: twoPoints, only: 6, run: func(s *site) testenv.Result {
		return s.send(func(i int) packet.TCP {
			p := packet.Nmap(s.from, s.to, uint16(1+i))
			p.Extensions = all
			return p
		})
	}}
}

// hopping is a scan whose every probe comes from another address of one
// /64, as a provider gives to a customer.
func hopping() scan {
	return scan{name: "nmap's SYNs, each from another address of a /64", kind: "syn", tool: "nmap", most: twoPoints, only: 6,
		evasion: true, plain: plainly, hops: handmadePorts, run: func(s *site) testenv.Result {
			sources := s.hops(handmadePorts)
			return s.send(func(i int) packet.TCP { return packet.Nmap(sources[i], s.to, uint16(1+i)) })
		}}
}

// handmade is what a scanner sends that the lab cannot have.
func handmade(name, tool string, most int, build func(from, to netip.Addr, port uint16) packet.TCP) scan {
	return scan{name: name, kind: "syn", tool: tool, most: most, run: func(s *site) testenv.Result {
		return s.send(func(i int) packet.TCP { return build(s.from, s.to, uint16(1+i)) })
	}}
}

// newMasscan is the SYN of masscan since version 1.3.9, as its source says.
func newMasscan(from, to netip.Addr, port uint16) packet.TCP {
	p := packet.Masscan(from, to, port)
	p.Window, p.Options = 1025, packet.MSS1460
	return p
}

// naabu is the SYN that naabu 2.3.4 has its kernel send (recorded).
func naabu(from, to netip.Addr, port uint16) packet.TCP {
	p := packet.Connect(from, to, port)
	p.Window, p.Options, p.Seq = 1024, packet.MSS1460, uint32(port)
	return p
}

// sx is the SYN of sx 0.5, as its source says.
func sx(from, to netip.Addr, port uint16) packet.TCP {
	p := packet.Connect(from, to, port)
	p.ID, p.Options, p.Seq = port*7, packet.SxSYN, uint32(port)*65537
	return p
}

// furious is the SYN of furious, whose kernel makes the IP header.
func furious(from, to netip.Addr, port uint16) packet.TCP {
	p := packet.Connect(from, to, port)
	p.Window, p.Options, p.Seq = 14600, nil, 1105024978
	return p
}

// likeKernel is a raw sender whose SYNs are those of a Linux kernel.
func likeKernel() scan {
	return scan{name: "raw SYNs that copy a Linux kernel's", kind: "connect", tool: "kernel-connect", most: onePoint,
		evasion: true, plain: plainly, run: func(s *site) testenv.Result {
			return s.send(func(i int) packet.TCP { return packet.Connect(s.from, s.to, uint16(1+i)) })
		}}
}

// send sends handmade packets from the attacker's link.
func (s *site) send(build func(i int) packet.TCP) testenv.Result {
	frames := make([][]byte, handmadePorts)
	for i := range frames {
		p := build(i)
		p.Raw = true
		frames[i] = p.Bytes()
		if len(p.Extensions) == 0 {
			packet.Finish(frames[i])
		}
	}
	s.attacker.SendFrame(uplink, s.victim.MAC(uplink), nil, frames...)
	return testenv.Result{}
}

// hops returns n addresses of one /64 that is not the link's.
func (s *site) hops(n int) (out []netip.Addr) {
	raw := netip.MustParseAddr("2001:db8:77::").As16()
	for i := range n {
		raw[8], raw[15] = 0x5e, byte(1+i)
		out = append(out, netip.AddrFrom16(raw))
	}
	return out
}
