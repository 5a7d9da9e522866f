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

// direction is what one end of a connection sent.
type direction struct {
	packets int
	flags   [4]bool // of the first packet: SYN, ACK, RST, FIN
	more    bool    // than that packet, sent once or twice without data
	alive   bool    // it carried on a conversation
	went    bool    // it acknowledged something
	refused bool    // it reset the other
}

func (d direction) with(p packet) direction {
	flags := [4]bool{p.syn, p.ack, p.rst, p.fin}
	if d.packets == 0 {
		d.flags = flags
	}
	d.packets++
	d.more = d.more || p.payload || d.packets > 2 || d.flags != flags
	if p.src.protocol != layers.IPProtocolTCP {
		return d
	}
	switch {
	case p.rst:
		d.refused = true
	case p.syn && p.ack:
		d.alive = true
	case p.ack:
		d.went = true
		d.alive = d.alive || p.payload
	}
	return d
}

// knowledge is what the answers in a capture tell.
type knowledge struct {
	sent   map[flow]direction
	open   map[endpoint]bool   // it answered as a service does
	closed map[endpoint]bool   // an ICMP error said so
	speaks map[netip.Addr]bool // it sent something
	asked  map[hosts]bool      // the first datagram between two hosts went this way
	serves map[hosts]bool      // one answered the other as a service does
	twoWay bool                // some conversation shows both directions
}

func newKnowledge() *knowledge {
	return &knowledge{
		sent: make(map[flow]direction), open: make(map[endpoint]bool), closed: make(map[endpoint]bool),
		speaks: make(map[netip.Addr]bool), asked: make(map[hosts]bool),
		serves: make(map[hosts]bool),
	}
}

func (k *knowledge) learn(p packet) {
	f := flow{p.src, p.dst}
	k.sent[f] = k.sent[f].with(p)
	k.speaks[p.src.addr] = true
	if k.sent[f.reverse()].packets > 0 && f != f.reverse() {
		k.twoWay = true
	}
	if p.refuses != nil {
		k.closed[p.refuses.to] = true
		k.twoWay = true
	}
	switch p.src.protocol {
	case layers.IPProtocolTCP:
		if p.syn && p.ack && !p.rst {
			k.open[p.src] = true
			k.serves[hosts{p.src.addr, p.dst.addr}] = true
		}
	case layers.IPProtocolUDP:
		k.open[p.src] = true
		if h := (hosts{p.src.addr, p.dst.addr}); !k.asked[h.reverse()] {
			k.asked[h] = true
		} else {
			k.serves[h] = true
		}
	}
}

// session is more datagrams than a scanner has for one port from one of its
// own: nmap's tries are eleven at most. Who sends as many has a listener, or
// is told that there is none.
const session = 12

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
	own, back := k.sent[f], k.sent[f.reverse()]
	if p.src.protocol == layers.IPProtocolUDP && (back.packets > 0 || k.asked[hosts{p.dst.addr, p.src.addr}]) {
		return Open // an answer, from whatever port, or answered
	}
	if k.open[p.dst] || back.alive {
		return Open // also if it was closed later: a service that restarts, an asker who has gone
	}
	if k.closed[p.dst] {
		return Closed
	}
	if p.src.protocol == layers.IPProtocolUDP && own.packets >= session {
		return Open // media that flow one way, or an answer that the capture lacks
	}
	if p.syn && !p.ack && back.flags[0] && !back.flags[1] {
		return Open // both open the same connection: RFC 9293 3.5
	}
	if p.syn && p.ack && !back.flags[0] {
		return Closed // nobody asked for it
	}
	if p.src.protocol == layers.IPProtocolTCP && p.ack {
		// Part of a conversation that began before the capture, unless the
		// destination said that it knows of none, or nobody said anything else:
		// a host that drops what it does not know does not refuse it.
		if back.refused && !own.alive {
			return Closed
		}
		// Of packets with data only those of scanners are looked at.
		if p.payload && own.packets <= 2 && (back.refused || back.packets == 0) {
			return Closed
		}
		// Where answers are not recorded, the header is all there is to go by.
		if back.packets == 0 && !own.more && (k.twoWay || !p.df) {
			return Closed
		}
		return Unknown
	}
	// Who acknowledges in the same connection had an answer that the capture
	// lacks: another path, or a filter, may have kept it out.
	if p.syn && own.went && !back.refused {
		return Open
	}
	// Nothing answered. Where nothing could be seen to answer, Result says so.
	return Closed
}
