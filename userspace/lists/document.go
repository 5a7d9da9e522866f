// SPDX-License-Identifier: MIT

package lists

import (
	"bytes"
	"fmt"
	"time"
)

// document is a list file under edit: its bytes and what will change in
// them. Everything that no edit names comes out byte for byte.
type document struct {
	data     []byte
	list     *List // with comments; Line leads back into data
	cut      map[int]bool
	rewrite  map[int]Entry // by line; an empty Comment keeps the one there is
	appended []Entry
}

func newDocument(path string, kind Kind, data []byte) (*document, error) {
	list, err := parse(path, kind, data, true)
	if err != nil {
		return nil, err
	}
	return &document{data: data, list: list, cut: map[int]bool{}, rewrite: map[int]Entry{}}, nil
}

func (d *document) changed() bool {
	return len(d.cut) > 0 || len(d.rewrite) > 0 || len(d.appended) > 0
}

// total is the number of entries after the edit.
func (d *document) total() int { return len(d.list.Entries) - len(d.cut) + len(d.appended) }

// render returns the file's new content.
func (d *document) render() ([]byte, error) {
	out := make([]byte, 0, len(d.data)+48*(len(d.appended)+len(d.rewrite)))
	rest := d.data
	if bytes.HasPrefix(rest, byteOrderMark) {
		out, rest = append(out, byteOrderMark...), rest[len(byteOrderMark):]
	}
	for n := 1; len(rest) > 0; n++ {
		line := rest
		if i := bytes.IndexByte(rest, '\n'); i >= 0 {
			line = rest[:i+1]
		}
		rest = rest[len(line):]
		if d.cut[n] {
			continue
		}
		if e, ok := d.rewrite[n]; ok {
			var err error
			if out, err = d.appendRewritten(out, line, e); err != nil {
				return nil, err
			}
			continue
		}
		out = append(out, line...)
	}
	if len(d.appended) > 0 {
		out = d.appendEntries(out)
	}
	if len(out) > maxFileSize {
		return nil, fmt.Errorf("the list would grow to %d bytes: expected at most %d", len(out), maxFileSize)
	}
	if n := d.total(); n > MaxEntries {
		return nil, fmt.Errorf("the list would grow to %d entries: expected at most %d", n, MaxEntries)
	}
	return out, nil
}

// appendEntries adds the new lines, with the line ends that the file has.
func (d *document) appendEntries(out []byte) []byte {
	end := "\n"
	if i := bytes.IndexByte(d.data, '\n'); i > 0 && d.data[i-1] == '\r' {
		end = "\r\n"
	}
	if n := len(out); n > 0 && out[n-1] != '\n' && !bytes.Equal(out, byteOrderMark) {
		out = append(out, end...)
	}
	for _, e := range d.appended {
		out = append(out, FormatPrefix(e.Prefix)...)
		out = appendOptions(out, e)
		if e.Comment != "" {
			out = append(append(out, "  # "...), e.Comment...)
		}
		out = append(out, end...)
	}
	return out
}

// appendRewritten writes line, which has its line end, with the options
// and the comment of e. How the address is written and spaced stays.
func (d *document) appendRewritten(out, line []byte, e Entry) ([]byte, error) {
	text := bytes.TrimSuffix(line, []byte{'\n'})
	_, at, _, err := parseLine(text, d.list.Kind, false)
	if err != nil {
		return nil, err // not reached: the line has been parsed before
	}
	start := len(out)
	out = append(out, text[:at.addr]...)
	out = appendOptions(out, e)
	if e.Comment == "" {
		out = append(out, text[at.options:]...)
	} else {
		out = append(append(out, "  # "...), e.Comment...)
		if bytes.HasSuffix(text, []byte{'\r'}) {
			out = append(out, '\r')
		}
	}
	if n := len(out) - start; n > maxLine {
		return nil, fmt.Errorf("line %d would grow to %d bytes: expected at most %d", e.Line, n, maxLine)
	}
	return append(out, line[len(text):]...), nil
}

func appendOptions(out []byte, e Entry) []byte {
	if !e.Until.IsZero() {
		out = append(append(out, ' '), untilPrefix...)
		out = e.Until.AppendFormat(out, time.RFC3339)
	}
	if e.Watch {
		out = append(out, " watch"...)
	}
	return out
}
