// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strings"
)

// roff writes a manual page with the man(7) macros.
type roff struct {
	strings.Builder
	begun bool // the section has a paragraph
}

// head begins the page. Where there is no date, the field stays empty.
func (r *roff) head(name string, section int, date, source string) {
	fmt.Fprintf(r, ".TH %s %d \"%s\" %s DenMap\n", quoted(strings.ToUpper(name)), section, date, quoted(source))
}

func (r *roff) section(title string) {
	fmt.Fprintf(r, ".SH %s\n", quoted(strings.ToUpper(title)))
	r.begun = false
}

func (r *roff) subsection(title string) {
	fmt.Fprintf(r, ".SS %s\n", quoted(title))
	r.begun = false
}

// text writes a paragraph.
func (r *roff) text(s string) {
	if r.begun {
		r.WriteString(".PP\n")
	}
	r.begun = true
	r.lines(s)
}

// item writes a term and what is to be said of it.
func (r *roff) item(term, s string) {
	fmt.Fprintf(r, ".TP\n.B %s\n", quoted(term))
	r.lines(s)
}

// lines writes text, with the line breaks that unfold keeps.
func (r *roff) lines(s string) {
	for i, line := range unfold(s) {
		if i > 0 {
			r.WriteString(".br\n")
		}
		r.WriteString(escape(line) + "\n")
	}
}

// quoted writes an argument of a macro.
func quoted(s string) string { return `"` + strings.ReplaceAll(escape(s), `"`, `\(dq`) + `"` }

// escape keeps text from being read as requests and escapes, and hyphens
// from being set as something that no shell takes.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", `\(ga`, "~", `\(ti`, "^", `\(ha`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}
