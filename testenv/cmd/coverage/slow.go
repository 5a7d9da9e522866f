// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"denmap/testenv"
	"denmap/userspace/event"
)

// slowPorts is how many ports a scan asks that takes hours.
const slowPorts = 30

// slow is a scan by Nmap with a gap between two ports that nobody waits
// for: see replay.
func slow(kind string, most int, args string, gap time.Duration) scan {
	tool := map[string]string{"syn": "nmap", "fin": "nmap", "connect": "kernel-connect"}[kind]
	plain := map[string]string{"-sS": plainly, "-sF": "nmap -sF -F", "-sT": "nmap -sT -F --host-timeout 8s", "-sU": "nmap -sU --top-ports 60"}
	return scan{name: "nmap " + args, kind: kind, tool: tool, most: most, evasion: true, plain: plain[args[:3]], gap: gap, run: func(s *site) testenv.Result {
		fast := strings.Fields(args)[0] // the timing is the clock's
		all := []string{"-n", "-Pn", "-T4", "--max-retries", "0", fast, "-p", fmt.Sprintf("1-%d", slowPorts)}
		if s.version == 6 {
			all = append(all, "-6")
		}
		return s.attacker.Tool("nmap", append(all, s.to.String())...)
	}}
}

// replay records what the scanner sends to a host without DenMap, and what
// that answers, spreads it as the timing demands, and runs it through
// `denmap replay`: the same program, with the capture's clock.
func (a attempt) replay(c *testenv.Console, o options) row {
	s := newSite(c, a.version)
	s.victim.Serve(openPorts...)
	recorder := s.victim.Record(uplink)
	a.run(s)
	packets := spread(recorder.Packets(), s.conversation, a.gap)
	r := a.replayed(c, o, s, packets)
	if r.wrong() != "" {
		c.Logf("%s; %d packets", r.wrong(), len(packets))
	}
	return r
}

// conversation returns the scanned port that a packet between scanner and
// victim belongs to, 0 for what is none of the scan.
func (s *site) conversation(p event.Packet) (port uint16) {
	from, to, sport, dport, ok := testenv.Endpoints(p.Header)
	switch {
	case !ok:
		return 0
	case from == s.from && to == s.to:
		return dport
	case from == s.to && to == s.from:
		return sport
	}
	return 0
}

// spread moves the packets of each conversation so that the conversations
// begin a gap apart, in the order in which they began.
func spread(packets []event.Packet, conversation func(event.Packet) uint16, gap time.Duration) (out []event.Packet) {
	began := make(map[uint16]time.Time)
	if len(packets) == 0 {
		return nil
	}
	start := packets[0].Time
	shift := make(map[uint16]time.Duration)
	for _, p := range packets {
		port := conversation(p)
		if port == 0 {
			continue
		}
		if _, ok := began[port]; !ok {
			shift[port] = start.Add(time.Duration(len(began)) * gap).Sub(p.Time)
			began[port] = p.Time
		}
		p.Time = p.Time.Add(shift[port])
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b event.Packet) int { return a.Time.Compare(b.Time) })
	return out
}
