// SPDX-License-Identifier: MIT

package replay

import (
	"encoding/binary"
	"net/netip"

	"github.com/gopacket/gopacket/layers"
)

// endpoint is a port of a host; port 0 for protocols without.
type endpoint struct {
	addr     netip.Addr
	protocol layers.IPProtocol
	port     uint16
}

// packet is what the first pass sees of a frame.
type packet struct {
	src, dst endpoint
	syn, ack bool
	rst, fin bool
	payload  bool
	df       bool  // IPv4: not to be fragmented, as systems send TCP
	refuses  *flow // a datagram that an ICMP error says nobody wanted
}

// extensionDepth is how many IPv6 extension headers the program walks too:
// bpf/parse.h.
const extensionDepth = 16

// parse returns false for what is not IP. frame is as toEthernet returns it.
// It reads what the program reads, whatever else is wrong or was cut off by a
// short capture length: a packet that only one of them understood would be
// given a wrong outcome. Ports of later fragments, and of what is cut off
// before them, are zero.
func parse(frame []byte) (packet, bool) {
	if len(frame) < ethernetHeader {
		return packet{}, false
	}
	etherType := layers.EthernetType(binary.BigEndian.Uint16(frame[12:]))
	p, segment, length, ok := parseNetwork(etherType, frame[ethernetHeader:])
	if ok && segment != nil {
		p.readTransport(segment, length)
		p.refuses = refusal(p.src.protocol, segment)
	}
	return p, ok
}

// parseNetwork returns the transport segment as far as it was captured, nil
// in a later fragment, and how long it was on the wire.
func parseNetwork(etherType layers.EthernetType, ip []byte) (p packet, segment []byte, length int, ok bool) {
	switch {
	case etherType == layers.EthernetTypeIPv4 && len(ip) >= 20 && ip[0]>>4 == 4:
		header, total := int(ip[0]&0xf)*4, int(binary.BigEndian.Uint16(ip[2:]))
		if total == 0 {
			total = len(ip) // recorded where it was sent, before the card cut it up
		}
		if header < 20 || header > len(ip) || total < header {
			return p, nil, 0, false
		}
		p.between(netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20])), ip[9])
		p.df = ip[6]&0x40 != 0
		if binary.BigEndian.Uint16(ip[6:])&0x1fff != 0 {
			return p, nil, 0, true
		}
		return p, ip[header:], total - header, true
	case etherType == layers.EthernetTypeIPv6 && len(ip) >= 40 && ip[0]>>4 == 6:
		src, dst := netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40]))
		protocol, segment, length := walkExtensions(ip[6], ip[40:], int(binary.BigEndian.Uint16(ip[4:])))
		p.between(src, dst, protocol)
		return p, segment, length, true
	}
	return p, nil, 0, false
}

func (p *packet) between(src, dst netip.Addr, protocol byte) {
	p.src = endpoint{addr: src, protocol: layers.IPProtocol(protocol)}
	p.dst = endpoint{addr: dst, protocol: layers.IPProtocol(protocol)}
}

// walkExtensions steps over the IPv6 extension headers (RFC 8200 4) that
// rest begins with.
func walkExtensions(protocol byte, rest []byte, length int) (byte, []byte, int) {
	for range extensionDepth {
		size := 0
		switch layers.IPProtocol(protocol) {
		case layers.IPProtocolIPv6HopByHop, layers.IPProtocolIPv6Routing, layers.IPProtocolIPv6Destination:
			if len(rest) >= 2 {
				size = (int(rest[1]) + 1) * 8
			}
		case layers.IPProtocolAH:
			if len(rest) >= 2 {
				size = (int(rest[1]) + 2) * 4
			}
		case layers.IPProtocolIPv6Fragment:
			size = 8
			if len(rest) >= size && binary.BigEndian.Uint16(rest[2:])&0xfff8 != 0 {
				return rest[0], nil, 0
			}
		default:
			return protocol, rest, length
		}
		if size == 0 || size > len(rest) || size > length {
			break
		}
		protocol, rest, length = rest[0], rest[size:], length-size
	}
	return protocol, nil, 0
}

// readTransport reads ports and flags; length is the segment's on the wire.
func (p *packet) readTransport(segment []byte, length int) {
	protocol := p.src.protocol
	if protocol != layers.IPProtocolTCP && protocol != layers.IPProtocolUDP || len(segment) < 4 {
		return
	}
	p.src.port, p.dst.port = binary.BigEndian.Uint16(segment), binary.BigEndian.Uint16(segment[2:])
	if protocol == layers.IPProtocolUDP {
		p.payload = true
		return
	}
	if len(segment) < 14 {
		return
	}
	flags := segment[13]
	p.fin, p.syn, p.rst, p.ack = flags&1 != 0, flags&2 != 0, flags&4 != 0, flags&16 != 0
	p.payload = length > int(segment[12]>>4)*4
}

// What a closed UDP port answers: RFC 1122 4.1.3.1, RFC 4443 3.1.
var (
	portUnreachable4 = layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodePort)
	portUnreachable6 = layers.CreateICMPv6TypeCode(layers.ICMPv6TypeDestinationUnreachable, layers.ICMPv6CodePortUnreachable)
)

// refusal returns the flow of the datagram that an ICMP error quotes, nil if
// the message is something else.
func refusal(protocol layers.IPProtocol, message []byte) *flow {
	if len(message) < 8 {
		return nil
	}
	code, etherType := binary.BigEndian.Uint16(message), layers.EthernetTypeIPv4
	switch {
	case protocol == layers.IPProtocolICMPv4 && layers.ICMPv4TypeCode(code) == portUnreachable4:
	case protocol == layers.IPProtocolICMPv6 && layers.ICMPv6TypeCode(code) == portUnreachable6:
		etherType = layers.EthernetTypeIPv6
	default:
		return nil
	}
	quoted, segment, length, ok := parseNetwork(etherType, message[8:])
	if !ok || segment == nil {
		return nil
	}
	quoted.readTransport(segment, length)
	return &flow{quoted.src, quoted.dst}
}
