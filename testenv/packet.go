// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// tcpPacket is what a Counter wants to know of a frame.
type tcpPacket struct {
	source netip.Addr
	port   uint16 // destination port
	flags  byte
}

// parseTCP decodes an Ethernet frame with any number of VLAN tags. It
// knows no IPv6 extension headers: no scan of the lab that is counted
// sends them.
func parseTCP(frame []byte) (p tcpPacket, ok bool) {
	if len(frame) < 14 {
		return p, false
	}
	kind, rest := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	for kind == unix.ETH_P_8021Q || kind == unix.ETH_P_8021AD {
		if len(rest) < 4 {
			return p, false
		}
		kind, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	switch kind {
	case unix.ETH_P_IP:
		if len(rest) < 20 || rest[9] != unix.IPPROTO_TCP {
			return p, false
		}
		header := int(rest[0]&0x0f) * 4
		if header < 20 || len(rest) < header {
			return p, false
		}
		if binary.BigEndian.Uint16(rest[6:])&0x1fff != 0 {
			return p, false // a later fragment has no ports
		}
		p.source = netip.AddrFrom4([4]byte(rest[12:16]))
		rest = rest[header:]
	case unix.ETH_P_IPV6:
		if len(rest) < 40 || rest[6] != unix.IPPROTO_TCP {
			return p, false
		}
		p.source = netip.AddrFrom16([16]byte(rest[8:24]))
		rest = rest[40:]
	default:
		return p, false
	}
	if len(rest) < 14 {
		return p, false
	}
	p.port, p.flags = binary.BigEndian.Uint16(rest[2:]), rest[13]
	return p, true
}
