// SPDX-License-Identifier: MIT

package eventlog

import (
	"net/netip"
	"slices"
	"time"

	"denmap/userspace/event"
)

// Filter chooses records. The zero value chooses all; every field that is
// set must fit. Source, Kinds, Grades fit only events about a scan.
type Filter struct {
	Since, Until time.Time    // from Since on, before Until
	Source       netip.Prefix // sources inside it, or that contain it; also as one of a group
	Kinds        event.Kinds  // any of them
	Actions      []event.Action
	Grades       []event.Grade
	ID           string // one scan
	MinSeverity  int
}

// Match reports whether r is chosen.
func (f Filter) Match(r Record) bool {
	e := r.Event
	switch {
	case !f.Since.IsZero() && e.Time.Before(f.Since),
		!f.Until.IsZero() && !e.Time.Before(f.Until),
		f.ID != "" && e.ID != f.ID,
		r.Severity < f.MinSeverity,
		len(f.Actions) > 0 && !slices.Contains(f.Actions, e.Action):
		return false
	}
	if !f.Source.IsValid() && f.Kinds == 0 && len(f.Grades) == 0 {
		return true
	}
	s := e.Scan
	switch {
	case s == nil,
		f.Source.IsValid() && !f.Source.Overlaps(s.Source) && !f.inGroup(e),
		f.Kinds != 0 && f.Kinds&s.Kinds == 0,
		len(f.Grades) > 0 && !slices.Contains(f.Grades, s.Grade):
		return false
	}
	return true
}

// inGroup reports whether e is an alert that speaks for a group in which
// the source is named: the others of the group have none of their own.
func (f Filter) inGroup(e event.Event) bool {
	if e.Action != event.ScanDetected || e.Scan.Group == nil {
		return false
	}
	return slices.ContainsFunc(e.Scan.Group.Sources, f.Source.Overlaps)
}
