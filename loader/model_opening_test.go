// SPDX-License-Identifier: MIT

package loader

import (
	"time"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// opening is a SYN to a listener that a reset may turn into a half-open
// probe. They are kept where the program keeps them, so that the two forget
// the same.
type opening struct {
	v    view
	raw  bool
	f    failure
	tick time.Duration // of its first SYN
}

const (
	openingTick = 1 << 26 * time.Nanosecond
	resetTicks  = 14
)

func (m *model) openingSlot(v *view) uint64 {
	ports := uint64(netToHost(v.sport))<<16 | uint64(netToHost(v.dport))
	return hashWords(words(v.src), m.seed^(uint64(words(v.dst)[3])<<32|ports)) >> 50
}

// expectReset: of a raw SYN, and of any from a source that has failed, at a
// port that is new to it.
func (m *model) expectReset(v *view, f failure) {
	tick := m.now / openingTick
	// A SYN that is sent again is as old as it was.
	if o := m.openings[m.openingSlot(v)]; o.is(v) && o.v.seq == v.seq {
		tick = o.tick
	}
	m.openings[m.openingSlot(v)] = &opening{*v, f.points > 1, f, tick}
}

// is tells whether a packet belongs to the same connection.
func (o *opening) is(v *view) bool {
	return o != nil && o.v.src == v.src && o.v.dst == v.dst && o.v.sport == v.sport && o.v.dport == v.dport
}

// judgeAnswer: a reset that follows such a SYN is a point while nobody has
// finished the handshake. One with the ACK flag is also what a client's own
// kernel sends, and one that answers a SYN+ACK which was sent again. Unless
// the SYN was raw, no ban comes of it.
func (m *model) judgeAnswer(v *view) string {
	o := m.openings[m.openingSlot(v)]
	isReset := v.flags&(packet.SYN|packet.RST) == packet.RST
	switch {
	case !isReset, !o.is(v), o.v.seq+1 != v.seq:
		return "pass backscatter"
	case (v.flags&packet.ACK != 0 || m.now/openingTick-o.tick >= resetTicks) && !o.raw:
		return "pass backscatter"
	}
	if found, connected := m.socket(v); !found || connected {
		return "pass backscatter"
	}
	delete(m.openings, m.openingSlot(v))
	if m.ignored[v.dport] {
		return "pass ignored-port"
	}
	s := m.source(v)
	f := o.f
	f.kind, f.points, f.faint = event.SYN, 1, !o.raw
	if m.isRepeated(s, f) {
		return "pass repeated"
	}
	if m.score(v, s, f) == "pass spared" {
		return "pass spared"
	}
	return "pass counted"
}
