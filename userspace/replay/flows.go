// SPDX-License-Identifier: MIT

package replay

import (
	"net/netip"

	"github.com/gopacket/gopacket/layers"
)

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
	speaks  map[netip.Addr]bool // it sent something
	asked   map[hosts]bool      // the first datagram between two hosts went this way
	twoWay  bool                // some conversation shows both directions
}

func newKnowledge() *knowledge {
	return &knowledge{
		open: make(map[endpoint]bool), alive: make(map[flow]bool), went: make(map[flow]bool),
		refused: make(map[flow]bool), closed: make(map[endpoint]bool), seen: make(map[flow]bool),
		speaks: make(map[netip.Addr]bool), asked: make(map[hosts]bool),
	}
}

func (k *knowledge) learn(p packet) {
	f := flow{p.src, p.dst}
	k.seen[f] = true
	k.speaks[p.src.addr] = true
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
