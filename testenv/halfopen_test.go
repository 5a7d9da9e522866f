// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"testing"
)

// TestHalfOpenScansOfOpenPorts scans twenty services and nothing else: all
// that speaks against the scanner is that it resets what it began.
func TestHalfOpenScansOfOpenPorts(t *testing.T) {
	var ports []uint16
	for i := range uint16(20) {
		ports = append(ports, 9200+i)
	}
	const list = "9200-9219" // nping leaves some out, and asks others twice
	for _, row := range []struct {
		name, config string
		cookies      bool
		scan         scanner
		tool         string
	}{
		{name: "nmap", scan: scanner{"", "syn", "nmap", true, []string{"-n", "-Pn", "-sS", "-p", list}}, tool: "nmap"},
		{name: "nmap, not dropped on sight", config: "detect: {drop_crafted: false}\n", tool: "nmap",
			scan: scanner{"", "syn", "nmap", false, []string{"-n", "-Pn", "-sS", "-p", list}}},
		{name: "nping", scan: scanner{"", "syn", "nping", false, []string{"--tcp", "-c", "1", "--rate", "50", "-p", list}}, tool: "nping"},
		{name: "nping, SYN cookies", cookies: true, tool: "nping",
			scan: scanner{"", "syn", "nping", false, []string{"--tcp", "-c", "1", "--rate", "50", "-p", list}}},
	} {
		for _, version := range []int{4, 6} {
			t.Run(fmt.Sprintf("%s/ipv%d", row.name, version), func(t *testing.T) {
				t.Parallel()
				lab := New(t, Options{})
				victim, attacker := lab.Host("victim"), lab.Host("attacker")
				victim.Serve(ports...)
				victim.Configure(row.config)
				if row.cookies {
					if err := victim.Inside(func() error { return setSysctl("net/ipv4/tcp_syncookies", "2") }); err != nil {
						t.Fatal(err)
					}
				}
				victim.Attach()
				source, target, args := attacker.IPv4, victim.IPv4, row.scan.args
				if version == 6 {
					source, target = attacker.IPv6, victim.IPv6
					args = append([]string{"-6"}, args...)
				}
				attacker.MustTool(row.tool, append(args, target.String())...)
				ban := victim.WaitBan(source)
				checkBan(t, ban, row.scan, source)
				if ban.Denmap.Ports.Distinct != 8 {
					t.Errorf("banned after %d ports, want 8: %s", ban.Denmap.Ports.Distinct, ban.Raw)
				}
			})
		}
	}
}
