// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"denmap/testenv"
)

// scan is a scanner's command line; the victim's address comes last.
type scan struct {
	tool string
	args []string
	ipv6 bool
}

var scans = map[string]scan{
	"nmap-sS":   {"nmap", []string{"-n", "-sS"}, false},
	"nmap-sT":   {"nmap", []string{"-n", "-sT"}, false},
	"nmap-sF":   {"nmap", []string{"-n", "-sF"}, false},
	"nmap-sX":   {"nmap", []string{"-n", "-sX"}, false},
	"nmap-sN":   {"nmap", []string{"-n", "-sN"}, false},
	"nmap-sA":   {"nmap", []string{"-n", "-sA"}, false},
	"nmap-sM":   {"nmap", []string{"-n", "-sM"}, false},
	"nmap-sU":   {"nmap", []string{"-n", "-sU", "--top-ports", "50"}, false},
	"nmap-sO":   {"nmap", []string{"-n", "-sO"}, false},
	"nmap-O":    {"nmap", []string{"-n", "-O"}, false},
	"nmap-6-sS": {"nmap", []string{"-6", "-n", "-sS"}, true},
	"nmap-6-sT": {"nmap", []string{"-6", "-n", "-sT"}, true},
	"hping3":    {"hping3", []string{"--scan", "1-100", "-S"}, false},
}

func scanNames() []string { return slices.Sorted(maps.Keys(scans)) }

// runScan runs a scan from the attacker, with extra arguments before the
// target, and tells what it printed and what reached the victim's stack.
func runScan(lab *testenv.Lab, s scan, extra []string, w io.Writer) {
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	source, target := attacker.IPv4, victim.IPv4
	if s.ipv6 {
		source, target = attacker.IPv6, victim.IPv6
	}
	counter := victim.CountTCP("eth0")
	args := slices.Concat(s.args, extra, []string{target.String()})
	fmt.Fprintln(w, attacker.Tool(s.tool, args...))
	through := counter.From(source)
	fmt.Fprintf(w, "\nTCP through to the victim's stack: %d packets, %d ports %v, by flags %v\n",
		through.Packets, len(through.Ports), through.Closed(), through.Flags)
}
