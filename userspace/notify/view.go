// SPDX-License-Identifier: MIT

package notify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"denmap/userspace/event"
)

// row is one line of particulars.
type row struct{ Name, Value string }

// section is one alert in a message.
type section struct {
	Title string
	Rows  []row
}

// alertSection describes an alert for people.
func alertSection(x *Alert, loc *time.Location) section {
	if x.Notice != nil {
		return section{Title: noticeTitle(*x.Notice), Rows: []row{
			{"What", clean(x.Notice.Text, 500)},
			{"When", stamp(x.Notice.Time, loc)},
		}}
	}
	e := *x.Event
	if e.Scan != nil {
		return section{Title: scanTitle(e), Rows: scanRows(e, x.Class, loc)}
	}
	s := section{Title: eventSentence(e)}
	if e.Reason != "" {
		s.Rows = append(s.Rows, row{"Reason", clean(e.Reason, 200)})
	}
	s.Rows = append(s.Rows, row{"When", stamp(e.Time, loc)})
	if e.Action == event.Detached {
		s.Rows = append(s.Rows, row{"Next", "see denmap status and denmap doctor"})
	}
	return s
}

func noticeTitle(n Notice) string {
	switch n.Class {
	case ClassTableFull:
		return strings.TrimSpace("table full: " + clean(n.Key, 60))
	case ClassConfig:
		return "configuration refused"
	case ClassUnguarded:
		return strings.TrimSpace("protection lost: " + clean(n.Key, 60))
	case ClassLost:
		return "events lost"
	}
	return clean(string(n.Class), 60)
}

// eventSentence says in one sentence what an event without a source is.
func eventSentence(e event.Event) string {
	iface := clean(e.Interface, 20)
	switch e.Action {
	case event.Attached:
		return strings.TrimSpace(fmt.Sprintf("protection started on %s (%s)", iface, clean(e.Mode, 20)))
	case event.Detached:
		if !e.ProtectionLost() {
			return "protection stopped on " + iface
		}
		return "protection lost on " + iface
	case event.EventsLost:
		if e.Lost != nil {
			return fmt.Sprintf("%d events lost (%s)", e.Lost.Count, clean(e.Lost.Stage, 40))
		}
		return "events lost"
	case event.ListChanged:
		if e.List != nil {
			return fmt.Sprintf("%s list changed: %d added, %d removed, %d in all",
				clean(e.List.List, 20), e.List.Added, e.List.Removed, e.List.Total)
		}
	}
	return clean(string(e.Action), 60)
}

// scanTitle says in a few words who did what.
func scanTitle(e event.Event) string {
	title := fmt.Sprintf("%s scan by %s", e.Scan.Kinds.Title(e.Scan.Main), address(e.Scan))
	if code := clean(e.Scan.Place.CountryISO, 3); code != "" {
		title += " (" + code + ")"
	}
	switch {
	case e.Action == event.SourceBanned && e.Scan.Enforced:
		return title + ", banned"
	case e.Action == event.SourceBanned:
		return title + ", not banned"
	}
	return title
}

func scanRows(e event.Event, class Class, loc *time.Location) []row {
	s := e.Scan
	rows := []row{
		{"Source", address(s)},
		{"Location", location(s.Place)},
		{"Scan", kindsAndTool(s)},
		{"Ports", portList(s.Ports, s.Distinct)},
	}
	if s.Destination.IsValid() {
		rows = append(rows, row{"Target", s.Destination.String()})
	}
	rows = append(rows, row{"Action", action(e, loc)}, row{"Time", span(s.First, latest(s.Last, e.Time), loc)})
	if e.Interface != "" {
		rows = append(rows, row{"Interface", clean(e.Interface, 20)})
	}
	if e.Reason != "" {
		rows = append(rows, row{"Reason", clean(e.Reason, 200)})
	}
	if why := classNote(class); why != "" {
		rows = append(rows, row{"Note", why})
	}
	return rows
}

// classNote says why a scan is told at once.
func classNote(c Class) string {
	switch c {
	case ClassProtected:
		return "the source is an address that DenMap protects (own host, gateway, DNS server or a logged-in session): " +
			"it is never banned automatically, and its address may be forged"
	case ClassInternal:
		return "the source is in an internal network: it may have been taken over"
	case ClassFirst:
		return "the first detection after a quiet time; what follows comes in a digest"
	}
	return ""
}

func address(s *event.Scan) string {
	if s.Source.IsSingleIP() {
		return s.Source.Addr().Unmap().String()
	}
	return s.Source.String()
}

func location(p event.Place) string {
	var parts []string
	for _, part := range []string{clean(p.City, 60), clean(p.Country, 60)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, ", ")
	switch {
	case text != "" && p.CountryISO != "":
		text += " (" + clean(p.CountryISO, 3) + ")"
	case text == "" && p.CountryISO != "":
		text = clean(p.CountryISO, 3)
	case text == "" && p.Special != "":
		text = clean(p.Special, 40) + " address"
	case text == "":
		text = "unknown"
	}
	if p.ASNumber != 0 {
		text += strings.TrimRight(fmt.Sprintf("; AS%d %s", p.ASNumber, clean(p.ASName, 60)), " ")
	}
	return text
}

func kindsAndTool(s *event.Scan) string {
	text := s.Kinds.Title(s.Main)
	if s.Transport != "" {
		text += " (" + clean(s.Transport, 10) + ")"
	}
	switch s.Tool {
	case event.ToolUnknown:
	case event.ToolKernel:
		text += ", by a program that uses connect()"
	case event.ToolRaw:
		text += ", by a program that makes its own packets"
	default:
		text += fmt.Sprintf(", looks like %s (%s confidence)", s.Tool, s.Confidence)
	}
	return text
}

// portList names the ports of a sample in ascending order, and how many
// ports there were in all.
func portList(sample []uint16, distinct int) string {
	ports := slices.Clone(sample)
	slices.Sort(ports)
	ports = slices.Compact(ports)
	more := max(distinct-len(ports), 0)
	if len(ports) > maxPorts {
		more += len(ports) - maxPorts
		ports = ports[:maxPorts]
	}
	if len(ports) == 0 {
		return plural(distinct, "distinct probe", "distinct probes")
	}
	words := make([]string, len(ports))
	for i, p := range ports {
		words[i] = strconv.Itoa(int(p))
	}
	text := strings.Join(words, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// action says what DenMap did about a scan.
func action(e event.Event, loc *time.Location) string {
	s := e.Scan
	grade := "the address may be forged"
	if s.Grade != event.Blind {
		grade = "the address is " + s.Grade.String()
	}
	switch {
	case e.Action == event.SourceBanned && s.Enforced && !s.BanUntil.IsZero():
		return fmt.Sprintf("banned until %s (%s)", stamp(s.BanUntil, loc), grade)
	case e.Action == event.SourceBanned && s.Enforced:
		return "banned (" + grade + ")"
	case e.Action == event.SourceBanned && s.Protected:
		return "reported only: a protected source is never banned automatically"
	case e.Action == event.SourceBanned && s.Watched:
		return "reported only: the allow list says watch"
	case e.Action == event.SourceBanned:
		return "reported only: it would have been banned (monitor mode)"
	}
	return "reported, not banned (score " + strconv.Itoa(s.Score) + ")"
}

// stamp writes a time with its zone, so that a mail read elsewhere is clear.
func stamp(t time.Time, loc *time.Location) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.In(loc).Format("2006-01-02 15:04:05 -0700")
}

func span(first, last time.Time, loc *time.Location) string {
	if first.IsZero() || !first.Before(last) {
		return stamp(last, loc)
	}
	return fmt.Sprintf("%s, for %s", stamp(first, loc), roundSpan(last.Sub(first)))
}

// roundSpan drops digits that nobody reads.
func roundSpan(d time.Duration) time.Duration {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second)
	case d >= time.Second:
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func plural[N int | uint64](n N, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
