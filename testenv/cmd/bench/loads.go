// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"denmap/loader"
	"denmap/testenv/measure"
)

// measureLoads times what the loader needs to put lists in force. Reading
// the file comes on top: see docs/performance.md.
func measureLoads() ([]load, error) {
	var out []load
	for _, six := range []bool{false, true} {
		family := "IPv4"
		if six {
			family = "IPv6"
		}
		mixed := slices.Concat(randomPrefixes(50_000, six), randomAddrs(50_000, six))
		big := slices.Concat(randomPrefixes(500_000, six), randomAddrs(500_000, six))
		addr := netip.MustParsePrefix("192.0.2.77/32")
		if six {
			addr = netip.MustParsePrefix("2001:db8::77/128")
		}
		loads, err := measureList(family, mixed, big, loader.ListEntry{Prefix: addr})
		if err != nil {
			return nil, fmt.Errorf("%s lists: %w", family, err)
		}
		out = append(out, loads...)
	}
	return out, nil
}

var settings = loader.Settings{
	AlertScore: 4, BanScore: 8, UDPAlert: 8, UDPBan: 16, Decay: 30 * time.Minute, IPv6Prefix: 64, BanDuration: 10 * time.Minute,
}

func measureList(family string, mixed, big []loader.ListEntry, one loader.ListEntry) ([]load, error) {
	r, err := loader.NewRunner(loader.RunnerOptions{Settings: settings})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []load
	for _, step := range []struct {
		what    string
		entries []loader.ListEntry
		target  float64
	}{
		{"100k entries", mixed, 0.5},
		{"1M entries", big, 3},
		{"1M entries, one line more", slices.Concat(big, []loader.ListEntry{one}), 1},
		{"1M entries, one line less", big, 1},
		{"1M entries, nothing changed", big, 1},
		{"emptied", nil, 1},
	} {
		began, cpu := time.Now(), measure.ProcessorTime().Seconds()
		written, err := r.SyncList(loader.Deny, step.entries, nil)
		if err != nil {
			return nil, err
		}
		took, cpu := time.Since(began).Seconds(), measure.ProcessorTime().Seconds()-cpu
		memory, err := r.ListMemory()
		if err != nil {
			return nil, err
		}
		out = append(out, load{What: step.what + ", " + family, Seconds: took, CPU: cpu, Written: written, Memory: memory, Target: step.target})
	}
	return out, nil
}
