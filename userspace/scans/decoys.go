// SPDX-License-Identifier: MIT

package scans

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"time"

	"denmap/userspace/event"
)

const (
	// sameMoment is how far apart the same probe of two sources may arrive.
	// nmap sends a probe for all its decoys within 0.1 ms.
	sameMoment = 50 * time.Millisecond
	// maxRecent bounds the probes that wait for their like.
	maxRecent = 4096
	// maxNamed bounds the sources that a group names.
	maxNamed = 16
	// orderedPorts is how many of the latest ports must agree where the
	// headers alone are weak evidence.
	orderedPorts = 4
	// decoyPause is how long no further source of the same probes must have
	// come before a line about them goes out: longer than sender or reader
	// may wait for a processor on a busy machine, which splits a group.
	decoyPause = 20 * time.Millisecond
	// alonePause is the same where the kernel saw none: its CPUs may each
	// have the packets of some decoys in hand.
	alonePause = time.Millisecond
)

// sameProbe is what decoys share. The kernel program reports the packet
// that crosses a threshold, and the same packet crosses it for every
// source, as all sent the same before; where one had a score of its own
// already, another packet does. nmap keeps source port and sequence number
// for all ports of one try, so these two also match across packets; 48
// bits do not agree by chance. Probes without a sequence number (UDP, SCTP,
// ACK, a cut-off header) must be the same packet: same IP id, same port.
// nmap -sO gives every decoy an IP id of its own; there the order counts in
// which the protocols were tried, which is random.
type sameProbe struct {
	destination netip.Addr
	transport   string
	sequence    uint32
	sourcePort  uint16
	id          uint16
	port        uint16
}

// probeOf returns what d can be compared by, and false if that is nothing.
func probeOf(d event.Detection) (sameProbe, bool) {
	p := sameProbe{destination: d.Destination, transport: d.Transport, sequence: d.Sequence, sourcePort: d.SourcePort}
	if d.Main != event.IPProtocol && d.Sequence != 0 && d.SourcePort != 0 && !isDestination(d.Sequence, d.Destination) {
		return p, true
	}
	if len(d.Ports) == 0 || d.Ports[0] == 0 {
		return p, false
	}
	p.port = d.Ports[0]
	if d.Main == event.IPProtocol {
		// The crossing probe may carry a header of its own protocol.
		p.sequence, p.sourcePort = 0, 0
		return p, len(d.Ports) >= orderedPorts
	}
	p.id = d.IPID
	// IPv6 has no id, and kernels send 0 where nothing can be fragmented.
	return p, p.id != 0 || p.sourcePort != 0 && len(d.Ports) >= orderedPorts
}

// isDestination recognises Mirai and its kin, whose every bot uses the
// destination's address as sequence number.
func isDestination(sequence uint32, a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	b := a.As4()
	return binary.BigEndian.Uint32(b[:]) == sequence
}

// sameOrder reports whether the latest ports, newest first, agree.
func sameOrder(a, b []uint16) bool {
	n := min(len(a), len(b), orderedPorts)
	return slices.Equal(a[:n], b[:n])
}

// group is one set of sources; of one source as long as it has no company.
type group struct {
	event.Group
	grown time.Time   // by the tracker's clock, when its latest source came
	told  event.Kinds // kinds that a scan-detected line about it has named
	into  *group      // its only source turned out to belong there
}

// recent is the latest detection with some sameProbe.
type recent struct {
	probe sameProbe
	at    time.Time
	ports []uint16
	group *group
}

// decoys finds sources that sent the same. The goroutine of Run owns
// latest and queue.
type decoys struct {
	latest map[sameProbe]*recent
	queue  []*recent // oldest first

	mu sync.Mutex // guards every group: the output reads them
}

func newDecoys() *decoys { return &decoys{latest: map[sameProbe]*recent{}} }

// compare puts the scan that d belongs to into the group of the sources
// that sent the same.
func (t *Tracker) compare(s *scan, d event.Detection) {
	x := t.decoys
	x.mu.Lock()
	defer x.mu.Unlock()
	if probe, ok := probeOf(d); ok {
		if x.join(s, probe, d, t.opts.Now()) {
			t.mu.Lock()
			t.stats.Groups++
			t.mu.Unlock()
		}
	}
	if g := s.group; g != nil && s.facts.Grade == event.Proven && len(g.Proven) < maxNamed && !slices.Contains(g.Proven, s.facts.Source) {
		g.Proven = append(g.Proven, s.facts.Source)
	}
}

