// SPDX-License-Identifier: MIT

package replay

import (
	"net/netip"

	"github.com/gopacket/gopacket"
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
	refuses  *flow // a datagram that an ICMP error says nobody wanted
}

// parser decodes frames; it is reused, so one goroutine owns it.
type parser struct {
	*gopacket.DecodingLayerParser
	decoded []gopacket.LayerType
	ip4     layers.IPv4
	ip6     layers.IPv6
	tcp     layers.TCP
	udp     layers.UDP
	icmp4   layers.ICMPv4
	icmp6   layers.ICMPv6
	quoted  *parser // for the packet inside an ICMP error
}

func newParser() *parser {
	p := &parser{}
	var (
		eth  layers.Ethernet
		vlan layers.Dot1Q
		ext  layers.IPv6ExtensionSkipper
	)
	p.DecodingLayerParser = gopacket.NewDecodingLayerParser(layers.LayerTypeEthernet,
		&eth, &vlan, &p.ip4, &p.ip6, &ext, &p.tcp, &p.udp, &p.icmp4, &p.icmp6)
	p.IgnoreUnsupported = true
	return p
}

// parse returns false for what is not IP. A transport header that is cut
// off or damaged leaves the ports at zero.
func (p *parser) parse(data []byte) (packet, bool) {
	var out packet
	// An error only says how far decoding got.
	_ = p.DecodeLayers(data, &p.decoded)
	found := false
	for _, layer := range p.decoded {
		switch layer {
		case layers.LayerTypeIPv4:
			src, _ := netip.AddrFromSlice(p.ip4.SrcIP)
			dst, _ := netip.AddrFromSlice(p.ip4.DstIP)
			out.src = endpoint{addr: src, protocol: p.ip4.Protocol}
			out.dst = endpoint{addr: dst, protocol: p.ip4.Protocol}
			found = true
		case layers.LayerTypeIPv6:
			src, _ := netip.AddrFromSlice(p.ip6.SrcIP)
			dst, _ := netip.AddrFromSlice(p.ip6.DstIP)
			out.src = endpoint{addr: src, protocol: p.ip6.NextHeader}
			out.dst = endpoint{addr: dst, protocol: p.ip6.NextHeader}
			found = true
		case layers.LayerTypeTCP:
			out.ports(layers.IPProtocolTCP, uint16(p.tcp.SrcPort), uint16(p.tcp.DstPort))
			out.syn, out.ack, out.rst, out.fin = p.tcp.SYN, p.tcp.ACK, p.tcp.RST, p.tcp.FIN
			out.payload = len(p.tcp.Payload) > 0
		case layers.LayerTypeUDP:
			out.ports(layers.IPProtocolUDP, uint16(p.udp.SrcPort), uint16(p.udp.DstPort))
			out.payload = true
		case layers.LayerTypeICMPv4:
			if p.icmp4.TypeCode == portUnreachable4 {
				out.refuses = p.quotedFlow(layers.EthernetTypeIPv4, p.icmp4.Payload)
			}
		case layers.LayerTypeICMPv6:
			if p.icmp6.TypeCode == portUnreachable6 && len(p.icmp6.Payload) > 4 {
				out.refuses = p.quotedFlow(layers.EthernetTypeIPv6, p.icmp6.Payload[4:])
			}
		}
	}
	return out, found
}

// What a closed UDP port answers: RFC 1122 4.1.3.1, RFC 4443 3.1.
var (
	portUnreachable4 = layers.CreateICMPv4TypeCode(layers.ICMPv4TypeDestinationUnreachable, layers.ICMPv4CodePort)
	portUnreachable6 = layers.CreateICMPv6TypeCode(layers.ICMPv6TypeDestinationUnreachable, layers.ICMPv6CodePortUnreachable)
)

// quotedFlow is the flow of the packet that an ICMP error quotes.
func (p *parser) quotedFlow(etherType layers.EthernetType, quote []byte) *flow {
	if p.quoted == nil {
		p.quoted = newParser()
	}
	inner, ok := p.quoted.parse(header14(uint16(etherType), quote))
	if !ok {
		return nil
	}
	return &flow{inner.src, inner.dst}
}

func (p *packet) ports(protocol layers.IPProtocol, src, dst uint16) {
	p.src.protocol, p.dst.protocol = protocol, protocol
	p.src.port, p.dst.port = src, dst
}

// flow is one direction of a conversation.
type flow struct{ from, to endpoint }

func (f flow) reverse() flow { return flow{f.to, f.from} }

// hosts is one direction between two addresses.
type hosts struct{ from, to netip.Addr }

func (h hosts) reverse() hosts { return hosts{h.to, h.from} }

// knowledge is what the answers in a capture tell.
type knowledge struct {
	open    map[endpoint]bool // it answered as a service does
	alive   map[flow]bool     // the sender of this direction carried on a conversation
	went    map[flow]bool     // the sender of this direction acknowledged something
	refused map[flow]bool     // the sender of this direction reset the other
	closed  map[endpoint]bool // an ICMP error said so
	seen    map[flow]bool
	asked   map[hosts]bool // the first datagram between two hosts went this way
	twoWay  bool           // some conversation shows both directions
}

func newKnowledge() *knowledge {
	return &knowledge{
		open: make(map[endpoint]bool), alive: make(map[flow]bool), went: make(map[flow]bool),
		refused: make(map[flow]bool), closed: make(map[endpoint]bool), seen: make(map[flow]bool), asked: make(map[hosts]bool),
	}
}

func (k *knowledge) learn(p packet) {
	f := flow{p.src, p.dst}
	k.seen[f] = true
	if k.seen[f.reverse()] && f != f.reverse() {
		k.twoWay = true
	}
	if p.refuses != nil {
		k.closed[p.refuses.to] = true
		k.twoWay = true
	}
	switch p.src.protocol {
	case layers.IPProtocolTCP:
		switch {
		case p.rst:
			k.refused[f] = true
		case p.syn && p.ack:
			k.open[p.src] = true
			k.alive[f] = true
		case p.ack:
			k.went[f] = true
			if p.payload {
				k.alive[f] = true
			}
		}
	case layers.IPProtocolUDP:
		k.open[p.src] = true
		if h := (hosts{p.src.addr, p.dst.addr}); !k.asked[h.reverse()] {
			k.asked[h] = true
		}
	}
}

// Outcome is what a probe met, as far as the capture tells.
type Outcome int

// The outcomes.
const (
	Unknown Outcome = iota
	Open
	Closed
)

// outcome tells what the socket table of the destination would have said.
func (k *knowledge) outcome(p packet) Outcome {
	f := flow{p.src, p.dst}
	if p.src.protocol == layers.IPProtocolUDP && (k.seen[f.reverse()] || k.asked[hosts{p.dst.addr, p.src.addr}]) {
		return Open // an answer, from whatever port, or answered
	}
	if k.closed[p.dst] {
		return Closed
	}
	if k.open[p.dst] || k.alive[f.reverse()] {
		return Open
	}
	if p.src.protocol == layers.IPProtocolTCP && p.ack {
		// Part of a conversation that began before the capture, unless the
		// destination said that it knows of none.
		if k.alive[f] || !k.refused[f.reverse()] {
			return Unknown
		}
		return Closed
	}
	// Who acknowledges in the same connection had an answer that the capture
	// lacks: another path, or a filter, may have kept it out.
	if p.syn && k.went[f] && !k.refused[f.reverse()] {
		return Open
	}
	// Nothing answered. Where nothing could be seen to answer, Result says so.
	return Closed
}
