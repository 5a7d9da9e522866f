// SPDX-License-Identifier: MIT

package config

import (
	"fmt"
	"strings"
)

const documentHead = `# Configuration

<!-- Made from the table of keys in userspace/config/keys.go by "make docs"; a test fails when it is out of date. -->

DenMap reads ` + "`/etc/denmap/denmap.yaml`" + ` (` + "`--config FILE`" + ` or ` + "`DENMAP_CONFIG`" + ` name another), then the files
` + "`conf.d/*.yaml`" + ` beside it in the order of their names: what is set later counts, and a list is replaced as a whole.
Every key is optional; an empty file is a good one.

    denmap config check      says what is wrong, line by line, and changes nothing
    denmap config show       prints every key with the value that counts
    systemctl reload denmap  takes a change over (SIGHUP); the page does so when it saves

A file with an error changes nothing: a running daemon goes on with the values it has and says why, and one that starts
refuses. Settings change by an atomic exchange of the kernel program: no packet passes unchecked meanwhile.

Durations are written in ` + "`s`, `m`, `h`, `d` and `w`" + `, longest unit first: ` + "`90s`, `8h`, `1d12h`" + `. Sizes are written in ` + "`KB`, `MB`, `GB`" + `
and so on. A file may hold secrets (` + "`notify.urls`" + `): keep it readable for root and the group denmap alone.
`

// buildDocument writes the reference for people.
func buildDocument() string {
	var b strings.Builder
	b.WriteString(documentHead)
	section := "-"
	for _, k := range Reference() {
		s, _, nested := cutLast(k.Path)
		if !nested {
			s = ""
		}
		if s != section {
			title := s
			if s == "" {
				title = "top level"
			}
			fmt.Fprintf(&b, "\n## %s\n\n| key | default | takes | what it does |\n|---|---|---|---|\n", title)
			section = s
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", k.Path, k.Default, cell(k.Range), cell(k.Description))
	}
	return b.String()
}

// cell keeps a text inside its cell of a Markdown table.
func cell(s string) string { return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`).Replace(s) }
