// SPDX-License-Identifier: MIT

package eventlog

import (
	"fmt"
	"strings"
	"time"

	"denmap/userspace/event"
)

// Message says in one sentence what happened, without a time: "SYN scan by
// 192.0.2.7 (nmap) from United Kingdom: 4 ports in 0.2 s, banned for
// 10m0s". The mail and the page use it too.
func Message(e event.Event) string {
	n := normalize(e)
	if e.Scan != nil && n.Scan != nil {
		n.Time, n.Scan.BanUntil = e.Time, e.Scan.BanUntil // exact, for the length of the ban
	}
	return clean(message(n))
}

func message(e event.Event) string {
	switch {
	case e.Scan != nil && isScan(e.Action):
		return scanMessage(e)
	case e.Action == event.ListChanged && e.List != nil:
		l := e.List
		return fmt.Sprintf("%s list %s changed: %d added, %d removed, %d in all", l.List, l.Path, l.Added, l.Removed, l.Total)
	case e.Action == event.EventsLost && e.Lost != nil:
		return fmt.Sprintf("%s lost: %s", plural(e.Lost.Count, "event", "events"), lossPlace(e.Lost.Stage))
	case e.Action == event.Attached:
		s := "protecting " + e.Interface
		if e.Mode != "" {
			s += " (" + e.Mode + " XDP)"
		}
		return withReason(s, e.Reason)
	case e.Action == event.Detached:
		return withReason(e.Interface+" is no longer protected", e.Reason)
	}
	return withReason(string(e.Action), e.Reason)
}

func scanMessage(e event.Event) string {
	s := e.Scan
	who := sourceText(s) + placeText(s.Place)
	switch e.Action {
	case event.SourceUnbanned:
		return withReason(who+" unbanned", e.Reason)
	case event.ScanDetected:
		return scanText(s) + ": " + extent(s) + ", alerted" + groupText(s, true)
	case event.ScanEnded:
		text := scanText(s) + " ended: " + extent(s)
		if s.Dropped > 0 {
			text += ", " + plural(s.Dropped, "packet", "packets") + " dropped"
		}
		return text + groupText(s, false)
	}
	if s.Kinds == 0 { // an operator's ban
		return withReason(who+" "+verdict(e), e.Reason)
	}
	return scanText(s) + ": " + extent(s) + ", " + verdict(e) + groupText(s, false)
}

// scanText says who does what: "SYN scan by 192.0.2.7 (nmap) from France".
func scanText(s *event.Scan) string {
	text := "scan by " + sourceText(s)
	if s.Kinds != 0 {
		text = s.Kinds.Title(s.Main) + " " + text
	}
	if name := toolName(s.Tool); name != "" {
		text += " (" + name + ")"
	}
	return text + placeText(s.Place)
}

// toolName names programs only: how a SYN was made is no tool to name in a
// sentence.
func toolName(t event.Tool) string {
	switch t {
	case event.ToolUnknown, event.ToolKernel, event.ToolRaw:
		return ""
	}
	return t.String()
}

func sourceText(s *event.Scan) string {
	if s.Source.IsSingleIP() {
		return s.Source.Addr().String()
	}
	return s.Source.String()
}

func placeText(p event.Place) string {
	switch {
	case p.Country != "":
		return " from " + p.Country
	case p.CountryISO != "":
		return " from " + p.CountryISO
	case p.Special != "":
		return " from " + p.Special + " address space"
	}
	return ""
}

// extent says how much was probed: "4 ports in 0.2 s".
func extent(s *event.Scan) string {
	text := targets(s)
	if d, ok := duration(s); ok {
		text += " in " + span(d)
	}
	return text
}

// targets counts what was probed, by the name of what a kind goes through.
func targets(s *event.Scan) string {
	one, many := "port", "ports"
	switch s.Kinds {
	case event.Kinds(0).With(event.IPProtocol):
		one, many = "protocol", "protocols"
	case event.Kinds(0).With(event.Sweep):
		one, many = "address", "addresses"
	}
	return plural(uint64(max(s.Distinct, 0)), one, many)
}

// duration returns how long the scan has been seen, if that is known.
func duration(s *event.Scan) (time.Duration, bool) {
	if s.First.IsZero() || s.Last.IsZero() || s.Last.Before(s.First) {
		return 0, false
	}
	// Whole milliseconds, as start and end are written.
	return s.Last.Truncate(time.Millisecond).Sub(s.First.Truncate(time.Millisecond)), true
}

// span writes a duration as people read it: "0.2 s", "42 s", "5m10s".
func span(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// verdict says what became of the source: "banned for 10m0s".
func verdict(e event.Event) string {
	s := e.Scan
	switch {
	case s.Enforced && s.BanUntil.IsZero():
		return "banned"
	case s.Enforced:
		from := e.Time
		if s.BanUntil.Nanosecond() == 0 { // as the log has it
			from = from.Truncate(time.Second)
		}
		return "banned for " + s.BanUntil.Sub(from).Round(time.Second).String()
	case s.Protected:
		return "would have been banned (protected address)"
	case s.Watched:
		return "would have been banned (watched address)"
	}
	return "would have been banned (monitor mode)"
}

func lossPlace(stage string) string {
	switch stage {
	case "ring-buffer":
		return "the kernel's ring buffer was full"
	case "queue":
		return "they came faster than they could be handled"
	case "log":
		return "the log could not be written"
	}
	return stage
}

func withReason(text, reason string) string {
	if reason == "" {
		return text
	}
	return text + ": " + reason
}

func plural(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// maxText bounds every string that comes from outside, in bytes.
const maxText = 256

// clean makes a string from outside safe for a line that people see in a
// terminal: valid UTF-8 without control characters, no "|", which ends the
// sentence in the text format, and not too long.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '|':
			return '/'
		case !printable(r):
			return ' '
		}
		return r
	}, s)
	return s
}

// limited is clean for one value: trimmed and cut at maxText.
func limited(s string) string {
	s = strings.TrimSpace(clean(s))
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText-len("…")], "") + "…"
}
