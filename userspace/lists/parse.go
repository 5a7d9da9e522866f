// SPDX-License-Identifier: MIT

package lists

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// maxLineErrors is how many bad lines are collected before the rest of the
// file is left unread: enough to mend a file in one go, few enough for a
// screen.
const maxLineErrors = 20

const untilPrefix = "until="

// byteOrderMark is what some editors put in front of UTF-8 text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// span tells where the parts of a line that names a network end, so that
// an edit can leave the others alone.
type span struct {
	addr    int // end of the address
	options int // end of the last option, or of the address without any
}

// parse reads the content of a list file. Comments are kept only on
// request, because each would keep the memory of its own.
func parse(path string, kind Kind, data []byte, comments bool) (*List, error) {
	data = bytes.TrimPrefix(data, byteOrderMark)
	list := &List{Path: path, Kind: kind}
	lines := bytes.Count(data, []byte{'\n'}) + 1
	// Two bytes is the shortest address, "::"; a file of empty lines must
	// not reserve room for as many entries.
	list.Entries = make([]Entry, 0, min(lines, len(data)/3+1, MaxEntries))

	refused := &RefusedError{Path: path}
	for n := 1; len(data) > 0; n++ {
		var raw []byte
		raw, data, _ = bytes.Cut(data, []byte{'\n'})
		e, _, found, err := parseLine(raw, kind, comments)
		if err == nil && found && len(list.Entries) == MaxEntries {
			err = fmt.Errorf("expected at most %d entries", MaxEntries)
			data = nil
		}
		if err != nil {
			refused.Lines = append(refused.Lines, LineError{Line: n, Err: err})
			if len(refused.Lines) == maxLineErrors {
				refused.More = len(data) > 0
				break
			}
			continue
		}
		if found {
			e.Line = n
			list.Entries = append(list.Entries, e)
		}
	}
	if len(refused.Lines) > 0 {
		return nil, refused
	}
	return list, nil
}

// parseLine reads one line without its "\n". It reports false for a line
// without a network.
func parseLine(raw []byte, kind Kind, comments bool) (e Entry, at span, found bool, err error) {
	if len(raw) > maxLine {
		return e, at, false, fmt.Errorf("%q is %d bytes long: expected at most %d", clip(string(raw[:maxShown+1])), len(raw), maxLine)
	}
	text, comment := raw, []byte(nil)
	if i := bytes.IndexAny(raw, "#;"); i >= 0 {
		text, comment = raw[:i], raw[i+1:]
	}
	field, end := nextField(text, 0)
	if field == nil {
		return e, at, false, nil
	}
	if e.Prefix, err = ParsePrefix(string(field)); err != nil {
		return e, at, false, err
	}
	at = span{addr: end, options: end}
	for {
		if field, end = nextField(text, at.options); field == nil {
			break
		}
		if err := e.setOption(string(field), kind); err != nil {
			return e, at, false, err
		}
		at.options = end
	}
	if comments {
		e.Comment = printable(comment)
	}
	return e, at, true, nil
}

// nextField returns the next word of line from offset on, and where it
// ends; nil if there is none. A "\r" counts as blank, for files with DOS
// line ends.
func nextField(line []byte, offset int) ([]byte, int) {
	for offset < len(line) && isBlank(line[offset]) {
		offset++
	}
	start := offset
	for offset < len(line) && !isBlank(line[offset]) {
		offset++
	}
	if start == offset {
		return nil, offset
	}
	return line[start:offset], offset
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// setOption applies one word after the address.
func (e *Entry) setOption(word string, kind Kind) error {
	if value, ok := strings.CutPrefix(word, untilPrefix); ok {
		if !e.Until.IsZero() {
			return fmt.Errorf("option %q: expected only one until=", clip(word))
		}
		t, err := time.Parse(time.RFC3339, value)
		if err != nil || t.IsZero() {
			return fmt.Errorf("option %q: expected a time as in until=2026-01-02T03:04:05Z", clip(word))
		}
		e.Until = t.UTC()
		return nil
	}
	if word == "watch" && kind == Allow {
		if e.Watch {
			return fmt.Errorf("option %q: expected it only once", word)
		}
		e.Watch = true
		return nil
	}
	switch {
	case word == "watch":
		return fmt.Errorf("option %q: expected only on the allow list", word)
	case kind == Allow:
		return fmt.Errorf("option %q: expected until=TIME, watch or a # comment", clip(word))
	}
	return fmt.Errorf("option %q: expected until=TIME or a # comment", clip(word))
}

// printable returns a comment as text that is safe to show on a terminal.
func printable(comment []byte) string {
	text := strings.ToValidUTF8(string(comment), "\uFFFD")
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, text)
	return strings.TrimSpace(text)
}
