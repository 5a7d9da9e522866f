// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// Bounds on what a scan may achieve.
const (
	maxLogLines      = 6 // of one scan, whatever its size
	maxConnectPorts  = 8 // distinct closed ports: the ban's score, one point each
	maxCraftedScored = 4 // crafted probes score two points, so the fourth is banned
)

var openPorts = []uint16{22, 80, 443}

// scanner is one way of scanning the victim.
type scanner struct {
	name    string
	label   string // the only entry of denmap.scan; empty: not checked
	tool    string // denmap.tool.name; empty: not checked
	crafted bool   // no kernel sends such packets: none may pass
	args    []string
}

var nmapScans = []scanner{
	{"sS", "syn", "nmap", true, []string{"-sS"}},
	// Against a host that drops, connect() takes Nmap minutes: a scan that
	// gives up earlier has been stopped all the same.
	{"sT", "connect", "", false, []string{"-sT", "--host-timeout", "30s"}},
	{"sF", "fin", "nmap", true, []string{"-sF"}},
	{"sX", "xmas", "nmap", true, []string{"-sX"}},
	{"sN", "null", "nmap", true, []string{"-sN"}},
}

// TestNmap runs Nmap's scans as a user would, with default ports and host
// discovery.
func TestNmap(t *testing.T) {
	for _, scan := range nmapScans {
		for _, timing := range []string{"-T4", "-T5"} {
			for _, version := range []int{4, 6} {
				t.Run(fmt.Sprintf("%s%s/ipv%d", scan.name, timing, version), func(t *testing.T) {
					t.Parallel()
					lab := New(t, Options{})
					args := append([]string{"-n", timing}, scan.args...)
					testScan(t, lab, scan, "nmap", version, args)
				})
			}
		}
	}
}

// testScan attaches DenMap to the victim, scans it and checks what got
// through and what was logged.
func testScan(t *testing.T, lab *Lab, scan scanner, tool string, version int, args []string) {
	t.Helper()
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	victim.Serve(openPorts...)
	victim.Attach()
	counter := victim.CountTCP(uplink)

	source, target := attacker.IPv4, victim.IPv4
	if version == 6 {
		source, target = attacker.IPv6, victim.IPv6
		args = append([]string{"-6"}, args...)
	}
	result := attacker.MustTool(tool, append(args, target.String())...)

	ban := victim.WaitBan(source)
	checkBan(t, ban, scan, source)
	through := counter.From(source)
	if scan.crafted && through.Packets != 0 {
		t.Errorf("%d packets got through, to ports %v, flags %v; want none\n%v",
			through.Packets, through.Closed(), through.Flags, result)
	}
	if closed := through.Closed(openPorts...); len(closed) > maxConnectPorts {
		t.Errorf("%d closed ports got through: %v; want at most %d", len(closed), closed, maxConnectPorts)
	}
	checkLogSize(t, victim, source)
}

// TestNmapOtherKinds runs the kinds of scan that are rarer, quickly.
func TestNmapOtherKinds(t *testing.T) {
	for _, scan := range []scanner{
		{"sA", "ack", "nmap", false, []string{"-sA"}},
		{"sM", "maimon", "nmap", false, []string{"-sM"}},
		{"SYN+FIN", "odd-flags", "", true, []string{"-sS", "--scanflags", "SYNFIN"}},
		{"URG", "odd-flags", "", true, []string{"-sS", "--scanflags", "URG"}},
		{"fragments", "fragment", "", true, []string{"-sS", "-f"}},
	} {
		t.Run(scan.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"-n", "-Pn", "-T5", "--max-retries", "0", "-p", "1000-1100"}, scan.args...)
			testScan(t, New(t, Options{}), scan, "nmap", 4, args)
		})
	}
}

// checkBan compares a source-banned line with the scan that caused it.
func checkBan(t *testing.T, ban LogLine, scan scanner, source netip.Addr) {
	t.Helper()
	if scan.label != "" && !slices.Equal(ban.Denmap.Scan, []string{scan.label}) {
		t.Errorf("denmap.scan = %q, want only %q", ban.Denmap.Scan, scan.label)
	}
	if scan.tool != "" && ban.Denmap.Tool.Name != scan.tool {
		t.Errorf("denmap.tool.name = %q, want %q", ban.Denmap.Tool.Name, scan.tool)
	}
	if ban.Source.IP != source.String() {
		t.Errorf("source.ip = %q, want %q", ban.Source.IP, source)
	}
	if got := ban.Observer.Ingress.Interface.Name; got != uplink {
		t.Errorf("observer.ingress.interface.name = %q, want %q", got, uplink)
	}
	if !ban.Denmap.Enforced || !ban.Denmap.Ban.Until.After(time.Now()) {
		t.Errorf("enforced = %v, ban until %v; want a ban that is in force", ban.Denmap.Enforced, ban.Denmap.Ban.Until)
	}
	if t.Failed() {
		t.Logf("the line: %s", ban.Raw)
	}
}

func checkLogSize(t *testing.T, victim *Host, source netip.Addr) {
	t.Helper()
	if lines := victim.LogAbout(source); len(lines) > maxLogLines {
		t.Errorf("%d log lines about one scan, want at most %d", len(lines), maxLogLines)
		for _, line := range lines {
			t.Logf("%s", line.Raw)
		}
	}
}

// TestCraftedScored shows that the score alone stops crafted scans, for
// administrators who switch dropping on sight off.
func TestCraftedScored(t *testing.T) {
	for _, scan := range nmapScans {
		if !scan.crafted {
			continue
		}
		t.Run(scan.name, func(t *testing.T) {
			t.Parallel()
			lab := New(t, Options{})
			victim, attacker := lab.Host("victim"), lab.Host("attacker")
			victim.Serve(openPorts...)
			victim.Configure("detect: {drop_crafted: false}\n")
			victim.Attach()
			counter := victim.CountTCP(uplink)

			// Closed ports only: an open one answers a SYN and fails nothing.
			attacker.MustTool("nmap", append(scan.args, "-n", "-Pn", "-T5", "--max-retries", "0", "-p", "1000-1200", victim.IPv4.String())...)

			checkBan(t, victim.WaitBan(attacker.IPv4), scan, attacker.IPv4)
			if ports := counter.From(attacker.IPv4).Closed(); len(ports) > maxCraftedScored {
				t.Errorf("%d ports got through: %v; want at most %d", len(ports), ports, maxCraftedScored)
			}
			checkLogSize(t, victim, attacker.IPv4)
		})
	}
}
