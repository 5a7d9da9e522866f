// SPDX-License-Identifier: MIT

package eventlog

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"denmap/userspace/event"
)

// RenderHuman writes r as one aligned line for a terminal: time in zone,
// action, source and country, kinds, tool, ports, what became of it, and
// what more is known of the place.
// Nothing that a log file contains can leave its line or reach the
// terminal as a control sequence.
func RenderHuman(w io.Writer, r Record, zone *time.Location) error {
	e := r.Event
	head := fmt.Sprintf("%s  %-15s ", e.Time.In(zone).Format(time.DateTime), clean(string(e.Action)))
	s := e.Scan
	if s == nil {
		_, err := fmt.Fprintf(w, "%s %s\n", head, clean(r.Message))
		return err
	}
	source := "-"
	if s.Source.IsValid() {
		source = sourceText(s)
	}
	if place := shortPlace(s.Place); place != "" {
		source += " (" + place + ")"
	}
	line := fmt.Sprintf("%s %-34s  %-12s  %-8s  %-26s  %s", head,
		clean(source),
		orDash(strings.Join(s.Kinds.NamesFrom(s.Main), ",")),
		orDash(toolName(s.Tool)),
		portsText(s),
		clean(outcome(e)+shortGroup(s)))
	if more := detailedPlace(s.Place); more != "" {
		line += "  (" + clean(more) + ")"
	}
	_, err := fmt.Fprintln(w, strings.TrimRight(line, " "))
	return err
}

func shortPlace(p event.Place) string {
	switch {
	case p.Country != "":
		return p.Country
	case p.CountryISO != "":
		return p.CountryISO
	}
	return p.Special
}

// shortGroup says that others sent the same as s.
func shortGroup(s *event.Scan) string {
	if s.Group == nil {
		return ""
	}
	return fmt.Sprintf(", one of %d that sent the same", s.Group.Size)
}

// detailedPlace is what shortPlace leaves out: city and network. It comes
// last in a line, where its length moves no column.
func detailedPlace(p event.Place) string {
	as := ""
	if p.ASNumber != 0 {
		as = strings.TrimRight("AS"+strconv.FormatUint(uint64(p.ASNumber), 10)+" "+p.ASName, " ")
	}
	if p.City != "" && as != "" {
		return p.City + ", " + as
	}
	return p.City + as
}

// humanPorts is how many ports of the sample a line shows.
const humanPorts = 4

func portsText(s *event.Scan) string {
	if s.Distinct <= 0 && len(s.Ports) == 0 {
		return "-"
	}
	text := targets(s)
	for i, p := range s.Ports {
		switch {
		case i == humanPorts:
			return text + ",..."
		case i == 0:
			text += " " + strconv.Itoa(int(p))
		default:
			text += "," + strconv.Itoa(int(p))
		}
	}
	return text
}

// outcome says what an event about a scan means for its source.
func outcome(e event.Event) string {
	s := e.Scan
	switch e.Action {
	case event.ScanDetected:
		return "alerted"
	case event.SourceBanned:
		return verdict(e)
	case event.SourceUnbanned:
		return withReason("unbanned", e.Reason)
	case event.ScanEnded:
		text := "ended"
		if d, ok := duration(s); ok {
			text += " after " + span(d)
		}
		return text + ", " + plural(s.Probes, "probe", "probes") + ", " + strconv.FormatUint(s.Dropped, 10) + " dropped"
	}
	return e.Reason
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
