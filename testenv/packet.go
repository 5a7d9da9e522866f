// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// counted is what a Counter wants to know of a frame.
type counted struct {
	source netip.Addr
	port   uint16 // destination port, TCP only
	flags  byte   // of TCP
}

// parseTCP decodes an Ethernet frame with any number of VLAN tags. It
// takes TCP only, and knows no IPv6 extension headers.
func parseTCP(frame []byte) (p counted, ok bool) {
	p, protocol, rest, ok := parseNetwork(frame)
	if !ok || protocol != unix.IPPROTO_TCP || len(rest) < 14 {
		return p, false
	}
	p.port, p.flags = binary.BigEndian.Uint16(rest[2:]), rest[13]
	return p, true
}

// parseIP takes every IP packet but ICMP.
func parseIP(frame []byte) (p counted, ok bool) {
	p, protocol, rest, ok := parseNetwork(frame)
	switch {
	case !ok || protocol == unix.IPPROTO_ICMP || protocol == unix.IPPROTO_ICMPV6:
		return p, false
	case protocol == unix.IPPROTO_TCP && len(rest) >= 14:
		p.port, p.flags = binary.BigEndian.Uint16(rest[2:]), rest[13]
	}
	return p, true
}

// parseNetwork returns what follows the network header; nothing in a later
// fragment, which has no ports.
func parseNetwork(frame []byte) (p counted, protocol byte, rest []byte, ok bool) {
	if len(frame) < 14 {
		return p, 0, nil, false
	}
	kind, rest := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	for kind == unix.ETH_P_8021Q || kind == unix.ETH_P_8021AD {
		if len(rest) < 4 {
			return p, 0, nil, false
		}
		kind, rest = binary.BigEndian.Uint16(rest[2:]), rest[4:]
	}
	switch {
	case kind == unix.ETH_P_IP && len(rest) >= 20:
		header := int(rest[0]&0x0f) * 4
		if header < 20 || len(rest) < header {
			return p, 0, nil, false
		}
		p.source, protocol = netip.AddrFrom4([4]byte(rest[12:16])), rest[9]
		if binary.BigEndian.Uint16(rest[6:])&0x1fff != 0 {
			return p, protocol, nil, true
		}
		return p, protocol, rest[header:], true
	case kind == unix.ETH_P_IPV6 && len(rest) >= 40:
		p.source, protocol = netip.AddrFrom16([16]byte(rest[8:24])), rest[6]
		return p, protocol, rest[40:], true
	}
	return p, 0, nil, false
}
