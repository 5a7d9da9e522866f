// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strings"

	"denmap/userspace/eventlog"
	"denmap/userspace/lists"
	"denmap/userspace/report"
)

// Rows that people get to see of a list; --json has more.
const (
	shownCounts   = 10
	shownWouldBan = 50
)

func (e *environment) writeReport(r report.Report, f eventlog.Filter) error {
	until := "now"
	if !f.Until.IsZero() {
		until = e.clock(f.Until)
	}
	if r.Records == 0 {
		e.say("no event from %s to %s", e.clock(f.Since), until)
		return nil
	}
	if err := e.writeText(fmt.Sprintf("%s to %s\n%s", e.clock(f.Since), until, reportHead(r))); err != nil {
		return err
	}
	for _, section := range []func(report.Report) error{
		e.reportKinds, e.reportCountries, e.reportPorts, e.reportSources, e.reportWouldBan,
	} {
		if err := section(r); err != nil {
			return err
		}
	}
	return nil
}

// reportHead sums up in sentences. What did not happen is left out, but for
// scans and bans.
func reportHead(r report.Report) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s by %s, %s, %s dropped by those that have ended\n", plural(r.Scans, "scan", "scans"),
		plural(r.Sources, "source", "sources"), plural(r.Bans, "ban", "bans"), packets(r.Dropped))
	for _, line := range []struct {
		n    int
		text string
	}{
		{r.Decoys, plural(r.Decoys, "group", "groups") + " of sources that sent the same probes: decoys of one scanner each"},
		{r.ManualBans, plural(r.ManualBans, "ban", "bans") + " by the operator"},
		{r.ListChanges, plural(r.ListChanges, "change", "changes") + " of the lists"},
		{r.Detached, "protection of an interface lost, " + plural(r.Detached, "time", "times")},
		{int(min(r.Lost, 1<<31)), fmt.Sprintf("%d events never reached the log", r.Lost)},
		{r.Overflow, plural(r.Overflow, "scan", "scans") + " by more sources than are counted apart"},
	} {
		if line.n > 0 {
			text.WriteString(line.text + "\n")
		}
	}
	return text.String()
}

func packets(n uint64) string {
	if n == 1 {
		return "1 packet"
	}
	return fmt.Sprintf("%d packets", n)
}

// section writes a table under a blank line, cut at most rows; nothing if
// it has none.
func (e *environment) section(head []string, rows [][]string, most int) error {
	if len(rows) == 0 {
		return nil
	}
	if err := e.writeText("\n"); err != nil {
		return err
	}
	if err := e.writeTable(head, rows[:min(len(rows), most)]); err != nil {
		return err
	}
	if more := len(rows) - most; more > 0 {
		return e.writeText(fmt.Sprintf("and %d more\n", more))
	}
	return nil
}

func (e *environment) countSection(title string, counts []report.Count) error {
	var rows [][]string
	for _, c := range counts {
		rows = append(rows, []string{c.Name, fmt.Sprint(c.Scans)})
	}
	return e.section([]string{title, "SCANS"}, rows, shownCounts)
}

func (e *environment) reportKinds(r report.Report) error { return e.countSection("SCAN", r.Kinds) }
func (e *environment) reportCountries(r report.Report) error {
	return e.countSection("FROM", r.Countries)
}

func (e *environment) reportPorts(r report.Report) error {
	var rows [][]string
	for _, p := range r.Ports[:min(len(r.Ports), shownCounts)] { // all others would be thousands
		rows = append(rows, []string{fmt.Sprint(p.Port), fmt.Sprint(p.Scans)})
	}
	return e.section([]string{"PORT", "SCANS"}, rows, shownCounts)
}

func (e *environment) reportSources(r report.Report) error {
	var rows [][]string
	for _, s := range r.TopSources {
		rows = append(rows, []string{
			lists.FormatPrefix(s.Source), dash(sourcePlace(s)), fmt.Sprint(s.Scans), fmt.Sprint(s.Bans), fmt.Sprint(s.Dropped),
			strings.Join(s.Kinds.NamesFrom(s.Main), ","), toolWord(s.Tool), gradeOf(s), e.clock(s.Last),
		})
	}
	return e.section([]string{"SOURCE", "FROM", "SCANS", "BANS", "DROPPED", "SCAN", "TOOL", "GRADE", "LAST"}, rows, shownCounts)
}

func sourcePlace(s report.Source) string {
	for _, name := range []string{s.Place.Country, s.Place.CountryISO, s.Place.Special} {
		if name != "" {
			return name
		}
	}
	return ""
}

func gradeOf(s report.Source) string {
	if s.Decoy {
		return s.Grade.String() + " (may be a decoy)"
	}
	return s.Grade.String()
}

// causes says why a source was not banned.
var causes = map[report.Cause]string{
	report.Protected: "protected address",
	report.Watched:   "watched",
	report.Monitor:   "monitor mode",
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (e *environment) reportWouldBan(r report.Report) error {
	var rows [][]string
	for _, w := range r.WouldBan {
		rows = append(rows, []string{
			lists.FormatPrefix(w.Source.Source), dash(sourcePlace(w.Source)), strings.Join(w.Kinds.NamesFrom(w.Main), ","),
			gradeOf(w.Source), fmt.Sprint(w.Times), fmt.Sprintf("%d of %d", w.Score, w.Threshold),
			causes[w.Cause], yesNo(w.Used), e.clock(w.Last),
		})
	}
	if len(rows) == 0 {
		return nil
	}
	if err := e.writeText("\nEnforcing would have banned:\n"); err != nil {
		return err
	}
	head := []string{"SOURCE", "FROM", "SCAN", "GRADE", "TIMES", "SCORE", "NOT BANNED", "USED A SERVICE", "LAST"}
	if err := e.writeTable(head, rows[:min(len(rows), shownWouldBan)]); err != nil {
		return err
	}
	if more := len(rows) - shownWouldBan; more > 0 {
		return e.writeText(fmt.Sprintf("and %d more\n", more))
	}
	return nil
}
