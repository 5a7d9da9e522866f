// SPDX-License-Identifier: MIT

package loader

import (
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// model is the rules of detection in plain Go: no bounds on memory but the
// 32 probes of a source, no concurrency, one packet at a time.
type model struct {
	settings   Settings
	monitor    bool
	bridged    bool
	nat        bool
	low, high  uint16 // ip_local_port_range
	own        map[netip.Addr]bool
	onLink     []netip.Prefix
	lists      map[netip.Addr]listing
	ignored    map[uint16]bool
	socket     func(*view) (found, connected bool)
	now        time.Duration
	sources    map[netip.Prefix]*modelSource
	bans       map[netip.Prefix]*modelBan
	proven     map[netip.Prefix]*modelBan
	visits     map[visit]bool
	listened   map[heard]*hearing
	rooms      map[netip.Prefix]*waitingRoom
	published  map[service]time.Duration // when, in seconds
	awaited    map[netip.Addr]uint32     // tick of the last SYN that waits
	openings   map[uint64]*opening       // by the program's slot
	seed       uint64
	detections []event.Detection
	entries    int // a second that are no flood
	flood      flood
}

// flood is how many sources wanted an entry in a second and in the one
// before.
type flood struct {
	second      time.Duration
	now, before int
}

// listing is what an operator or the host says of an address.
type listing int

const (
	unlisted listing = iota
	allowed
	watched
	denied
	manuallyBanned
	protected
)

type modelBan struct {
	until   time.Duration
	recheck uint64 // tick before which the clock is not looked at
}

type heard struct {
	udp  bool
	port uint16
}

type hearing struct{ second, tick uint64 }

// tick is the coarse clock; 64 of them may pass between two looks at the
// exact one.
func (m *model) tick() uint64 { return uint64(m.now) >> 22 }

const recheckTicks = 64

func (m *model) decay() int64 { return m.settings.Decay.Milliseconds() }

// judge says what becomes of a frame and why, in the words of the counters.
func (m *model) judge(frame []byte) string {
	v, unparsed := parseLink(frame)
	if v.overtagged && m.settings.DropCrafted && !m.monitor {
		return "drop crafted"
	}
	if unparsed != "" && !v.addressed {
		return unparsed
	}
	if v.isEssential() {
		return "pass essential"
	}
	switch m.lists[v.src] {
	case allowed:
		return "pass allowed"
	case denied:
		return "drop denied"
	case manuallyBanned:
		return "drop banned"
	}
	if m.lists[v.src] != watched {
		if ban, due := m.banOf(m.proven, &v); ban != nil && !m.monitor {
			if due && unparsed == "" {
				m.renew(&v, ban)
			}
			return "drop banned"
		}
	}
	if unparsed != "" {
		return unparsed
	}
	if v.later {
		return "pass later-fragment"
	}
	g, reason := classify(&v)
	if v.header >= 20 && reason != "pass bad-tcp" && m.isAwaited(&v) {
		return "pass established"
	}
	if reason != "" {
		return reason
	}
	if v.protocol == protoUDP && departs.openUDPEverywhere && m.heardLately(&v) {
		return "pass open"
	}
	if !v.isUnicast() {
		return "pass not-unicast"
	}
	if m.isStopped(&v, g) {
		return "drop banned"
	}
	if g.question == backscatter {
		return m.judgeAnswer(&v)
	}
	if m.ignored[v.dport] {
		return "pass ignored-port"
	}
	reason = m.count(&v, g)
	if reason[:4] == "pass" && m.isDroppedOnSight(v.src, g) {
		return "drop crafted"
	}
	return reason
}

// isDroppedOnSight: whatever comes of the packet, it goes no further.
func (m *model) isDroppedOnSight(src netip.Addr, g guess) bool {
	return g.crafted && m.settings.DropCrafted && !m.monitor && m.lists[src] != watched
}

// count scores the packet if it is a new failure.
func (m *model) count(v *view, g guess) string {
	f := failure{target: target{v.dst, v.protocol, v.dport}, kind: g.kind, points: g.points, tool: g.tool}
	if g.kind == event.IPProtocol {
		f.port = uint16(v.protocol)
	}
	s := m.source(v)
	// Where a socket is likely, it is asked first: an open port is open,
	// whatever the source tried before.
	asked := ""
	likely := !g.crafted && (g.question == isWanted || g.question == isListened && m.heardToday(v))
	if likely {
		asked = m.outcome(v, g, false)
	}
	if asked != "pass open" && m.isRepeated(s, f) {
		return "pass repeated"
	}
	if !likely {
		asked = m.outcome(v, g, false)
	}
	switch reason := asked; reason {
	case "":
		return m.score(v, s, f)
	case "pass open":
		// Dropped on sight, a handshake stays half-open.
		if _, connected := m.socket(v); connected || v.protocol != protoTCP || !m.isDroppedOnSight(v.src, g) {
			return reason
		}
		f.points = 1
		if m.isRepeated(s, f) {
			return "pass repeated"
		}
		return m.score(v, s, f)
	case "pass waiting":
		return m.await(v, f)
	default:
		return reason
	}
}

// source returns the memory of the source: IPv4 alone, IPv6 by prefix but
// for neighbours, translated IPv4 and who is watched.
func (m *model) source(v *view) *modelSource {
	key := m.sourceKey(v)
	s := m.sources[key]
	if s == nil {
		s = &modelSource{}
		m.sources[key] = s
	}
	return s
}

func (m *model) sourceKey(v *view) netip.Prefix {
	if m.lists[v.src] == watched {
		return whole(v.src)
	}
	if !v.v6 || isLinkLocal6(v.src) || netip.MustParsePrefix("64:ff9b::/96").Contains(v.src) {
		return whole(v.src)
	}
	for _, p := range m.onLink {
		if p.Contains(v.src) {
			return whole(v.src)
		}
	}
	return inPrefix(v.src, m.settings.IPv6Prefix)
}

func isLinkLocal6(a netip.Addr) bool {
	b := a.As16()
	return b[0] == 0xfe && b[1]&0xc0 == 0x80
}

// whole is the address alone. Of a link-local one the second word, zero by
// RFC 4291, holds the interface; there is one here.
func whole(a netip.Addr) netip.Prefix {
	b := a.As16()
	if isLinkLocal6(a) {
		b[4], b[5], b[6], b[7] = 0, 0, 0, 0
	}
	return netip.PrefixFrom(netip.AddrFrom16(b), 128)
}

// isRepeated: counted before, and not forgotten.
func (m *model) isRepeated(s *modelSource, f failure) bool {
	if !s.known {
		file := m.file(s)
		return file != nil && file.noted(f)
	}
	return s.remembers(f) && !s.isOver(m.now, m.decay())
}

// ask: is the packet for this host, and does a socket want it?
func (m *model) ask(v *view, g guess) (ours, open bool) {
	ours = v.ours && m.own[whole(v.dst).Addr()]
	if ours && g.question != isOurs {
		open, _ = m.socket(v)
	}
	return ours, open
}

// outcome is why a packet is not a failed probe, "" if it is one. stopped:
// a ban drops it anyway.
func (m *model) outcome(v *view, g guess, stopped bool) string {
	if g.question == settled {
		return ""
	}
	switch ours, open := m.ask(v, g); {
	case open:
		m.welcome(v, g, stopped)
		return "pass open"
	case m.waits(v, g, ours):
		return "pass waiting"
	case !ours && g.crafted:
		return ""
	case !ours:
		return "pass foreign"
	}
	translated := m.nat && !g.crafted && g.question != isOurs && m.isTranslated(v, g)
	if translated || m.isAnswer(v, g) {
		return "pass answer"
	}
	if g.question != isOurs && (m.heardToday(v) || m.isCallReport(v) || m.isTwinServed(v, g)) && !(g.crafted && departs.craftedToGone) {
		return "pass service-gone"
	}
	return ""
}

// isTranslated: what may well be for a host whose address this one stands
// in for: it speaks from no port below 1024, and a scanner's header gives
// itself away.
func (m *model) isTranslated(v *view, g guess) bool {
	if v.protocol == protoUDP {
		return v.dport >= 1024
	}
	return g.tool != event.ToolNmap && g.tool != event.ToolHping3
}

// welcome notes a packet that a socket wants: a SYN or a datagram tells of
// a service, and a SYN to a listener may begin a handshake unless a ban
// stops it.
func (m *model) welcome(v *view, g guess, stopped bool) {
	if g.question != isListened {
		return
	}
	m.hear(v)
	_, connected := m.socket(v)
	if connected || v.protocol != protoTCP || stopped || m.isDroppedOnSight(v.src, g) {
		return
	}
	f := failure{target: target{v.dst, v.protocol, v.dport}, kind: g.kind, points: g.points, tool: g.tool}
	if g.points > 1 {
		m.expectReset(v, f)
	}
	if !g.crafted {
		m.expectProof(v, f)
	}
}

// isAnswer: what comes because the host once spoke to the sender, and
// traceroute.
func (m *model) isAnswer(v *view, g guess) bool {
	ephemeral := v.dport >= m.low && v.dport <= m.high
	if v.protocol == protoUDP {
		begun := func(first uint16) bool { return v.dport >= first && v.dport <= first+100 }
		traced := v.ttl <= 12 && v.dport >= 33000 || v.ttl <= 30 && (begun(33434) || begun(44444))
		return traced || g.tool == event.ToolUnknown && v.payload > 0 && v.dport >= 1024 && (ephemeral || isUDPService(v.sport))
	}
	return ephemeral && g.question == isWanted && (g.kind == event.OddFlags || g.tool != event.ToolNmap && g.tool != event.ToolHping3)
}

func isUDPService(port uint16) bool {
	switch port {
	case 1194, 1434, 1701, 1812, 1813, 1900, 3283, 3389, 3478, 3702, 4433, 4500, 5060, 5353, 5355, 5683, 8443, 11211, 27015, 27960, 37810, 51820:
		return true
	}
	return port < 1024
}

// hear notes that a port has a socket: to the minute.
func (m *model) hear(v *view) {
	key := heard{v.protocol == protoUDP, v.dport}
	h := m.listened[key]
	if h == nil {
		h = &hearing{}
		m.listened[key] = h
	}
	if second := uint64(m.now/time.Second) + 1; second-h.second > 60 {
		h.second = second
	}
	h.tick = m.tick()
}

func (m *model) heardToday(v *view) bool {
	h := m.listened[heard{v.protocol == protoUDP, v.dport}]
	return m.isToday(h)
}

// isCallReport: RTCP beside a port of RTP.
func (m *model) isCallReport(v *view) bool {
	return v.protocol == protoUDP && v.dport%2 == 1 && v.dport > 1024 && m.isToday(m.listened[heard{true, v.dport - 1}])
}

// isTwinServed: the same service is offered under TLS, or in clear.
func (m *model) isTwinServed(v *view, g guess) bool {
	twin := map[uint16]uint16{80: 443, 443: 80, 110: 995, 143: 993, 993: 143, 995: 110, 25: 587, 465: 587, 587: 465}[v.dport]
	return g.kind == event.Connect && twin != 0 && m.isToday(m.listened[heard{false, twin}])
}

func (m *model) isToday(h *hearing) bool {
	return h != nil && uint64(m.now/time.Second)+1-h.second < 24*60*60
}

func (m *model) heardLately(v *view) bool {
	h := m.listened[heard{true, v.dport}]
	return h != nil && m.tick()-h.tick < recheckTicks
}
