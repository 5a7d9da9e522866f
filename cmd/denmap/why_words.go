// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strings"
	"time"

	"denmap/userspace/event"
)

// probeDocument is one counted probe in JSON.
type probeDocument struct {
	Time    time.Time `json:"time"`
	Port    uint16    `json:"port"` // the protocol's number for ip-protocol
	Kind    string    `json:"kind"`
	Flags   string    `json:"flags,omitempty"` // of TCP, such as "FIN+PSH+URG"; missing: not recorded
	TTL     uint8     `json:"ttl,omitempty"`
	Window  *uint16   `json:"window,omitempty"`
	Outcome string    `json:"outcome"` // closed, crafted, half-open, not-asked or not-kept
	Rule    string    `json:"rule"`
	Points  int       `json:"points"`
	Score   int       `json:"score"` // after this probe
	Tool    string    `json:"tool"`
}

func newProbeDocument(p event.Probe, ipv6 bool) probeDocument {
	doc := probeDocument{
		Time: p.Time.UTC().Truncate(time.Millisecond), Port: p.Port, Kind: p.Kind.String(), Flags: tcpFlagNames(p), TTL: p.TTL,
		Outcome: outcomeOf(p, ipv6), Rule: ruleOf(p, ipv6), Points: p.Points, Score: p.Score, Tool: p.Tool.String(),
	}
	if tcpFlagNames(p) != "" {
		doc.Window = &p.Window
	}
	return doc
}

var tcpFlags = [8]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"}

// tcpFlagNames names the TCP flags of a probe; empty if it has none that are
// recorded, "none" for a TCP segment without any.
func tcpFlagNames(p event.Probe) string {
	var names []string
	for bit, name := range tcpFlags {
		if p.Flags&(1<<bit) != 0 {
			names = append(names, name)
		}
	}
	switch {
	case len(names) > 0:
		return strings.Join(names, "+")
	case p.Known && (p.Kind == event.Null || p.Kind == event.OSFingerprint && p.Window != 0):
		return "none"
	}
	return ""
}

// What the kernel found out about a probe.
const (
	outcomeClosed   = "closed"
	outcomeCrafted  = "crafted"
	outcomeHalfOpen = "half-open"
	outcomeNotAsked = "not-asked"
	outcomeNotKept  = "not-kept"
)

// outcomeTexts explain them, in the order in which they are told.
var outcomeTexts = []struct{ outcome, text string }{
	{outcomeClosed, "nobody wanted it: no socket here, or no answer from behind this host within 3 s"},
	{outcomeCrafted, "no stack sends this: dropped on sight, unless detect.drop_crafted is off or the interface only monitors"},
	{outcomeHalfOpen, "a service answered, and the sender reset the connection before it was made"},
	{outcomeNotAsked, "counted whatever it would have met"},
	{outcomeNotKept, "closed, crafted or half-open: the header of this probe is not remembered"},
}

// outcomeOf is the reverse of what the kernel program decided by.
func outcomeOf(p event.Probe, ipv6 bool) string {
	switch p.Kind {
	case event.FIN, event.Xmas, event.Null, event.OddFlags:
		return outcomeCrafted
	case event.OSFingerprint:
		if illegalFlags(p) {
			return outcomeCrafted
		}
	case event.Fragment, event.SCTP, event.IPProtocol:
		return outcomeNotAsked
	}
	switch {
	case exactTool(p, ipv6) != event.ToolUnknown:
		return outcomeCrafted
	case isHalfOpen(p):
		return outcomeHalfOpen
	case !p.Known && p.Kind == event.SYN:
		return outcomeNotKept
	}
	return outcomeClosed
}

// Bits of Probe.Flags.
const (
	flagFIN = 1 << iota
	flagSYN
	flagRST
	_
	flagACK
)

// isHalfOpen reports whether the probe was a reset that ended a handshake.
func isHalfOpen(p event.Probe) bool { return p.Kind == event.SYN && p.Flags&flagRST != 0 }

// illegalFlags reports whether no stack sends the flags of a TCP probe.
func illegalFlags(p event.Probe) bool {
	if tcpFlagNames(p) == "" {
		return false
	}
	if p.Flags&flagSYN != 0 {
		return p.Flags&(flagFIN|flagRST) != 0
	}
	return p.Flags&flagACK == 0
}

// exactTool is the scanner whose very SYN this is. zmap 4 imitates kernels
// and zmap 2 does not, which the remembered part of the header cannot tell
// apart; so zmap is never exact here.
func exactTool(p event.Probe, ipv6 bool) event.Tool {
	if !p.Known || p.Flags&(flagSYN|flagACK|flagRST|flagFIN) != flagSYN {
		return event.ToolUnknown
	}
	if p.Points == 1 && p.Kind == event.SYN && p.Tool >= event.ToolNmap {
		return p.Tool // to a port that is open: of others than these nothing fails there
	}
	if p.Points != 2 {
		return event.ToolUnknown
	}
	switch p.Tool {
	case event.ToolMasscan, event.ToolHping3:
		return p.Tool
	case event.ToolNmap:
		// The looser match over IPv4 takes other windows, over IPv6 other
		// hop limits.
		if p.Kind == event.SYN && p.Window == 1024 && (p.TTL > 64) == ipv6 {
			return p.Tool
		}
	}
	return event.ToolUnknown
}

// ruleOf says in words what spoke against a probe.
func ruleOf(p event.Probe, ipv6 bool) string {
	switch p.Kind {
	case event.FIN, event.Xmas, event.Null, event.OddFlags:
		return "flags no stack sends"
	case event.ACK, event.Maimon:
		return fmt.Sprintf("no connection and no socket on port %d", p.Port)
	case event.UDP:
		return fmt.Sprintf("no socket on UDP port %d", p.Port)
	case event.SCTP:
		return fmt.Sprintf("SCTP to port %d", p.Port)
	case event.IPProtocol:
		return fmt.Sprintf("IP protocol %d, which this host does not speak", p.Port)
	case event.Fragment:
		return "header cut off by fragmentation, or without an end"
	case event.Sweep:
		return fmt.Sprintf("port %d on one more address", p.Port)
	case event.OSFingerprint:
		return "exact probe of nmap -O"
	}
	if isHalfOpen(p) {
		return fmt.Sprintf("handshake on port %d reset half-open", p.Port)
	}
	if !p.Known && p.Kind == event.SYN { // whatever became of it
		return fmt.Sprintf("SYN to port %d not from a kernel's connect()", p.Port)
	}
	if tool := exactTool(p, ipv6); tool != event.ToolUnknown {
		return "exact " + tool.String() + " SYN"
	}
	rule := fmt.Sprintf("no socket on port %d", p.Port)
	if p.Points == 2 {
		rule += ", header not from a kernel's connect()"
	}
	return rule
}
