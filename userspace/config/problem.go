// SPDX-License-Identifier: MIT

package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File  string
	Line  int    // from 1; 0 if the problem belongs to no line
	Path  string // the key, such as "detect.ban_score" or "mail.to[1]"; may be empty
	Value string // what stood there, shortened; empty if it is a secret or says nothing
	Text  string // what is wrong, such as "expected true or false"
}

// String writes the problem on one line, as FILE:LINE: KEY: VALUE: TEXT
// without the parts that are empty.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	for _, part := range []string{p.Path, p.Value, p.Text} {
		if part != "" {
			b.WriteString(": " + part)
		}
	}
	return b.String()
}

// maxProblems bounds what a file of garbage makes us print.
const maxProblems = 200

// Error is what Parse and Load return for files with problems: all of
// them, in the order of the files and of their lines.
type Error struct {
	Problems []Problem
	Omitted  int // further problems, beyond the first 200
}

// Error writes one problem a line.
func (e *Error) Error() string {
	lines := make([]string, 0, len(e.Problems)+1)
	for _, p := range e.Problems {
		lines = append(lines, p.String())
	}
	if e.Omitted > 0 {
		lines = append(lines, fmt.Sprintf("and %d more problems", e.Omitted))
	}
	return strings.Join(lines, "\n")
}
