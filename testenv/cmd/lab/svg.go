// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"html"
	"strings"
)

// Measures of the picture, in pixels, and of a line, in characters.
const (
	lineHeight = 18
	charWidth  = 7.8 // of a 13-pixel monospaced font
	margin     = 16
	maxColumns = 152
	maxOutput  = 14 // lines of one command
)

// colors of the prompts, by host.
var colors = map[string]string{"attacker": "#ff7b72", "victim": "#7ee787"}

// svg draws the session: text in a window, readable without a font or a
// script from elsewhere.
func (s *session) svg() string {
	var text strings.Builder
	columns, line := 0, 0
	put := func(markup string, length int) {
		line++
		columns = max(columns, length)
		fmt.Fprintf(&text, "<text x=\"%d\" y=\"%d\">%s</text>\n", margin, margin+line*lineHeight, markup)
	}
	for i, step := range s.steps {
		if i > 0 {
			line++
		}
		prompt := step.host + "# "
		put(fmt.Sprintf("<tspan fill=\"%s\">%s</tspan><tspan fill=\"#ffffff\">%s</tspan>",
			colors[step.host], prompt, html.EscapeString(step.command)), len(prompt+step.command))
		for _, out := range shorten(step.output) {
			// Spaces in a row would be drawn as one.
			put(strings.ReplaceAll(html.EscapeString(out), " ", "\u00a0"), len([]rune(out)))
		}
	}
	width, height := int(float64(columns)*charWidth)+2*margin, 2*margin+line*lineHeight
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" role="img">
<title>A scan without and with DenMap</title>
<!-- SPDX-License-Identifier: MIT; made by: go run ./testenv/cmd/lab picture FILE -->
<rect width="%[1]d" height="%[2]d" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13" fill="#c9d1d9">
%[3]s</g>
</svg>
`, width, height, text.String())
}

// shorten cuts long outputs and lines, and says so.
func shorten(lines []string) []string {
	out := make([]string, 0, maxOutput+1)
	for i, l := range lines {
		if i == maxOutput {
			return append(out, fmt.Sprintf("... %d more lines", len(lines)-i))
		}
		if r := []rune(l); len(r) > maxColumns {
			l = string(r[:maxColumns-3]) + "..."
		}
		out = append(out, l)
	}
	return out
}
