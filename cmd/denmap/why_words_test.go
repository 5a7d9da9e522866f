// SPDX-License-Identifier: MIT

package main

import (
	"testing"

	"denmap/userspace/event"
)

func TestProbeWords(t *testing.T) {
	const syn, fin, rst, ack = 0x02, 0x01, 0x04, 0x10
	known := func(kind event.Kind, points int, tool event.Tool, flags uint8, window uint16, ttl uint8) event.Probe {
		return event.Probe{Port: 22, Kind: kind, Points: points, Tool: tool, Known: true, Flags: flags, Window: window, TTL: ttl}
	}
	const raw = "no socket on port 22, header not from a kernel's connect()"
	for _, row := range []struct {
		name                 string
		probe                event.Probe
		ipv6                 bool
		flags, outcome, rule string
	}{
		{"connect", known(event.Connect, 1, event.ToolKernel, syn, 64240, 63), false, "SYN", outcomeClosed, "no socket on port 22"},
		{"nmap", known(event.SYN, 2, event.ToolNmap, syn, 1024, 50), false, "SYN", outcomeCrafted, "exact nmap SYN"},
		{"nmap, SYN and ECE", known(event.SYN, 2, event.ToolNmap, syn|0x40, 1024, 50), false, "SYN+ECE", outcomeCrafted, "exact nmap SYN"},
		{"nmap over IPv6", known(event.SYN, 2, event.ToolNmap, syn, 1024, 255), true, "SYN", outcomeCrafted, "exact nmap SYN"},
		{"near nmap over IPv6", known(event.SYN, 2, event.ToolNmap, syn, 1024, 60), true, "SYN", outcomeClosed, raw},
		{"nmap by window alone", known(event.SYN, 2, event.ToolNmap, syn, 2048, 50), false, "SYN", outcomeClosed, raw},
		{"masscan", known(event.SYN, 2, event.ToolMasscan, syn, 1024, 250), false, "SYN", outcomeCrafted, "exact masscan SYN"},
		{"zmap, of whichever version", known(event.SYN, 2, event.ToolZmap, syn, 65535, 60), false, "SYN", outcomeClosed, raw},
		{"raw", known(event.SYN, 2, event.ToolRaw, syn, 8192, 64), false, "SYN", outcomeClosed, raw},
		{"the filter's", event.Probe{Port: 22, Kind: event.SYN, Points: 2, Tool: event.ToolNmap}, false, "", outcomeNotKept, "SYN to port 22 not from a kernel's connect()"},
		{"the filter's, of a kernel", event.Probe{Port: 22, Kind: event.Connect, Points: 1}, false, "", outcomeClosed, "no socket on port 22"},
		{"nmap at an open port", known(event.SYN, 1, event.ToolNmap, syn, 1024, 50), false, "SYN", outcomeCrafted, "exact nmap SYN"},
		{"old stacks", known(event.SYN, 1, event.ToolRaw, syn, 8192, 64), false, "SYN", outcomeClosed, "no socket on port 22"},
		{"half-open", known(event.SYN, 1, event.ToolNping, rst, 1480, 64), false, "RST", outcomeHalfOpen, "handshake on port 22 reset half-open"},
		{"the filter's, of an open port", event.Probe{Port: 22, Kind: event.SYN, Points: 1, Tool: event.ToolUnknown}, false, "", outcomeNotKept, "SYN to port 22 not from a kernel's connect()"},
		{"Null", known(event.Null, 2, event.ToolNmap, 0, 1024, 40), false, "none", outcomeCrafted, "flags no stack sends"},
		{"FIN", known(event.FIN, 2, event.ToolNmap, fin, 1024, 40), false, "FIN", outcomeCrafted, "flags no stack sends"},
		{"SYN+FIN", known(event.OddFlags, 2, event.ToolNmap, syn|fin, 1024, 40), false, "FIN+SYN", outcomeCrafted, "flags no stack sends"},
		{"ACK", known(event.ACK, 1, event.ToolHping3, ack, 512, 64), false, "ACK", outcomeClosed, "no connection and no socket on port 22"},
		{"Maimon", known(event.Maimon, 1, event.ToolNmap, fin|ack, 1024, 40), false, "FIN+ACK", outcomeClosed, "no connection and no socket on port 22"},
		{"UDP", known(event.UDP, 1, event.ToolUnknown, 0, 0, 40), false, "", outcomeClosed, "no socket on UDP port 22"},
		{"SCTP", known(event.SCTP, 1, event.ToolUnknown, 0, 0, 40), false, "", outcomeNotAsked, "SCTP to port 22"},
		{"fragment", known(event.Fragment, 2, event.ToolRaw, 0, 0, 40), false, "", outcomeNotAsked, "header cut off by fragmentation, or without an end"},
		{"sweep", known(event.Sweep, 1, event.ToolKernel, syn, 64240, 63), false, "SYN", outcomeClosed, "port 22 on one more address"},
		{"nmap -O, T2", known(event.OSFingerprint, 2, event.ToolNmap, 0, 128, 40), false, "none", outcomeCrafted, "exact probe of nmap -O"},
		{"nmap -O, T5", known(event.OSFingerprint, 2, event.ToolNmap, syn, 31337, 40), false, "SYN", outcomeClosed, "exact probe of nmap -O"},
		{"nmap -O, UDP", known(event.OSFingerprint, 1, event.ToolNmap, 0, 0, 40), false, "", outcomeClosed, "exact probe of nmap -O"},
	} {
		if got := tcpFlagNames(row.probe); got != row.flags {
			t.Errorf("%s: flags %q, want %q", row.name, got, row.flags)
		}
		if got := outcomeOf(row.probe, row.ipv6); got != row.outcome {
			t.Errorf("%s: outcome %q, want %q", row.name, got, row.outcome)
		}
		if got := ruleOf(row.probe, row.ipv6); got != row.rule {
			t.Errorf("%s: rule %q, want %q", row.name, got, row.rule)
		}
	}
}
