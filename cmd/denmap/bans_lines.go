// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"denmap/userspace/event"
	"denmap/userspace/lists"
	"denmap/userspace/units"
)

const (
	maxBanLine = 4096    // bytes
	maxBans    = 1 << 16 // as many as the kernel's table holds
)

// readBanLines reads "ADDR [DURATION] [# REASON]" lines; blank ones and
// those that only hold a comment are skipped. What a line leaves out comes
// from pattern. Of several lines with one source, the last one counts.
func readBanLines(r io.Reader, pattern event.Ban, ipv6Prefix int) ([]event.Ban, error) {
	var bans []event.Ban
	at := make(map[netip.Prefix]int)
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, maxBanLine)
	n := 0
	for scanner.Scan() {
		n++
		b, ok, err := parseBanLine(scanner.Text(), pattern, ipv6Prefix)
		if err != nil {
			return nil, fmt.Errorf("standard input, line %d: %w", n, err)
		}
		if !ok {
			continue
		}
		if i, repeated := at[b.Source]; repeated {
			bans[i] = b
			continue
		}
		if len(bans) == maxBans {
			return nil, fmt.Errorf("standard input, line %d: expected at most %d bans", n, maxBans)
		}
		at[b.Source] = len(bans)
		bans = append(bans, b)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("standard input, line %d: %w", n+1, err)
	}
	if len(bans) == 0 {
		return nil, fmt.Errorf("standard input: no address")
	}
	return bans, nil
}

// parseBanLine reports false for a line without an address.
func parseBanLine(line string, b event.Ban, ipv6Prefix int) (event.Ban, bool, error) {
	text, reason, commented := strings.Cut(line, "#")
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return b, false, nil
	}
	if len(fields) > 2 {
		return b, false, fmt.Errorf("%q: expected ADDR [DURATION] [# REASON]", fields[2])
	}
	var err error
	if b.Source, err = banSource(fields[0], ipv6Prefix); err != nil {
		return b, false, err
	}
	if len(fields) == 2 {
		length, err := units.ParseDuration(fields[1])
		if err != nil {
			return b, false, err
		}
		b.Until = b.Since.Add(length)
	}
	if commented {
		b.Reason = strings.TrimSpace(reason)
	}
	if err := lists.CheckComment(b.Reason); err != nil {
		return b, false, fmt.Errorf("reason: %w", err)
	}
	return b, true, nil
}
