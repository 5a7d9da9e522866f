// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// score counts a failure and says what becomes of the packet.
func (m *model) score(v *view, s *modelSource, f failure) string {
	if !m.enter(v, s, f) {
		return "pass counted"
	}
	if s.isSweep(f) {
		f.kind = event.Sweep
	}
	if v.src != s.addr {
		s.many = true
	}
	s.remember(f)
	s.tools[f.tool] = uint8(min(255, int(s.tools[f.tool])+1))
	points, alert, ban := m.track(s, f)
	limit := 2 * ban
	if f.faint {
		limit = alert
	}
	before, after := points.add(f.points, limit, ms(m.now), m.decay())
	if f.faint {
		after = min(after, max(before, alert))
	}
	if after < ban {
		if before < alert && after >= alert {
			m.tell(v, s, event.VerdictAlert, after, alert)
		}
		return "pass counted"
	}
	if m.monitor || m.lists[v.src] == watched || m.lists[v.src] == protected {
		if before < ban {
			m.tell(v, s, event.VerdictWouldBan, after, ban)
		}
		return "pass spared"
	}
	who, widens := m.punished(v, s), s.many && !s.wide
	if widens || m.now >= s.bannedUntil {
		s.wide = s.many
		m.ban(v, s)
		m.tell(v, s, event.VerdictBan, after, ban)
	} else if m.bans[who] == nil && m.proven[who] == nil {
		m.ban(v, s)
	}
	return "drop crossed"
}

// ban also forgets what still waits: it belongs to the scan that ends here.
func (m *model) ban(v *view, s *modelSource) {
	delete(m.rooms, m.sourceKey(v))
	s.bannedUntil = m.now + m.banFor(s)
	bans := m.bans
	if s.grade() == event.Proven {
		bans = m.proven
		if longer := bans[m.punished(v, s)]; longer != nil && longer.until >= s.bannedUntil {
			s.bannedUntil = longer.until
			return
		}
		s.strikes++
	}
	bans[m.punished(v, s)] = &modelBan{until: s.bannedUntil}
}

// enter gives the source an entry on its second failure, or on the first if
// that reaches the alert score; in a flood on its fourth, or on one that
// brings a ban. False: it waits on file.
func (m *model) enter(v *view, s *modelSource, f failure) bool {
	if s.known {
		if s.isOver(m.now, m.decay()) {
			m.begin(v, s, m.now)
		}
		return true
	}
	file := m.file(s)
	if file == nil {
		file = &newcomer{src: v.src, tick: uint32(m.now / newcomerTick)}
	}
	n, points := len(file.failures)+1, file.points()+f.points
	_, alert, ban := m.track(s, f)
	due := n >= 2 || points >= alert
	if !due || m.isFlooded() && n < 4 && points < ban {
		file.failures = append(file.failures, f)
		file.many = file.many || file.src != v.src
		s.file = file
		return false
	}
	began := m.now
	if n > 1 {
		began -= file.age(m.now)
	}
	m.begin(v, s, began)
	s.many = file.many || file.src != v.src
	for _, before := range file.failures {
		s.remember(before)
		points, _, ban := m.track(s, before)
		points.add(before.points, 2*ban, ms(s.began), m.decay())
	}
	return true
}

// file returns what the source has on file, unless that has decayed.
func (m *model) file(s *modelSource) *newcomer {
	if s.file != nil && s.file.age(m.now) < time.Duration(s.file.points())*m.settings.Decay {
		return s.file
	}
	return nil
}

// isFlooded counts a source that wants an entry and says whether more do
// than may.
func (m *model) isFlooded() bool {
	if second := m.now / time.Second; m.flood.second != second {
		before := 0
		if m.flood.second+1 == second {
			before = m.flood.now
		}
		m.flood = flood{second: second, before: before}
	}
	m.flood.now++
	return m.flood.now > m.entries || m.flood.before > m.entries
}

func (m *model) begin(v *view, s *modelSource, began time.Duration) {
	*s = modelSource{known: true, addr: v.src, began: began, strikes: s.strikes}
}

