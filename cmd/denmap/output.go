// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/units"
)

// schema is the version of every JSON document: fields are added, never
// renamed.
const schema = 1

// writeJSON writes one document, as people like to read it too.
func (e *environment) writeJSON(document any) error {
	enc := json.NewEncoder(e.Stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(document)
}

// writeTable writes rows under a head in aligned columns. Cells hold no
// tabs or line ends, wherever they come from.
func (e *environment) writeTable(head []string, rows [][]string) error {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	writeRow(w, head)
	for _, row := range rows {
		writeRow(w, row)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return e.writeText(trimLines(text.String()))
}

func writeRow(w *tabwriter.Writer, row []string) {
	for i, cell := range row {
		if i > 0 {
			fmt.Fprint(w, "\t")
		}
		fmt.Fprint(w, printable(cell))
	}
	fmt.Fprintln(w)
}

// trimLines removes the blanks that fill up an empty last column.
func trimLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

// printable keeps what others wrote into files from reaching the terminal
// as anything but text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}

// left writes how long it is until t, "-" if t is no end.
func (e *environment) left(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return units.FormatDuration(max(t.Sub(e.Now()), 0))
}

// until writes when something ends.
func (e *environment) until(t time.Time) string {
	if t.IsZero() {
		return "for good"
	}
	return "until " + e.clock(t)
}

// stamp is a time in JSON: whole seconds, UTC. A zero time is left out by
// "omitzero".
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

// plural writes a number with its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// dash stands for an empty cell in the middle of a table.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// toolWord is a tool in a table, in the words of the page: how a packet was
// made where no program is known.
func toolWord(t event.Tool) string {
	switch t {
	case event.ToolUnknown:
		return "-"
	case event.ToolKernel:
		return "connect()"
	case event.ToolRaw:
		return "raw socket"
	default:
		return t.String()
	}
}
