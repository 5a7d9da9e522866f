// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"net/netip"
)

// view is what the model reads out of a frame.
type view struct {
	group, ours bool // destination MAC
	overtagged  bool // more than 16 VLAN tags
	v6          bool
	src, dst    netip.Addr // 16 bytes, IPv4 mapped
	ttl         byte
	df          bool // IPv6: always
	id          uint16
	flowLabel   uint32
	later       bool // a fragment without ports
	first       bool // a fragment with ports
	endless     bool // more than 16 extension headers
	addressed   bool // src and dst are known
	protocol    byte
	length      int // of the transport segment, by the IP header
	body        []byte

	sport, dport uint16
	chunk        byte // SCTP

	seq, ack uint32
	flags    byte
	window   uint16
	header   int
	payload  int
	kinds    string // of the TCP options, in order, at most 12
	mss      uint16
	oddStamp bool // a timestamp of 0xffffffff
}

const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
	protoSCTP   = 132
)

var be = binary.BigEndian

// parseLink reads an Ethernet frame down to the transport header. reason is
// why it cannot, "" if it can. The model's host has MAC 0.
func parseLink(frame []byte) (v view, reason string) {
	v.group, v.ours = frame[0]&1 == 1, [6]byte(frame[:6]) == [6]byte{}
	kind, rest := be.Uint16(frame[12:]), frame[14:]
	isVLAN := func() bool { return kind == 0x8100 || kind == 0x88a8 }
	for tags := 0; isVLAN(); tags++ {
		v.overtagged = tags == 16
		if v.overtagged || len(rest) < 4 {
			return v, "pass bad-vlan"
		}
		kind, rest = be.Uint16(rest[2:]), rest[4:]
	}
	switch kind {
	case 0x0800:
		if !v.parseIPv4(rest) {
			return v, "pass bad-ipv4"
		}
	case 0x86dd:
		if !v.parseIPv6(rest) {
			return v, "pass bad-ipv6"
		}
	default:
		return v, "pass not-ip"
	}
	return v, ""
}

func (v *view) parseIPv4(b []byte) bool {
	if len(b) < 20 || b[0]>>4 != 4 {
		return false
	}
	header, total := int(b[0]&0xf)*4, int(be.Uint16(b[2:]))
	if header < 20 || total < header || len(b) < header {
		return false
	}
	frag := be.Uint16(b[6:])
	v.id, v.ttl, v.protocol = be.Uint16(b[4:]), b[8], b[9]
	v.df, v.later = frag&0x4000 != 0, frag&0x1fff != 0
	v.first = !v.later && frag&0x2000 != 0
	v.src = netip.AddrFrom16(netip.AddrFrom4([4]byte(b[12:])).As16())
	v.dst = netip.AddrFrom16(netip.AddrFrom4([4]byte(b[16:])).As16())
	v.length, v.body, v.addressed = total-header, b[header:], true
	return true
}

func (v *view) parseIPv6(b []byte) bool {
	if len(b) < 40 || b[0]>>4 != 6 {
		return false
	}
	v.v6, v.df = true, true
	v.flowLabel = be.Uint32(b) & 0xfffff
	v.length, v.protocol, v.ttl = int(be.Uint16(b[4:])), b[6], b[7]
	v.src, v.dst = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
	if v.src.Is4In6() {
		return false
	}
	v.addressed = true
	rest := b[40:]
	for n := 0; isExtension(v.protocol); n++ {
		if n == 16 {
			v.endless = true
			break
		}
		if v.later {
			break
		}
		if len(rest) < 4 {
			return false
		}
		size := (int(rest[1]) + 1) * 8
		switch v.protocol {
		case 44:
			size = 8
			field := be.Uint16(rest[2:])
			v.later, v.first = field&0xfff8 != 0, field&0xfff8 == 0 && field&1 != 0
		case 51:
			size = (int(rest[1]) + 2) * 4
		}
		if size > v.length {
			return false
		}
		v.protocol, v.length = rest[0], v.length-size
		rest = rest[min(size, len(rest)):]
	}
	v.body = rest
	return true
}

// isExtension: hop-by-hop, routing, fragment, authentication, destination.
func isExtension(protocol byte) bool {
	switch protocol {
	case 0, 43, 44, 51, 60:
		return true
	}
	return false
}

func (v *view) parseTCP() bool {
	b := v.body
	if len(b) < 20 {
		return false
	}
	v.sport, v.dport = be.Uint16(b), be.Uint16(b[2:])
	v.seq, v.ack = be.Uint32(b[4:]), be.Uint32(b[8:])
	v.header, v.flags, v.window = int(b[12]>>4)*4, b[13], be.Uint16(b[14:])
	if v.header < 20 || v.header > v.length {
		return false
	}
	v.payload = v.length - v.header
	v.parseOptions(b[20:])
	return true
}

// parseOptions: rest is the remainder of the frame, which may be shorter or
// longer than the options.
func (v *view) parseOptions(rest []byte) {
	left := v.header - 20
	for len(v.kinds) < 12 && left > 0 && len(rest) > 0 {
		kind := rest[0]
		v.kinds += string([]byte{min(kind, 14)})
		if kind == 0 {
			return
		}
		size := 1
		if kind != 1 {
			if len(rest) < 2 {
				return
			}
			if size = int(rest[1]); size < 2 || size > left {
				return
			}
		}
		if kind == 2 && size == 4 && len(rest) >= 4 {
			v.mss = be.Uint16(rest[2:])
		}
		if kind == 8 && size == 10 && len(rest) >= 6 {
			v.oddStamp = be.Uint32(rest[2:]) == 0xffffffff
		}
		left -= size
		rest = rest[min(size, len(rest)):]
	}
}

func (v *view) parseUDP() bool {
	if len(v.body) < 8 || v.length < 8 {
		return false
	}
	v.sport, v.dport = be.Uint16(v.body), be.Uint16(v.body[2:])
	v.payload = v.length - 8
	return true
}

func (v *view) parseSCTP() bool {
	if len(v.body) < 13 {
		return false
	}
	v.sport, v.dport, v.chunk = be.Uint16(v.body), be.Uint16(v.body[2:]), v.body[12]
	return true
}

// isTiny: a first fragment that ends inside the TCP header.
func (v *view) isTiny() bool {
	if !v.first || v.protocol != protoTCP {
		return false
	}
	if len(v.body) >= 4 {
		v.dport = be.Uint16(v.body[2:])
	}
	return v.length < 20 || (len(v.body) >= 20 && v.length < int(v.body[12]>>4)*4)
}

// isEssential: ICMP errors and neighbour discovery.
func (v *view) isEssential() bool {
	if v.later || len(v.body) == 0 {
		return false
	}
	t := v.body[0]
	switch v.protocol {
	case protoICMP:
		return t == 3 || t == 11 || t == 12
	case protoICMPv6:
		return t < 128 || t >= 130 && t <= 137 || t == 143
	}
	return false
}

// isUnicast: IPv6 multicast, IPv4 multicast and the broadcast address are
// not, nor is what comes in a group frame.
func (v *view) isUnicast() bool {
	if v.v6 {
		return !v.group && v.dst.As16()[0] != 0xff
	}
	dst := v.dst.Unmap()
	return !v.group && !dst.IsMulticast() && dst != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}
