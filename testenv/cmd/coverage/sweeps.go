// SPDX-License-Identifier: MIT

package main

import (
	"net/netip"
	"slices"

	"denmap/testenv"
)

// sweptAddrs is how many addresses the victim of a sweep has.
const sweptAddrs = 32

// What a sweep asks, all of it the victim's.
var (
	swept4 = netip.MustParsePrefix("198.51.100.64/27")
	swept6 = netip.MustParsePrefix("2001:db8:1::40/123")
)

func sweep(name, kind, tool string, most, only int, run func(*site) testenv.Result) scan {
	return scan{name: name + " of 32 addresses", kind: kind, tool: tool, most: most, only: only, addrs: sweptAddrs, run: run}
}

func (s *site) range32() netip.Prefix {
	if s.version == 6 {
		return swept6
	}
	return swept4
}

// swept returns the addresses that a sweep asks, with the link's prefix.
func (s *site) swept(n int) (out []netip.Prefix) {
	bits := testenv.Net4.Bits()
	if s.version == 6 {
		bits = testenv.Net6.Bits()
	}
	for addr := s.range32().Addr(); len(out) < n; addr = addr.Next() {
		out = append(out, netip.PrefixFrom(addr, bits))
	}
	return out
}

func zmapSweep(s *site) testenv.Result {
	return s.attacker.Tool("zmap", testenv.ZmapArgs(s.attacker, s.victim, 81, s.range32())...)
}

func masscanSweep(s *site) testenv.Result {
	return s.attacker.MasscanFrom(s.victim, s.from, masscanRate, "81", s.range32().String())
}

func nmapSweep(args ...string) func(*site) testenv.Result {
	return func(s *site) testenv.Result {
		all := []string{"-n", "-Pn", "-T4", "--max-retries", "0", "--host-timeout", "5s"}
		if !slices.Contains(args, "-p") {
			all = append(all, "-p", "81")
		}
		if s.version == 6 {
			all = append(all, "-6")
		}
		return s.attacker.Tool("nmap", append(append(all, args...), s.range32().String())...)
	}
}
