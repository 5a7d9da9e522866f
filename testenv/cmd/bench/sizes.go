// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"denmap/loader"
	"denmap/userspace/event"
)

const million = 1_000_000

// measureSizes weighs the tables of a host that configures nothing, and of
// one with a million of everything. The kernel itself says what a table takes.
func measureSizes() ([]size, error) {
	var out []size
	for _, host := range []struct {
		what   string
		limits loader.Limits
		fill   func(*loader.Runner) error
		target uint64
	}{
		{"defaults, nothing in them", loader.Limits{}, func(*loader.Runner) error { return nil }, 64 << 20},
		{"room for 1M sources, 1M bans in force, 1M IPv4 prefixes denied", loader.Limits{Sources: million, Bans: million}, fillUp, 512 << 20},
	} {
		memory, err := measureSize(host.limits, host.fill)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", host.what, err)
		}
		out = append(out, size{host.what, memory, host.target})
	}
	return out, nil
}

func measureSize(limits loader.Limits, fill func(*loader.Runner) error) (uint64, error) {
	r, err := loader.NewRunner(loader.RunnerOptions{Settings: settings, Limits: limits})
	if err != nil {
		return 0, err
	}
	defer r.Close()
	if err := fill(r); err != nil {
		return 0, err
	}
	return r.Memory()
}

// fillUp leaves the table of sources empty: it takes its memory when it is
// made.
func fillUp(r *loader.Runner) error {
	if _, err := r.SyncList(loader.Deny, randomPrefixes(million, false), nil); err != nil {
		return err
	}
	now := time.Now()
	for i := range uint32(million) {
		var addr [16]byte
		copy(addr[:], "\x20\x01\x0d\xb8") // RFC 3849
		binary.BigEndian.PutUint32(addr[12:], i)
		source := netip.PrefixFrom(netip.AddrFrom16(addr), 128)
		if err := r.AddBan(event.Ban{Source: source, Grade: event.Manual, Since: now, Until: now.Add(time.Hour)}); err != nil {
			return err
		}
	}
	return nil
}
