// SPDX-License-Identifier: MIT

package eventlog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"denmap/userspace/event"
)

// separator stands between the sentence and the key=value pairs of a text
// line. The sentence contains no "|".
const separator = " |"

// encodeText writes a line as
//
//	2026-01-02T03:04:05.678Z source-banned: SYN scan by ... | id=... src=...
//
// A value with a space, a quote or nothing in it is quoted as Go does.
func (r Record) encodeText() []byte {
	return append(r.Event.Time.UTC().AppendFormat(nil, milliLayout+" "), r.textBody()...)
}

// textBody is the text line without its time, which syslog has already.
func (r Record) textBody() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s%s", r.Event.Action, r.Message, separator)
	for _, f := range textFields {
		if v := f.get(&r); v != "" {
			b.WriteString(" " + f.key + "=" + quote(v))
		}
	}
	return b.String()
}

func quote(v string) string {
	if strings.ContainsAny(v, " \"=\\") {
		return strconv.Quote(v)
	}
	return v
}

var errNoHead = errors.New(`want "TIME ACTION: TEXT | KEY=VALUE..."`)

func decodeText(line string) (Record, error) {
	stamp, rest, ok := strings.Cut(line, " ")
	at, err := time.Parse(time.RFC3339Nano, stamp)
	if !ok || err != nil {
		return Record{}, errNoHead
	}
	action, rest, ok := strings.Cut(rest, ": ")
	if !ok || action == "" || strings.ContainsAny(action, " |\"") {
		return Record{}, errNoHead
	}
	message, pairs, ok := strings.Cut(rest, separator)
	if !ok {
		return Record{}, errNoHead
	}
	r := Record{Message: message}
	r.Event.Time, r.Event.Action = at.UTC(), event.Action(action)
	switch {
	case isScan(r.Event.Action):
		r.Event.Scan = &event.Scan{}
	case r.Event.Action == event.ListChanged:
		r.Event.List = &event.ListChange{}
	case r.Event.Action == event.EventsLost:
		r.Event.Lost = &event.Loss{}
	}
	if err := r.setPairs(pairs); err != nil {
		return r, err
	}
	if s := r.Event.Scan; s != nil {
		s.Group = normalizeGroup(s.Group)
	}
	return r, nil
}

// setPairs reads the key=value pairs of a line. Unknown keys, of a newer
// version, are passed over.
func (r *Record) setPairs(pairs string) error {
	for {
		pairs = strings.TrimLeft(pairs, " ")
		if pairs == "" {
			return nil
		}
		key, rest, ok := strings.Cut(pairs, "=")
		if !ok {
			return fmt.Errorf("no value for %q", key)
		}
		var v string
		if strings.HasPrefix(rest, `"`) {
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return fmt.Errorf("value of %q ends early", key)
			}
			if v, err = strconv.Unquote(quoted); err != nil {
				return fmt.Errorf("value of %q: %w", key, err)
			}
			pairs = rest[len(quoted):]
		} else {
			v, pairs, _ = strings.Cut(rest, " ")
		}
		f, ok := textByKey[key]
		if !ok {
			continue
		}
		if err := f.set(r, v); err != nil {
			return fmt.Errorf("value %q of %q: %w", v, key, err)
		}
	}
}
