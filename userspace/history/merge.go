// SPDX-License-Identifier: MIT

package history

import (
	"time"

	"denmap/userspace/event"
)

// merge returns the scan as it stands after an event about it. old is the
// zero Scan if nothing is known of it yet.
func merge(old Scan, e event.Event) Scan {
	s := old
	s.ID = e.ID
	s.Scan = *e.Scan
	if s.Group == nil {
		s.Group = old.Group
	}
	s.Place = betterPlace(old.Place, e.Scan.Place)
	if e.Interface != "" {
		s.Interface = e.Interface
	}
	s.First, s.Last = widen(old, e)
	s.Kinds |= old.Kinds
	s.Tool, s.Confidence = betterTool(old.Scan, *e.Scan)
	s.Score = max(s.Score, old.Score)
	s.Threshold = max(s.Threshold, old.Threshold)
	s.Probes = max(s.Probes, old.Probes)
	s.Dropped = max(s.Dropped, old.Dropped)
	s.Distinct = max(s.Distinct, old.Distinct)
	s.Grade = max(s.Grade, old.Grade)
	s.Ports = union(s.Ports, old.Ports, maxPorts)
	if !s.Destination.IsValid() {
		s.Destination = old.Destination
	}
	if old.Kinds != 0 && s.Transport != old.Transport {
		s.Transport = "" // mixed
	}
	s.Action, s.Ended = old.Action, time.Time{}
	switch e.Action {
	case event.SourceBanned:
		s.Reason = e.Reason
		if e.Scan.Enforced {
			s.Action = Banned
		} else if s.Action != Banned {
			s.Action = WouldBan
		}
	case event.ScanDetected:
		s.Reason = e.Reason
	case event.ScanEnded:
		s.Ended = e.Time
	}
	if s.Action == "" {
		s.Action = Detected
	}
	if s.Action == Banned {
		s.Enforced = true
		if s.BanUntil.IsZero() && e.Action != event.SourceBanned {
			s.BanUntil = old.BanUntil
		}
	}
	return s
}

// widen returns the first and the last probe. A scan without a time is as
// old as its event.
func widen(old Scan, e event.Event) (first, last time.Time) {
	first, last = e.Scan.First, e.Scan.Last
	if last.IsZero() {
		last = e.Time
	}
	if first.IsZero() || first.After(last) {
		first = last
	}
	if !old.First.IsZero() && old.First.Before(first) {
		first = old.First
	}
	if old.Last.After(last) {
		last = old.Last
	}
	return first, last
}

func betterTool(old, new event.Scan) (event.Tool, event.Confidence) {
	if new.Tool == event.ToolUnknown || old.Tool != event.ToolUnknown && new.Confidence < old.Confidence {
		return old.Tool, old.Confidence
	}
	return new.Tool, new.Confidence
}

// betterPlace keeps what is known: the first lines of a scan may go out
// before its place is found.
func betterPlace(old, new event.Place) event.Place {
	if new == (event.Place{}) {
		return old
	}
	return new
}
