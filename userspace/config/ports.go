// SPDX-License-Identifier: MIT

package config

import (
	"strconv"
	"strings"
)

// PortRange is an inclusive range of ports; First is at least 1 and at most
// Last. A single port has First equal to Last.
type PortRange struct {
	First, Last uint16
}

// Contains reports whether port lies in the range.
func (r PortRange) Contains(port uint16) bool { return r.First <= port && port <= r.Last }

// String writes the range as the configuration does: "22" or "6000-6100".
func (r PortRange) String() string {
	first := strconv.Itoa(int(r.First))
	if r.First == r.Last {
		return first
	}
	return first + "-" + strconv.Itoa(int(r.Last))
}

func parsePorts(s string) (PortRange, bool) {
	first, last, isRange := strings.Cut(s, "-")
	if !isRange {
		last = first
	}
	lo, okLo := parsePort(first, 1)
	hi, okHi := parsePort(last, 1)
	return PortRange{lo, hi}, okLo && okHi && lo <= hi
}

// parsePort reads a port in decimal, without sign or leading zeros.
func parsePort(s string, lowest int) (uint16, bool) {
	n, ok := parseWhole(s)
	if !ok || n < lowest || n > 65535 {
		return 0, false
	}
	return uint16(n), true
}
