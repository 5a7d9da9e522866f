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
	before, after := points.add(f.points, 2*ban, ms(m.now), m.decay())
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
		s.strikes++
	}
	bans[m.punished(v, s)] = &modelBan{until: s.bannedUntil}
}

// enter makes the source known on its second failure, or on the first if
// that alone reaches the alert score. False: this one is kept waiting.
func (m *model) enter(v *view, s *modelSource, f failure) bool {
	if s.known {
		if s.isOver(m.now, m.decay()) {
			m.begin(v, s, m.now)
		}
		return true
	}
	before := s.waiting
	if before != nil && before.age(m.now, m.decay()) < 0 {
		before = nil
	}
	_, alert, _ := m.track(s, f)
	direct := f.points >= alert
	if before == nil && !direct {
		s.waiting = &first{f, v.src, sixteenths(m.now, m.decay())}
		return false
	}
	s.known, s.waiting = true, nil
	if before == nil || direct && departs.filterBypassed {
		m.begin(v, s, m.now)
		return true
	}
	age := before.age(m.now, m.decay()) * m.decay() / 16
	m.begin(v, s, m.now-time.Duration(age)*time.Millisecond)
	if !departs.firstAddressLost {
		s.addr = before.src
	}
	s.remember(before.failure)
	points, _, ban := m.track(s, before.failure)
	points.add(before.points, 2*ban, ms(s.began), m.decay())
	return true
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
		Watched: m.lists[v.src] == watched, Protected: m.lists[v.src] == protected, Grade: s.grade(), Main: s.mostly(), Sequence: v.seq, IPID: v.id, SourcePort: v.sport,
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
	until := m.now + m.settings.BanDuration
	if due && until > ban.until && !m.ignored[v.dport] && m.outcome(v, g, true) == "" {
		ban.until = until
		if s := m.source(v); !departs.prolongedEvidenceEnds && s.bannedUntil != 0 {
			s.bannedUntil = until
		}
	}
	return true
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
