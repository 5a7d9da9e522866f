// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// wrong says what is not as the scan's row wants it; empty: nothing.
func (r row) wrong() string {
	switch {
	case r.replay != "":
		return r.replay
	case r.kind == "" && r.verdict == "no":
		return ""
	case r.kind == "":
		return "noticed, which it should not be"
	case r.verdict == "no" || r.verdict != "banned" && r.most > 0:
		return "not banned"
	case !r.isLabelled():
		return fmt.Sprintf("label %q, want %q", r.label, r.kind)
	case r.named() != r.scan.tool && r.scan.tool != "":
		return fmt.Sprintf("tool %q, want %q", r.named(), r.scan.tool)
	case r.ban > r.limit() && r.most > 0:
		return fmt.Sprintf("banned after %d failures, want %d at most", r.ban, r.limit())
	}
	return ""
}

// isLabelled: by its kind first; an OS fingerprint begins with a SYN scan.
func (r row) isLabelled() bool {
	if r.kind == "os-fingerprint" {
		return slices.Contains(r.label, r.kind)
	}
	return len(r.label) > 0 && r.label[0] == r.kind
}

// limit is how many failures a ban may take: a SYN to an open port is a
// point, of whatever header.
func (r row) limit() int {
	if r.kind == "syn" && r.most == twoPoints {
		return r.most + len(openPorts) - 1
	}
	return r.most
}

// named is the tool without its confidence.
func (r row) named() string {
	name, _, _ := strings.Cut(r.tool, ",")
	return name
}

// gains compares an evasion with the plain scan that it disguises.
func (r row) gains(plain row) string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if r.verdict == "no" {
		add("unnoticed")
	}
	if r.open > plain.open {
		add("learns %s", count(r.open-plain.open, "open port"))
	}
	if more := r.reached - plain.reached; r.sent >= 0 && more > 0 {
		add("%s more to the host", count(more, "packet"))
	}
	if r.ban > plain.ban {
		add("banned %s later", count(r.ban-plain.ban, "failure"))
	}
	if r.banAfter > time.Minute {
		add("%v until the ban", r.banAfter.Round(time.Second))
	}
	if r.verdict != "no" && plain.named() != r.named() && plain.named() != "" {
		add("hides the tool")
	}
	if r.group > 1 {
		add("one of %d that are named together", r.group)
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, "; ")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
