// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"time"

	"denmap/userspace/event"
)

const (
	proofs       = 3 // ports with a handshake that make a source proven
	expectedMost = 4 // handshakes
)

// visit is a use of an open port by a source that nothing spoke against.
type visit struct {
	src  netip.Addr
	port uint16
}

// expectProof: a handshake on a port that is new to a source that has
// failed would show that it receives what is sent to its address.
func (m *model) expectProof(v *view, f failure) {
	s, here := m.source(v), visit{v.src, v.dport}
	if !s.known || s.isOver(m.now, m.decay()) {
		m.visits[here], m.visits[visit{src: v.src}] = true, true // of any port, too
		return
	}
	if m.visits[here] {
		return
	}
	if f.points == 1 {
		m.expectReset(v, f)
	}
	ephemeral := v.dport >= m.low && v.dport <= m.high
	if len(s.proofs) == proofs || ephemeral {
		return
	}
	room := m.room(v)
	room.proofs[room.nextProof%expectedMost] = &unanswered{failure: f, v: *v}
	room.nextProof++
}

// prove notes a handshake that completed.
func (m *model) prove(v *view) {
	s := m.source(v)
	for _, port := range s.proofs {
		if port == v.dport {
			return
		}
	}
	if s.known && len(s.proofs) < proofs {
		s.proofs = append(s.proofs, v.dport)
	}
}

// grade: evidence against several addresses of a prefix proves none.
func (s *modelSource) grade() event.Grade {
	if len(s.proofs) == proofs && !s.many {
		return event.Proven
	}
	return event.Blind
}

// banFor is how long the source's next ban lasts. Proven ones get longer.
func (m *model) banFor(s *modelSource) time.Duration {
	d, limit := m.settings.BanDuration, max(m.settings.BanMax, m.settings.BanDuration)
	if s.grade() != event.Proven {
		return d
	}
	for i := 0; i < min(s.strikes, 16) && d < limit; i++ {
		d *= time.Duration(max(1, m.settings.BanMultiplier))
	}
	return min(d, limit)
}
