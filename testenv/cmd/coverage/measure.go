// SPDX-License-Identifier: MIT

package main

import (
	"net/netip"
	"strings"
	"time"

	"denmap/testenv"
)

// uplink is the interface that a host of the lab has.
const uplink = "eth0"

// openPorts are the victim's services.
var openPorts = []uint16{22, 80, 443}

// site is the lab of one attempt.
type site struct {
	lab                      *testenv.Lab
	victim, attacker, client *testenv.Host
	version                  int
	to, from                 netip.Addr // the victim's and the attacker's
}

func newSite(t testenv.T, version int) *site {
	t.Helper()
	lab := testenv.New(t, testenv.Options{})
	s := &site{lab: lab, victim: lab.Host("victim"), attacker: lab.Host("attacker"), client: lab.Host("client"), version: version}
	s.to, s.from = s.victim.IPv4, s.attacker.IPv4
	if version == 6 {
		s.to, s.from = s.victim.IPv6, s.attacker.IPv6
	}
	return s
}

// row is what became of one attempt.
type row struct {
	attempt
	verdict    string // "banned", "alerted" or "no"
	label      []string
	tool       string // with its confidence
	alert, ban int    // distinct failures until then; 0: never
	sent       int    // packets, -1: not counted
	reached    int    // of them, packets that the victim's stack saw
	group      int    // sources named as one group
	open       int    // open ports that Nmap reports
	alertAfter time.Duration
	banAfter   time.Duration
	replay     string // in what `denmap replay` of the same packets differs
}

// measure runs the attempt in a lab of its own.
func (a attempt) measure(c *testenv.Console, o options) row {
	if a.gap > 0 {
		return a.replay(c, o)
	}
	s := newSite(c, a.version)
	if a.hops > 0 {
		s.from = s.hops(1)[0]
	}
	if a.addrs > 0 {
		for _, addr := range s.swept(a.addrs) {
			s.victim.AddAddr(uplink, addr)
		}
	}
	s.settle(a.place)
	s.victim.Serve(openPorts...)
	if a.config != "" {
		s.victim.Configure(a.config)
	}
	s.victim.Attach()
	sent, reached := s.attacker.CountSent(), s.victim.CountIP(uplink)
	recorder := s.attacker.Record(uplink)

	result := a.run(s)

	r := row{attempt: a, verdict: "no"}
	patience := 1500 * time.Millisecond
	if a.place != "" {
		patience = 5 * time.Second // probes wait for their outcome
	}
	r.read(s.await(patience))
	for _, source := range s.sources(a) {
		r.sent += sent.From(source).Packets
		r.reached += reached.From(source).Packets
	}
	r.open = openIn(result.Stdout)
	if a.place == "" && a.addrs == 0 {
		r.replay = r.differs(a.replayed(c, o, s, recorder.Packets()))
	}
	if r.wrong() != "" {
		c.Logf("%s; %v", r.wrong(), result)
		for _, l := range s.victim.Log() {
			c.Logf("logged: %s", l.Message)
		}
	}
	return r
}

// sources are the addresses that the scanner uses: those that it forges do
// not count.
func (s *site) sources(a attempt) []netip.Addr {
	if a.hops > 0 {
		return s.hops(a.hops)
	}
	return []netip.Addr{s.from}
}

// await returns the lines about the scanner once there is a ban, or when
// none is to be expected any more.
func (s *site) await(patience time.Duration) (lines []testenv.LogLine) {
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		lines = s.victim.LogAbout(s.from)
		for _, l := range lines {
			if l.Event.Action == "source-banned" {
				return lines
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	return lines
}

// read takes over what the log says. The ban's line knows best.
func (r *row) read(lines []testenv.LogLine) {
	for _, l := range lines {
		d := l.Denmap
		switch l.Event.Action {
		case "scan-detected":
			if r.alert == 0 {
				r.alert = d.Ports.Distinct
			}
			if r.verdict == "no" {
				r.verdict = "alerted"
			}
		case "source-banned":
			r.verdict, r.ban = "banned", d.Ports.Distinct
		default:
			continue
		}
		r.label, r.group = d.Scan, d.Group.Size
		r.tool = ""
		if d.Tool.Name != "" {
			r.tool = d.Tool.Name + ", " + d.Tool.Confidence
		}
	}
}

// openIn counts the ports that nmap's report calls open.
func openIn(report string) (n int) {
	for line := range strings.Lines(report) {
		if f := strings.Fields(line); len(f) > 1 && strings.Contains(f[0], "/") && f[1] == "open" {
			n++
		}
	}
	return n
}
