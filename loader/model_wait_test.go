// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"time"
)

// Where the host has no say, a SYN waits for a later packet of its
// connection. It fails when none came for three seconds or when more than
// 16 wait: found once a second, and one with each SYN of the same address.
const (
	answerMS    = 3000
	staleMS     = 10 * 60 * 1000
	answerTicks = 4096
	waitingMost = 16
)

type unanswered struct {
	failure
	v        view
	ms       uint32
	answered bool
}

type waitingRoom struct {
	slots [waitingMost]*unanswered
	next  int

	proofs    [expectedMost]*unanswered // to listeners
	nextProof int
}

// service is a port that somebody behind this host answers for.
type service struct {
	addr netip.Addr
	port uint16
}

// waits: for frames that pass here on their way, and for closed ports of a
// host that publishes others' by address translation.
func (m *model) waits(v *view, g guess, ours bool) bool {
	if g.question != isListened || v.protocol != protoTCP || g.crafted {
		return false
	}
	if ours {
		return m.nat
	}
	return v.ours || m.bridged
}

// await lets a SYN wait. One that it takes the place of has failed.
func (m *model) await(v *view, f failure) string {
	if at, ok := m.published[service{v.dst, v.dport}]; ok && m.now/time.Second-at < 24*60*60 {
		return "pass open"
	}
	room := m.room(v)
	slot := m.chooseSlot(room, v, f)
	last := room.slots[slot]
	room.slots[slot] = &unanswered{failure: f, v: *v, ms: uint32(ms(m.now))}
	failed := last != nil && last.target != f.target && !m.isFree(last) && !last.answered && last.v.src == v.src
	if failed && m.fail(last) == "drop crossed" {
		return "drop crossed"
	}
	return "pass waiting"
}

// chooseSlot: that of the same port, one that is due, a free one, or the
// next in turn.
func (m *model) chooseSlot(room *waitingRoom, v *view, f failure) int {
	due, free := -1, -1
	for i, u := range room.slots {
		switch {
		case u != nil && u.target == f.target:
			return i
		case m.isFree(u) && free < 0:
			free = i
		case m.isDue(u) && due < 0 && u.v.src == v.src:
			due = i
		}
	}
	switch {
	case due >= 0:
		return due
	case free >= 0:
		return free
	}
	room.next++
	return (room.next - 1) % waitingMost
}

func (m *model) waited(u *unanswered) uint32 { return uint32(ms(m.now)) - u.ms }

func (m *model) isDue(u *unanswered) bool {
	return u != nil && !u.answered && m.waited(u) > answerMS && m.waited(u) <= staleMS
}

func (m *model) isFree(u *unanswered) bool {
	return u == nil || m.waited(u) > staleMS || u.answered && m.waited(u) > answerMS
}

// settle scores what waited in vain, source by source in the given order.
func (m *model) settle(order []netip.Prefix) {
	for _, key := range order {
		room := m.rooms[key]
		for i := range room.slots {
			if u := room.slots[i]; m.isDue(u) {
				room.slots[i] = nil
				m.fail(u)
			}
		}
	}
}

// room returns where the source's SYNs wait, about to be used.
func (m *model) room(v *view) *waitingRoom {
	key := m.sourceKey(v)
	room := m.rooms[key]
	if room == nil {
		room = &waitingRoom{}
		m.rooms[key] = room
	}
	m.awaited[v.src] = uint32(m.tick())
	return room
}

// fail scores a SYN that waited in vain.
func (m *model) fail(u *unanswered) string {
	s := m.source(&u.v)
	if m.isRepeated(s, u.failure) {
		return "pass repeated"
	}
	return m.score(&u.v, s, u.failure)
}

// isAwaited: the packet continues a connection whose SYN waits, which clears
// it; data makes its port published. One that a socket took may prove the address.
func (m *model) isAwaited(v *view) bool {
	const syn, rst, ack = 2, 4, 16
	if v.flags&(syn|ack) != ack || uint32(m.tick())-m.awaited[v.src] >= answerTicks {
		return false
	}
	room := m.rooms[m.sourceKey(v)]
	if room == nil {
		return false
	}
	for i, u := range room.proofs {
		if _, connected := m.socket(v); u.isFollowedBy(v) && connected {
			room.proofs[i] = nil
			m.prove(v)
		}
	}
	if v.flags&rst != 0 {
		return false
	}
	for _, u := range room.slots {
		if u.isFollowedBy(v) {
			u.answered = true
			if v.payload == 0 {
				return true
			}
			m.published[service{v.dst, v.dport}] = m.now / time.Second
			return true
		}
	}
	return false
}

// isFollowedBy: v comes next on the connection, up to a megabyte on.
func (u *unanswered) isFollowedBy(v *view) bool {
	return u != nil && u.target == (target{v.dst, v.protocol, v.dport}) && u.v.sport == v.sport && v.seq-u.v.seq-1 <= 1<<20
}