// join reports whether it made a group out of two single sources.
func (x *decoys) join(s *scan, probe sameProbe, d event.Detection, now time.Time) (made bool) {
	x.forget(d.Time)
	r := x.latest[probe]
	if r == nil || d.Time.Sub(r.at).Abs() > sameMoment || probe.port != 0 && !sameOrder(r.ports, d.Ports) {
		if s.group == nil {
			s.group = &group{Group: event.Group{ID: s.id, Size: 1, Sources: []netip.Prefix{s.facts.Source}}}
		}
		x.note(&recent{probe, d.Time, d.Ports, s.group})
		return false
	}
	r.at, r.ports = d.Time, d.Ports
	for r.group.into != nil {
		r.group = r.group.into
	}
	g := r.group
	switch {
	case s.group == g:
		return false
	case s.group != nil && s.group.Size > 1:
		// It was one of others before, and its lines said so.
		return false
	case s.group != nil:
		s.group.into = g
	}
	s.group = g
	g.grown = now
	g.Size++
	if len(g.Sources) < maxNamed {
		g.Sources = append(g.Sources, s.facts.Source)
	}
	return g.Size == 2
}

func (x *decoys) note(r *recent) {
	if len(x.queue) >= maxRecent {
		x.drop()
	}
	x.latest[r.probe] = r
	x.queue = append(x.queue, r)
}

// forget drops what is too old for anything that comes now.
func (x *decoys) forget(now time.Time) {
	for len(x.queue) > 0 {
		r := x.queue[0]
		if now.Sub(r.at).Abs() <= sameMoment {
			return
		}
		x.drop()
	}
}

func (x *decoys) drop() {
	r := x.queue[0]
	x.queue[0] = nil
	x.queue = x.queue[1:]
	if x.latest[r.probe] == r {
		delete(x.latest, r.probe)
	}
}

// awaitDecoys gives the other sources of a probe time to be reported
// before a line about one of them goes out, unless lines pile up: until none
// has come for a moment, and no longer than DecoyWait.
func (t *Tracker) awaitDecoys(o outgoing, waiting int) {
	isNews := o.event.Action == event.ScanDetected || o.event.Action == event.SourceBanned
	if o.group == nil || !isNews || t.opts.DecoyWait < 0 || waiting > outQueue/2 {
		return
	}
	pause := decoyPause
	if o.alone {
		pause = alonePause
	}
	limit := min(o.at.Add(t.opts.DecoyWait).Sub(t.opts.Now()), t.opts.DecoyWait)
	// The clock may be set meanwhile, so what was waited is counted.
	for d := time.Duration(0); limit > 0; limit -= d {
		quiet := t.opts.Now().Sub(t.decoys.grown(o))
		if d = min(pause-quiet, pause, limit); d <= 0 {
			return
		}
		time.Sleep(d)
	}
}

// grown is when the latest source came of those that a line is about.
func (x *decoys) grown(o outgoing) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	g := o.group
	for g.into != nil {
		g = g.into
	}
	if g.grown.After(o.at) {
		return g.grown
	}
	return o.at
}

// nameGroup adds its group to a line, and reports whether the line is to be
// left out: one alert speaks for the whole group. A ban, its end and the
// totals are told for each source, and whatever concerns an address that
// the operator cares for.
func (t *Tracker) nameGroup(o outgoing) (folded bool) {
	if o.group == nil || o.event.Scan == nil {
		return false
	}
	x, s := t.decoys, o.event.Scan
	x.mu.Lock()
	defer x.mu.Unlock()
	g := o.group
	for g.into != nil {
		g = g.into
	}
	if g.Size < 2 {
		return false
	}
	shown := g.Group
	shown.Sources, shown.Proven = slices.Clone(g.Sources), slices.Clone(g.Proven)
	s.Group = &shown
	if o.event.Action != event.ScanDetected || s.Protected || s.Watched {
		return false
	}
	if s.Kinds&^g.told == 0 {
		t.mu.Lock()
		t.stats.Folded++
		t.mu.Unlock()
		return true
	}
	g.told |= s.Kinds
	return false
}
