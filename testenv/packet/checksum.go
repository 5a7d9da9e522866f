// SPDX-License-Identifier: MIT

package packet

import "encoding/binary"

// Finish fills the checksums of an IP packet in, without a link header,
// as it must be to pass a bridge or a stack. It knows TCP and UDP without
// IPv6 extension headers, and leaves later fragments' payload alone. It
// returns ip.
func Finish(ip []byte) []byte {
	if ip[0]>>4 == 6 {
		finishTransport(ip[6], ip[8:40], ip[40:])
		return ip
	}
	header := ip[:int(ip[0]&0xf)*4]
	header[10], header[11] = 0, 0
	binary.BigEndian.PutUint16(header[10:], fold(sum(0, header)))
	if binary.BigEndian.Uint16(header[6:])&0x1fff == 0 {
		finishTransport(header[9], header[12:20], ip[len(header):])
	}
	return ip
}

// finishTransport needs the addresses for the pseudo header (RFC 9293
// 3.1, RFC 8200 8.1).
func finishTransport(protocol byte, addresses, segment []byte) {
	at := 16
	switch {
	case protocol == 17:
		at = 6
	case protocol != 6:
		return
	}
	if len(segment) < at+2 {
		return
	}
	segment[at], segment[at+1] = 0, 0
	s := sum(uint32(protocol)+uint32(len(segment)), addresses)
	binary.BigEndian.PutUint16(segment[at:], fold(sum(s, segment)))
}

// sum adds b to a ones' complement sum (RFC 1071).
func sum(s uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}
