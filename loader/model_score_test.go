// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"denmap/userspace/event"
)

// ms is a boot time in whole milliseconds, in which scores decay.
func ms(t time.Duration) int64 { return t.Milliseconds() }

// score is points that are lost one by one, counted from the moment the
// first of them came.
type score struct {
	points int
	since  int64 // ms
}

// decay forgets what is due at now.
func (s *score) decay(now, every int64) {
	lost := max(0, now-s.since) / every
	if lost >= int64(s.points) {
		*s = score{since: max(now, s.since)}
		return
	}
	s.points -= int(lost)
	s.since += lost * every
}

// add returns the score before and after; the score itself stops at limit,
// where it is not above that already.
func (s *score) add(points, limit int, now, every int64) (before, after int) {
	s.decay(now, every)
	before, after = s.points, s.points+points
	s.points = min(after, max(before, limit))
	return before, after
}

// target is what a source is counted for once.
type target struct {
	dst      netip.Addr
	protocol byte
	port     uint16
}

// failure is a failed probe.
type failure struct {
	target
	kind   event.Kind
	points int
	tool   event.Tool
	faint  bool // worth an alert at most
}

// newcomer is a source without an entry: its failures, at most three.
type newcomer struct {
	failures []failure
	src      netip.Addr // of the first
	many     bool       // not of all
	tick     uint32     // of the first
}

func (n *newcomer) points() (points int) {
	for _, f := range n.failures {
		points += f.points
	}
	return points
}

func (n *newcomer) noted(f failure) bool { return slices.ContainsFunc(n.failures, f.isNoNewsAfter) }

// isNoNewsAfter: a target counts once, but a probe of two points again where
// a SYN of one was counted.
func (f failure) isNoNewsAfter(before failure) bool {
	return f.target == before.target && (f.points <= before.points || before.kind != event.SYN)
}

const newcomerTick = 1 << 26

// age is exact to a tick.
func (n *newcomer) age(now time.Duration) time.Duration {
	return time.Duration(uint32(now/newcomerTick)-n.tick) * newcomerTick
}

// modelSource is all that is remembered of one scored prefix.
type modelSource struct {
	file  *newcomer // before it is known
	known bool      // it has an entry

	tcp, udp    score
	latest      []failure // of 32
	oldest      failure   // in the first of the 32 slots
	addr        netip.Addr
	many        bool // evidence from a second address
	wide        bool // banned with all of its prefix
	kinds       event.Kinds
	counted     int
	tools       [16]uint8
	began       time.Duration
	bannedUntil time.Duration
	proofs      []uint16 // ports with a handshake since the first failure
	strikes     int      // proven bans so far
}

const remembered = 32

func (s *modelSource) remembers(f failure) bool {
	return slices.ContainsFunc(s.latest, f.isNoNewsAfter)
}

// remember keeps the latest 32; slot 0 decides what is a sweep.
func (s *modelSource) remember(f failure) {
	if s.counted%remembered == 0 {
		s.oldest = f
	}
	s.latest = append(s.latest, f)
	s.latest = s.latest[max(0, len(s.latest)-remembered):]
	s.kinds = s.kinds.With(f.kind)
	s.counted++
}

// ports returns the latest, newest first.
func (s *modelSource) ports() (ports []uint16) {
	for i := len(s.latest) - 1; i >= 0 && len(ports) < 16; i-- {
		ports = append(ports, s.latest[i].port)
	}
	return ports
}

// mostly returns the kind of most of the ports, the latest of two equals.
func (s *modelSource) mostly() (kind event.Kind) {
	most := 0
	for i := len(s.latest) - 1; i >= max(0, len(s.latest)-16); i-- {
		n := 0
		for _, f := range s.latest[max(0, len(s.latest)-16):] {
			if f.kind == s.latest[i].kind {
				n++
			}
		}
		if n > most {
			kind, most = s.latest[i].kind, n
		}
	}
	return kind
}

// isSweep: the port that was tried first, in the same way on another
// address.
func (s *modelSource) isSweep(f failure) bool {
	if s.counted == 0 || s.oldest.port != f.port || s.oldest.target == f.target || s.oldest.kind != f.kind && s.oldest.kind != event.Sweep {
		return false
	}
	if f.port == 0 && departs.noSweepOfPort0 {
		return false
	}
	return departs.sweepAnyProtocol || s.oldest.dst != f.dst && s.oldest.protocol == f.protocol
}

// isOver: back at zero, or through with a ban.
func (s *modelSource) isOver(now time.Duration, every int64) bool {
	if s.bannedUntil != 0 {
		return now >= s.bannedUntil
	}
	s.tcp.decay(ms(now), every)
	s.udp.decay(ms(now), every)
	return s.tcp.points == 0 && s.udp.points == 0
}

// inPrefix returns the first bits of a.
func inPrefix(a netip.Addr, n int) netip.Prefix {
	p, err := a.Prefix(n)
	if err != nil {
		panic(err) // a is always 16 bytes, and n at most 128
	}
	return p
}

// slotOf, printOf and visitOf are where the program keeps a source's first
// failure, what it remembers of a probe and of the use of an open port. The model has no such limits; sequences
// in which they would show are not run.
func slotOf(p netip.Prefix, seed uint64) uint64 {
	w := words(p.Addr())
	if isLinkLocal6(p.Addr()) {
		w[1] = hostToNet(1) // the interface
	}
	return hashWords(w, seed^uint64(p.Bits())) >> 47
}

func printOf(t target, seed uint64) uint64 {
	return hashWords(words(t.dst), seed^uint64(t.protocol)) >> 53
}

func visitOf(v visit, seed uint64) uint64 {
	port := binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v.port))
	return hashWords(words(v.src), seed^uint64(port)) >> 44
}
