// SPDX-License-Identifier: MIT

package replay

import (
	"bytes"
	"encoding/binary"

	"github.com/gopacket/gopacket/layers"
)

// Link types by their number in pcap files (tcpdump.org/linktypes.html)
// that the library has no name for.
const (
	linkRawOpenBSD layers.LinkType = 14
	linkRawBSD     layers.LinkType = 12
	linkPPPHDLC    layers.LinkType = 50
	linkSLL2       layers.LinkType = 276
)

const (
	ethernetHeader = 14
	maxHeader      = 20 // of any link type
)

// toEthernet gives a packet of any known link type an Ethernet header, nil
// if it has none to be given. The copy is the caller's.
func toEthernet(link layers.LinkType, data []byte) []byte {
	switch link {
	case layers.LinkTypeEthernet:
		if len(data) < ethernetHeader {
			return nil
		}
		return unwrap(data)
	case layers.LinkTypeRaw, linkRawBSD, linkRawOpenBSD, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
		return withHeader(data)
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		if len(data) < 4 {
			return nil
		}
		return withHeader(data[4:])
	case layers.LinkTypePPP, linkPPPHDLC:
		return fromPPP(bytes.TrimPrefix(data, []byte{0xff, 0x03}))
	case layers.LinkTypeLinuxSLL:
		return cooked(data, 14, 1, 16)
	case linkSLL2:
		return cooked(data, 0, 10, 20)
	}
	return nil
}

// oldQinQ is the tag that switches put around others before IEEE 802.1ad.
const oldQinQ layers.EthernetType = 0x9100

// unwrap takes off what a capture from a provider's link has between the
// Ethernet header and IP, and a host would not: VLAN tags in any number, and
// PPPoE (RFC 2516 4). The copy is the caller's.
func unwrap(frame []byte) []byte {
	etherType, rest := layers.EthernetType(binary.BigEndian.Uint16(frame[12:])), frame[ethernetHeader:]
	for isTag(etherType) && len(rest) >= 4 {
		etherType, rest = layers.EthernetType(binary.BigEndian.Uint16(rest[2:])), rest[4:]
	}
	out := header14(uint16(etherType), rest)
	if etherType == layers.EthernetTypePPPoESession && len(rest) >= 6 {
		if inside := fromPPP(rest[6:]); inside != nil {
			out = inside
		}
	}
	copy(out, frame[:12])
	return out
}

func isTag(t layers.EthernetType) bool {
	return t == layers.EthernetTypeDot1Q || t == layers.EthernetTypeQinQ || t == oldQinQ
}

// fromPPP gives IP in PPP (RFC 1661 2) an Ethernet header; nil: no IP.
func fromPPP(data []byte) []byte {
	if len(data) < 2 {
		return nil
	}
	switch layers.PPPType(binary.BigEndian.Uint16(data)) {
	case layers.PPPTypeIPv4:
		return header14(uint16(layers.EthernetTypeIPv4), data[2:])
	case layers.PPPTypeIPv6:
		return header14(uint16(layers.EthernetTypeIPv6), data[2:])
	}
	return nil
}

// What a Linux cooked header says of a packet that was sent to many:
// PACKET_BROADCAST and PACKET_MULTICAST of linux/if_packet.h.
const (
	cookedBroadcast = 1
	cookedMulticast = 2
)

// cooked unwraps a Linux cooked header whose protocol field and low byte of
// the packet type are at the given offsets.
func cooked(data []byte, protocol, kind, header int) []byte {
	if len(data) < header {
		return nil
	}
	frame := unwrap(header14(binary.BigEndian.Uint16(data[protocol:]), data[header:]))
	if data[kind] == cookedBroadcast || data[kind] == cookedMulticast {
		frame[0] = groupBit
	}
	return frame
}

// groupBit of a frame's first byte: meant for many (IEEE 802).
const groupBit = 1

// address tells the program that a frame is meant for one host. Programs
// that write captures, and tools that do not know their neighbour, put the
// broadcast address in front of packets to one. A host that is asked over
// TCP, or that speaks itself, is no group.
func address(a arrival, known *knowledge) {
	if a.seen.dst.protocol == layers.IPProtocolTCP || known.speaks[a.seen.dst.addr] {
		a.frame.data[0] &^= groupBit
	}
}

// withHeader tells IPv4 from IPv6 by the version nibble.
func withHeader(ip []byte) []byte {
	if len(ip) == 0 {
		return nil
	}
	switch ip[0] >> 4 {
	case 4:
		return header14(uint16(layers.EthernetTypeIPv4), ip)
	case 6:
		return header14(uint16(layers.EthernetTypeIPv6), ip)
	}
	return nil
}

func header14(etherType uint16, payload []byte) []byte {
	out := make([]byte, ethernetHeader, ethernetHeader+len(payload))
	binary.BigEndian.PutUint16(out[12:], etherType)
	return append(out, payload...)
}
