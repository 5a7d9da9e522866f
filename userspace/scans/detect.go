// SPDX-License-Identifier: MIT

package scans

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"denmap/userspace/event"
)

// maxAlerts bounds the scan-detected lines of one scan: the first, and one
// each time a kind is added, so that a source that tries all kinds one by
// one cannot fill the log.
const maxAlerts = 4

// maxPorts bounds the port sample of a scan.
const maxPorts = 16

// detect takes in one detection.
func (t *Tracker) detect(d event.Detection, now time.Time) {
	if !d.Source.IsValid() {
		return
	}
	d.Source = canonical(d.Source)
	if d.Time.IsZero() {
		d.Time = now
	}
	s := t.open.find(d.Source)
	if s != nil && s.outlived(d) {
		t.end(s, now, s.whyEnded(d.Time))
		s = nil
	}
	if s == nil {
		s = t.openScan(d.Source, "", now)
	}
	t.count(func(st *Stats) { st.Detections++ })

	s.heard = now
	s.update(d)
	s.alone = d.Alone
	t.compare(s, d)
	f := &s.facts
	reason := fmt.Sprintf("score %d of %d", d.Score, d.Threshold)

	switch {
	case d.Verdict == event.VerdictBan:
		// Enforced whatever the mode is by now: the kernel did it.
		wider := s.banned && d.Source.Bits() < s.ban.Bits()
		fresh := !s.banned || wider
		f.Enforced, f.BanUntil = true, d.BanUntil
		s.banned, s.ban, s.since = true, d.Source, d.Time
		if fresh {
			t.tell(s, event.SourceBanned, d.Time, reason)
		}
	case s.banned: // more of the same while the ban runs
	case d.Verdict == event.VerdictWouldBan:
		f.Enforced = false
		if !s.wouldBan {
			s.wouldBan = true
			t.tell(s, event.SourceBanned, d.Time, reason)
			break
		}
		t.tellKinds(s, d.Time, reason)
	default:
		f.Enforced = !s.wouldBan && !d.Protected && !d.Watched && !t.opts.Monitor(d.Interface)
		t.tellKinds(s, d.Time, reason)
	}
	t.schedule(s, now)
}

// outlived reports whether d is a ban of its own: the kernel began to
// count that source after it had banned it, so the ban that is followed
// has ended in between without a word.
func (s *scan) outlived(d event.Detection) bool {
	return s.banned && d.Verdict == event.VerdictBan && d.First.After(s.since.Add(banSlack))
}

// whyEnded is how a ban must have ended that is known to be over at a time.
func (s *scan) whyEnded(at time.Time) string {
	if until := s.facts.BanUntil; !until.IsZero() && !at.Add(earlySlack).Before(until) {
		return ReasonExpired
	}
	return ReasonRemoved
}

// tellKinds writes a scan-detected line if it is the first of its scan or
// names a kind that no line has named, as long as maxAlerts allows.
func (t *Tracker) tellKinds(s *scan, at time.Time, reason string) {
	first := s.alerts == 0 && !s.wouldBan
	if !first && (s.facts.Kinds&^s.told == 0 || s.alerts >= maxAlerts) {
		return
	}
	s.alerts++
	t.tell(s, event.ScanDetected, at, reason)
}

// openScan starts following a source. An empty id gets a new one.
func (t *Tracker) openScan(source netip.Prefix, id string, now time.Time) *scan {
	if t.open.len() >= t.opts.MaxOpen {
		t.overflow(now)
	}
	if id == "" {
		id = t.opts.NewID()
	}
	s := &scan{
		id:    id,
		facts: event.Scan{Source: source, Enforced: true},
		heard: now,
		due:   now,
		place: t.places.ask(source.Addr()),
	}
	t.open.add(s)
	t.count(func(st *Stats) { st.Scans++ })
	return s
}

// update takes the facts of a detection over into the scan.
func (s *scan) update(d event.Detection) {
	f := &s.facts
	switch {
	case f.Kinds == 0:
		f.Transport = d.Transport
	case f.Transport != d.Transport:
		f.Transport = "" // mixed
	}
	s.see(d.First, d.Time, d.Kinds, d.Distinct, d.Ports)
	f.Main = d.Main
	s.seeTool(d.Tool, d.Confidence)
	if d.Destination.IsValid() {
		f.Destination = d.Destination
	}
	if d.Interface != "" {
		s.iface = d.Interface
	}
	f.Score, f.Threshold = d.Score, d.Threshold
	f.Grade = max(f.Grade, d.Grade)
	f.Protected, f.Watched = d.Protected, d.Watched
	f.UsedService = f.UsedService || d.UsedService
}

// see widens the totals. The kernel forgets a source's ports when its
// score is back at zero, so counts never go down here.
func (s *scan) see(first, last time.Time, kinds event.Kinds, distinct int, ports []uint16) {
	f := &s.facts
	if first.IsZero() {
		first = last
	}
	if !first.IsZero() && (f.First.IsZero() || first.Before(f.First)) {
		f.First = first
	}
	if last.After(f.Last) {
		f.Last = last
	}
	f.Kinds |= kinds
	f.Distinct = max(f.Distinct, distinct)
	f.Probes = max(f.Probes, uint64(f.Distinct))
	for _, p := range ports {
		if len(f.Ports) >= maxPorts {
			break
		}
		if !slices.Contains(f.Ports, p) {
			f.Ports = append(f.Ports, p)
		}
	}
}

// seeTool keeps the hint that is to be believed most.
func (s *scan) seeTool(tool event.Tool, c event.Confidence) {
	f := &s.facts
	if tool == event.ToolUnknown || f.Tool != event.ToolUnknown && c < f.Confidence {
		return
	}
	f.Tool, f.Confidence = tool, c
}

// tell sends one event about s to the output.
func (t *Tracker) tell(s *scan, action event.Action, at time.Time, reason string) {
	if at.IsZero() {
		at = t.opts.Now()
	}
	s.told |= s.facts.Kinds
	facts := s.facts
	facts.Ports = slices.Clone(facts.Ports) // the event is shared once sent
	slices.Sort(facts.Ports)
	t.emit(event.Event{
		ID:        s.id,
		Time:      at,
		Action:    action,
		Scan:      &facts,
		Interface: s.iface,
		Reason:    reason,
	}, s)
}

// canonical returns p as the tracker keys it: IPv4-mapped IPv6 addresses
// as IPv4, host bits cleared.
func canonical(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked()
}
