// SPDX-License-Identifier: MIT

package eventlog

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"denmap/userspace/event"
)

// textField is one key of the text format. get returns "" for what is not
// known or belongs to another action; such keys are not written.
type textField struct {
	key string
	get func(*Record) string
	set func(*Record, string) error
}

// textFields are the keys in the order in which they are written. They
// hold every fact of the JSON format that the action does not imply.
var textFields = slices.Concat([]textField{
	str("id", func(r *Record) *string { return &r.Event.ID }),
	num("severity", func(r *Record) *int { return &r.Severity }),
	custom("src", getSource, setSource),
	custom("dst", getDestination, setDestination),
	custom("scan", getKinds, setKinds),
	custom("tool", getTool, setTool),
	str("reason", func(r *Record) *string { return &r.Event.Reason }),
	custom("enforced", getEnforced, setEnforced),
	custom("grade", getGrade, setGrade),
	num("score", scan(func(s *event.Scan) *int { return &s.Score })),
	num("threshold", scan(func(s *event.Scan) *int { return &s.Threshold })),
	num("probes", scan(func(s *event.Scan) *uint64 { return &s.Probes })),
	num("distinct", scan(func(s *event.Scan) *int { return &s.Distinct })),
	custom("ports", getPorts, setPorts),
	num("dropped", scan(func(s *event.Scan) *uint64 { return &s.Dropped })),
	instant("until", secondLayout, scan(func(s *event.Scan) *time.Time { return &s.BanUntil })),
	instant("start", milliLayout, scan(func(s *event.Scan) *time.Time { return &s.First })),
	instant("end", milliLayout, scan(func(s *event.Scan) *time.Time { return &s.Last })),
	yes("protected", scan(func(s *event.Scan) *bool { return &s.Protected })),
	yes("watched", scan(func(s *event.Scan) *bool { return &s.Watched })),
	yes("used_service", scan(func(s *event.Scan) *bool { return &s.UsedService })),
	str("proto", scan(func(s *event.Scan) *string { return &s.Transport })),
	str("country", scan(func(s *event.Scan) *string { return &s.Place.CountryISO })),
	str("country_name", scan(func(s *event.Scan) *string { return &s.Place.Country })),
	str("city", scan(func(s *event.Scan) *string { return &s.Place.City })),
	custom("location", getLocation, setLocation),
	num("asn", scan(func(s *event.Scan) *uint32 { return &s.Place.ASNumber })),
	str("as", scan(func(s *event.Scan) *string { return &s.Place.ASName })),
	str("range", scan(func(s *event.Scan) *string { return &s.Place.Special })),
	str("geo_database", scan(func(s *event.Scan) *string { return &s.Place.Database })),
	str("mode", func(r *Record) *string { return &r.Event.Mode }),
	str("list", list(func(l *event.ListChange) *string { return &l.List })),
	str("path", list(func(l *event.ListChange) *string { return &l.Path })),
	str("type", list(func(l *event.ListChange) *string { return &l.Type })),
	num("added", list(func(l *event.ListChange) *int { return &l.Added })),
	num("removed", list(func(l *event.ListChange) *int { return &l.Removed })),
	num("total", list(func(l *event.ListChange) *int { return &l.Total })),
	str("stage", lost(func(l *event.Loss) *string { return &l.Stage })),
	num("count", lost(func(l *event.Loss) *uint64 { return &l.Count })),
	str("iface", func(r *Record) *string { return &r.Event.Interface }),
	str("host", func(r *Record) *string { return &r.Meta.Hostname }),
	str("version", func(r *Record) *string { return &r.Meta.Version }),
}, groupFields())

var textByKey = func() map[string]textField {
	m := make(map[string]textField, len(textFields))
	for _, f := range textFields {
		m[f.key] = f
	}
	return m
}()

// scan, list and lost reach into a block of the event; nil if it has none.

func scan[T any](in func(*event.Scan) *T) func(*Record) *T {
	return func(r *Record) *T {
		if r.Event.Scan == nil {
			return nil
		}
		return in(r.Event.Scan)
	}
}

func list[T any](in func(*event.ListChange) *T) func(*Record) *T {
	return func(r *Record) *T {
		if r.Event.List == nil {
			return nil
		}
		return in(r.Event.List)
	}
}

func lost[T any](in func(*event.Loss) *T) func(*Record) *T {
	return func(r *Record) *T {
		if r.Event.Lost == nil {
			return nil
		}
		return in(r.Event.Lost)
	}
}

// field builds a textField from a pointer into the record and the two
// conversions of what it points to. Zero values are not written.
func field[T comparable](key string, in func(*Record) *T, format func(T) string, parse func(string) (T, error)) textField {
	var zero T
	return textField{
		key: key,
		get: func(r *Record) string {
			if p := in(r); p != nil && *p != zero {
				return format(*p)
			}
			return ""
		},
		set: func(r *Record, v string) error {
			p := in(r)
			if p == nil {
				return nil
			}
			var err error
			*p, err = parse(v)
			return err
		},
	}
}

func str(key string, in func(*Record) *string) textField {
	same := func(s string) string { return s }
	return field(key, in, same, func(s string) (string, error) { return s, nil })
}

func num[T int | uint32 | uint64](key string, in func(*Record) *T) textField {
	format := func(n T) string {
		if n < 0 {
			return strconv.FormatInt(int64(n), 10)
		}
		return strconv.FormatUint(uint64(n), 10)
	}
	return field(key, in, format, func(s string) (T, error) {
		if strings.HasPrefix(s, "-") {
			n, err := strconv.ParseInt(s, 10, 64)
			return T(n), err
		}
		n, err := strconv.ParseUint(s, 10, 64)
		return T(n), err
	})
}

func yes(key string, in func(*Record) *bool) textField {
	return field(key, in, yesNo, func(s string) (bool, error) { return s == "yes", nil })
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func instant(key, layout string, in func(*Record) *time.Time) textField {
	format := func(t time.Time) string { return t.UTC().Format(layout) }
	return field(key, in, format, func(s string) (time.Time, error) {
		t, err := time.Parse(time.RFC3339Nano, s)
		return t.UTC(), err
	})
}
