// SPDX-License-Identifier: MIT

package eventlog

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode"

	"denmap/userspace/event"
)

// Record is one line of the log, whichever its format was.
type Record struct {
	Event    event.Event
	Meta     Meta
	Message  string
	Severity int // 0 for events that are no alert

	raw []byte // the line that was read, without its end
}

// ErrBadLine is what Decode returns, wrapped, for a line that is no event.
var ErrBadLine = errors.New("not a line of the event log")

// NewRecord describes e as the log does: times in UTC milliseconds (the
// end of a ban in seconds), addresses canonical, strings from outside free
// of control characters. e is not changed.
func NewRecord(e event.Event, m Meta) Record {
	return Record{
		Event:    normalize(e),
		Meta:     Meta{Version: limited(m.Version), Hostname: limited(m.Hostname)},
		Message:  Message(e),
		Severity: Severity(e),
	}
}

// EncodeJSON returns the JSON line of e, without a line end.
func EncodeJSON(e event.Event, m Meta) ([]byte, error) { return NewRecord(e, m).encodeJSON() }

// EncodeText returns the text line of e, without a line end.
func EncodeText(e event.Event, m Meta) []byte { return NewRecord(e, m).encodeText() }

// Decode reads a line of either format. Kinds, tools and grades that this
// version does not know are left out of Event. The Record keeps no
// reference to line. The error wraps ErrBadLine.
func Decode(line []byte) (Record, error) {
	var r Record
	var err error
	line = bytes.TrimRight(line, "\r\n")
	if bytes.HasPrefix(line, []byte("{")) {
		r, err = decodeJSON(line)
	} else {
		r, err = decodeText(string(line))
	}
	if err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrBadLine, err)
	}
	r.raw = bytes.Clone(line)
	return r, nil
}

// Raw returns the line as it was read, without its end, or nil if the
// Record was made by NewRecord.
func (r Record) Raw() []byte { return r.raw }

// JSON returns the record as a JSON line: the very line that was read if
// it was JSON, else the same facts.
func (r Record) JSON() ([]byte, error) {
	if bytes.HasPrefix(r.raw, []byte("{")) {
		return r.raw, nil
	}
	return r.encodeJSON()
}

// normalize returns e as a reader of its line would get it.
func normalize(e event.Event) event.Event {
	e.Time = millis(e.Time)
	e.ID, e.Interface = limited(e.ID), limited(e.Interface)
	e.Mode, e.Reason = limited(e.Mode), limited(e.Reason)
	e.Action = event.Action(limited(string(e.Action)))
	if !isScan(e.Action) {
		e.Scan = nil
	} else if e.Scan != nil {
		s := normalizeScan(*e.Scan)
		e.Scan = &s
	} else {
		e.Scan = &event.Scan{}
	}
	if e.Action != event.ListChanged {
		e.List = nil
	} else if e.List != nil {
		l := *e.List
		l.List, l.Path, l.Type = limited(l.List), limited(l.Path), classify(e).types[0]
		e.List = &l
	}
	if e.Action != event.EventsLost {
		e.Lost = nil
	} else if e.Lost != nil {
		l := *e.Lost
		l.Stage = limited(l.Stage)
		e.Lost = &l
	}
	return e
}

func normalizeScan(s event.Scan) event.Scan {
	s.Source = normalizePrefix(s.Source)
	s.Group = normalizeGroup(s.Group)
	s.Destination = s.Destination.Unmap()
	s.Main = mainKind(s.Kinds.NamesFrom(s.Main)) // one of Kinds, or 0
	s.Transport = limited(s.Transport)
	s.First, s.Last = millis(s.First), millis(s.Last)
	if !s.BanUntil.IsZero() {
		s.BanUntil = s.BanUntil.UTC().Truncate(time.Second)
	}
	s.Ports = slices.Clone(s.Ports)
	if len(s.Ports) == 0 {
		s.Ports = nil
	}
	if s.Tool == event.ToolUnknown {
		s.Confidence = event.Low // of nothing
	}
	p := &s.Place
	p.CountryISO, p.Country, p.City = limited(p.CountryISO), limited(p.Country), limited(p.City)
	p.ASName, p.Special, p.Database = limited(p.ASName), limited(p.Special), limited(p.Database)
	if p.Special != "" {
		// Nobody's country: not even when a database names one.
		p.CountryISO, p.Country, p.City, p.HasCoordinates = "", "", "", false
	}
	if !p.HasCoordinates || !validCoordinates(p.Latitude, p.Longitude) {
		p.HasCoordinates, p.Latitude, p.Longitude = false, 0, 0
	}
	return s
}

// validCoordinates is false for NaN too.
func validCoordinates(lat, lon float64) bool {
	return lat >= -90 && lat <= 90 && lon >= -180 && lon <= 180
}

func millis(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Millisecond)
}

func printable(r rune) bool { return unicode.IsPrint(r) }
