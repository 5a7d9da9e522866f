// SPDX-License-Identifier: MIT

package main

import (
	"net"
	"slices"
	"strings"

	"denmap/testenv"
)

// nmap is a scan by Nmap, as fast as it goes and without second tries
// unless args say otherwise. Ping scans are left out: on a link they are
// ARP.
func nmap(kind, tool string, most int, args string) scan {
	return scan{name: "nmap " + args, kind: kind, tool: tool, most: most, run: func(s *site) testenv.Result {
		all := append([]string{"-n", "-Pn", "--max-retries", "0"}, strings.Fields(args)...)
		if !strings.Contains(args, "-T") {
			all = append(all, "-T4")
		}
		if s.version == 6 {
			all = append(all, "-6")
			if strings.Contains(args, "--badsum") || strings.Contains(args, "--ttl") {
				// Nmap's own neighbour solicitations would be bent as well.
				all = append(all, "--send-ip")
			}
		}
		return s.attacker.Tool("nmap", append(all, s.to.String())...)
	}}
}

// search looks for the host by the probes of Nmap's that it would send
// beyond its own link.
func search(kind, tool string, most int, args string) scan {
	return scan{name: "nmap -sn " + args, kind: kind, tool: tool, most: most, run: func(s *site) testenv.Result {
		all := []string{"-n", "-sn", "--disable-arp-ping", "--max-retries", "0", args}
		if s.version == 6 {
			all = append(all, "-6")
		}
		return s.attacker.Tool("nmap", append(all, s.to.String())...)
	}}
}

// hping is a scan by hping3, which knows no IPv6.
func hping(kind, args string) scan {
	return scan{name: "hping3 " + args, kind: kind, tool: "hping3", most: twoPoints, only: 4, run: func(s *site) testenv.Result {
		return s.attacker.Tool("hping3", append(strings.Fields(args), s.to.String())...)
	}}
}

func nping(kind, tool string, most int, args string) scan {
	return scan{name: "nping " + args, kind: kind, tool: tool, most: most, run: func(s *site) testenv.Result {
		all := append([]string{"-c", "1", "--rate", "200"}, strings.Fields(args)...)
		if s.version == 6 {
			all = append(all, "-6")
			if strings.Contains(args, "--udp") {
				// Left to itself it would send from ::.
				all = append(all, "--source-ip", s.from.String(), "--source-mac", macOf(s.attacker), "--dest-mac", macOf(s.victim))
			}
		}
		return s.attacker.Tool("nping", append(all, s.to.String())...)
	}}
}

// tool is any program; {} in its arguments stands for the target.
func tool(kind, hint string, most int, name string, args ...string) scan {
	shown := strings.ReplaceAll(strings.Join(append([]string{name}, args...), " "), " {}", "")
	return scan{name: shown, kind: kind, tool: hint, most: most, run: func(s *site) testenv.Result {
		given := slices.Clone(args)
		for i, a := range given {
			if a == "{}" {
				given[i] = s.to.String()
			}
		}
		return s.attacker.Tool(name, given...)
	}}
}

// eachPort runs a command line for each of 30 ports.
func eachPort(line string) scan {
	return scan{name: line, kind: "connect", tool: "kernel-connect", most: onePoint, run: func(s *site) testenv.Result {
		line := strings.NewReplacer("HOST", s.to.String(), "PORT", "$p").Replace(strings.ReplaceAll(line, "'", `"`))
		return s.attacker.Tool("sh", "-c", "for p in $(seq 1 30); do "+line+"; done")
	}}
}

// python is Debian's: the one that has Scapy.
const python = "/usr/bin/python3"

// scapy sends what a Scapy expression for the transport layer expands to.
func scapy(kind, tool string, most int, expression string) scan {
	return scan{name: "scapy " + expression, kind: kind, tool: tool, most: most, run: func(s *site) testenv.Result {
		network := "IP"
		if s.version == 6 {
			network = "IPv6"
		}
		// With the link's header: Scapy looks for IPv6 neighbours for long.
		return s.attacker.Tool(python, "-c", "import sys; from scapy.all import *; sendp(Ether(dst=sys.argv[2])/"+
			network+"(src=sys.argv[3], dst=sys.argv[1])/"+expression+", iface='"+uplink+"', verbose=0)",
			s.to.String(), macOf(s.victim), s.from.String())
	}}
}

func macOf(h *testenv.Host) string {
	mac := h.MAC(uplink)
	return net.HardwareAddr(mac[:]).String()
}

// pythonConnect opens connections one after another, as a script would.
func pythonConnect(s *site) testenv.Result {
	return s.attacker.Tool(python, "-c", `
import socket, sys
for port in range(1, 31):
    try:
        socket.create_connection((sys.argv[1], port), timeout=0.1).close()
    except OSError:
        pass
`, s.to.String())
}

// masscanRate is masscan's packets a second: all of a short scan arrive.
const masscanRate = 2000

func masscan(ports string) func(*site) testenv.Result {
	return func(s *site) testenv.Result {
		return s.attacker.MasscanFrom(s.victim, s.from, masscanRate, ports, s.to.String())
	}
}

// within sets how many distinct failures the ban may take.
func (s scan) within(most int) scan { s.most = most; return s }

// by sets the tool that should be named.
func (s scan) by(tool string) scan { s.tool = tool; return s }

// with sets the victim's configuration.
func (s scan) with(config string) scan {
	s.config = config
	s.name += " (" + strings.Trim(strings.NewReplacer("{", "", "}", "").Replace(config), "\n") + ")"
	return s
}

// because says in the table why the row is as it is.
func (s scan) because(note string) scan { s.note = note; return s }

func (s scan) ipv4() scan { s.only = 4; return s }
func (s scan) ipv6() scan { s.only = 6; return s }

// plainly is what most evasions disguise.
const plainly = "nmap -sS -F"

// evading makes the row one of an evasion, which is compared with the plain
// scan that it disguises.
func (s scan) evading(plain string) scan { s.evasion, s.plain = true, plain; return s }
