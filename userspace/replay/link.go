// SPDX-License-Identifier: MIT

package replay

import (
	"encoding/binary"

	"github.com/gopacket/gopacket/layers"
)

// Link types by their number in pcap files (tcpdump.org/linktypes.html)
// that the library has no name for.
const (
	linkRawOpenBSD layers.LinkType = 14
	linkRawBSD     layers.LinkType = 12
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
		return append([]byte(nil), data...)
	case layers.LinkTypeRaw, linkRawBSD, linkRawOpenBSD, layers.LinkTypeIPv4, layers.LinkTypeIPv6:
		return withHeader(data)
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		if len(data) < 4 {
			return nil
		}
		return withHeader(data[4:])
	case layers.LinkTypeLinuxSLL:
		return cooked(data, 14, 16)
	case linkSLL2:
		return cooked(data, 0, 20)
	}
	return nil
}

// cooked unwraps a Linux cooked header whose protocol field is at the given
// offset.
func cooked(data []byte, protocol, header int) []byte {
	if len(data) < header {
		return nil
	}
	return header14(binary.BigEndian.Uint16(data[protocol:]), data[header:])
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
