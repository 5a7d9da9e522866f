// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// Where the host has no say, a SYN waits for a later packet of its
// connection. It fails when none came for three seconds or when more than
// 16 wait; the next SYN of the same address settles what is due.
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

// await settles what is due and lets a SYN wait.
func (m *model) await(v *view, f failure) string {
	if at, ok := m.published[service{v.dst, v.dport}]; ok && m.now/time.Second-at < 24*60*60 {
		return "pass open"
	}
	room := m.room(v)
	slot, reason := m.takeSlot(room, v, f)
	if reason == "pass waiting" {
		room.slots[slot] = &unanswered{failure: f, v: *v, ms: uint32(ms(m.now))}
	}
	return reason
}

// takeSlot settles what is due and returns the slot of the same port, the
// first free one, or the next in turn.
func (m *model) takeSlot(room *waitingRoom, v *view, f failure) (slot int, reason string) {
	slot, reason = waitingMost, "pass waiting"
	fail := func(u *unanswered) {
		if u.v.src == v.src && m.fail(v, u, f.tool) == "drop crossed" {
			reason = "drop crossed"
		}
	}
	for i, u := range room.slots {
		if u != nil && u.target == f.target {
			slot = i
			continue
		}
		if u != nil {
			switch age := uint32(ms(m.now)) - u.ms; {
			case age > staleMS, u.answered && age > answerMS:
				room.slots[i] = nil
			case age > answerMS && u.v.src == v.src:
				room.slots[i] = nil
				fail(u)
			}
		}
		if room.slots[i] == nil && slot == waitingMost {
			slot = i
		}
	}
	if slot < waitingMost {
		return slot, reason
	}
	slot = room.next % waitingMost
	room.next++
	if u := room.slots[slot]; !u.answered && u.v.src == v.src {
		room.slots[slot] = nil
		fail(u)
	}
	return slot, reason
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
func (m *model) fail(v *view, u *unanswered, tool event.Tool) string {
	s := m.source(v)
	if m.isRepeated(s, u.target) {
		return "pass repeated"
	}
	if departs.waitingBlamesLatest {
		f := u.failure
		f.tool = tool
		return m.score(v, s, f)
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