// track is the score that a failure counts for, and its thresholds.
func (m *model) track(s *modelSource, f failure) (points *score, alert, ban int) {
	if f.kind == event.UDP || f.kind == event.Sweep || f.protocol == protoUDP && !departs.osDatagramOnTCP {
		return &s.udp, m.settings.UDPAlert, m.settings.UDPBan
	}
	return &s.tcp, m.settings.AlertScore, m.settings.BanScore
}

// punished is the address while all evidence is from it, then its prefix.
func (m *model) punished(v *view, s *modelSource) netip.Prefix {
	if s.many {
		return m.sourceKey(v)
	}
	return whole(v.src)
}

// epoch stands for the boot of the model's host.
var epoch = time.Unix(0, 0)

func (m *model) tell(v *view, s *modelSource, verdict event.Verdict, points, threshold int) {
	d := event.Detection{
		Verdict: verdict, Time: epoch.Add(m.now), First: epoch.Add(s.began),
		Source: shown(m.punished(v, s)), Destination: v.dst.Unmap(), IfIndex: 1,
		Kinds: s.kinds, Transport: transport(uint32(v.protocol)),
		Score: points, Threshold: threshold, Distinct: s.counted, Ports: s.ports(),
		Watched: m.lists[v.src] == watched, Protected: m.lists[v.src] == protected, UsedService: m.visits[visit{src: v.src}], Grade: s.grade(), Main: s.mostly(), Sequence: v.seq, IPID: v.id, SourcePort: v.sport,
	}
	if verdict == event.VerdictBan {
		d.BanUntil = epoch.Add(s.bannedUntil)
	}
	d.Tool, d.Confidence = toolOf(s.tools)
	m.detections = append(m.detections, d)
}

// shown is a prefix as people write it.
func shown(p netip.Prefix) netip.Prefix {
	if a := p.Addr().Unmap(); a.Is4() {
		return netip.PrefixFrom(a, p.Bits()-96)
	}
	return p
}

// isStopped: a blind ban drops SYNs, what no stack sends, and what else
// counts. What counts prolongs it.
func (m *model) isStopped(v *view, g guess) bool {
	if m.monitor || m.lists[v.src] == watched {
		return false
	}
	ban, due := m.banOf(m.bans, v)
	if ban == nil || m.lists[v.src] == protected {
		return false
	}
	switch {
	case g.question == backscatter:
		return false
	case g.question == settled, g.question == isListened && v.protocol == protoTCP:
	case m.outcome(v, g, true) != "":
		return false
	}
	if due {
		m.prolong(v, g, ban)
	}
	return true
}

// prolong: a scan that goes on prolongs its ban, and its evidence lasts as
// long.
func (m *model) prolong(v *view, g guess, ban *modelBan) {
	until := m.now + m.settings.BanDuration
	if until <= ban.until || m.ignored[v.dport] || m.outcome(v, g, true) != "" {
		return
	}
	ban.until = until
	if s := m.source(v); s.bannedUntil != 0 {
		s.bannedUntil = until
	}
}

// renew looks whether a packet that a proven ban dropped goes on scanning.
func (m *model) renew(v *view, ban *modelBan) {
	if v.later {
		return
	}
	g, reason := classify(v)
	if v.header >= 20 && reason != "pass bad-tcp" && m.isAwaited(v) {
		return
	}
	if reason != "" || v.protocol == protoUDP && departs.openUDPEverywhere && m.heardLately(v) {
		return
	}
	if v.isUnicast() && g.question != backscatter {
		m.prolong(v, g, ban)
	}
}

// banOf returns the ban of the address or of its prefix. due: its clock was
// looked at.
func (m *model) banOf(bans map[netip.Prefix]*modelBan, v *view) (ban *modelBan, due bool) {
	keys := []netip.Prefix{whole(v.src)}
	if v.v6 {
		keys = append(keys, inPrefix(whole(v.src).Addr(), m.settings.IPv6Prefix))
	}
	for _, key := range keys {
		ban := bans[key]
		switch {
		case ban == nil:
		case m.tick() < ban.recheck:
			return ban, false
		case m.now < ban.until:
			ban.recheck = m.tick() + recheckTicks
			return ban, true
		}
	}
	return nil, false
}
