// SPDX-License-Identifier: MIT

package notify

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes a text from outside (a database's place names, a server's
// answer, an operator's comment) safe to show in one line: every control
// and formatting character, bidirectional overrides included, becomes a
// space or goes away, runs of spaces shrink, and what is longer than limit
// characters is cut.
func clean(s string, limit int) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range s {
		switch {
		case r == utf8.RuneError:
			r = '?'
		case unicode.IsSpace(r) || unicode.IsControl(r):
			space = n > 0
			continue
		case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
			continue
		}
		if space {
			b.WriteByte(' ')
			n++
			space = false
		}
		if n >= limit {
			b.WriteString("...")
			break
		}
		b.WriteRune(r)
		n++
	}
	return b.String()
}

// hasControl reports whether s holds a control character.
func hasControl(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }
