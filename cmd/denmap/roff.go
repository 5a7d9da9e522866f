// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"regexp"
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

// lines writes text, in which a line break stays where a sentence ends or
// a labelled line begins. The others only kept the source narrow.
func (r *roff) lines(s string) {
	last := ""
	for line := range strings.SplitSeq(strings.TrimSpace(s), "\n") {
		if last != "" && (strings.HasSuffix(last, ".") || labelled.MatchString(line)) {
			r.WriteString(".br\n")
		}
		r.WriteString(escape(line) + "\n")
		last = line
	}
}

// labelled is a line such as "zsh: ...".
var labelled = regexp.MustCompile(`^\w+: `)

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
