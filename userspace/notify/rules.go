// SPDX-License-Identifier: MIT

package notify

import (
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// The severities of events, for event.severity and for Rules.
const (
	SeverityCrafted  = 1 // a group of crafted packets, an edit, an ordinary start or stop
	SeverityAlert    = 3 // the alert score was crossed
	SeverityBlind    = 5 // banned, the address may be forged
	SeverityProven   = 7 // banned, the address is proven; events were lost
	SeverityCritical = 9 // a protected or internal source, protection lost
)

// defaultQuiet is how long no source may have been detected for the next
// detection to be told at once.
const defaultQuiet = 24 * time.Hour

// When says what becomes of an event.
type When uint8

// The answers of Rules.
const (
	Never    When = iota // nobody is told
	Note                 // it is part of a digest, but is no reason to send one
	InDigest             // it is told in the next digest
	Now                  // it is told at once
)

// Class groups what is told at once, so that a flood of one class cannot
// keep another one waiting.
type Class string

// The classes.
const (
	ClassFirst     Class = "first-detection" // the first detection after a quiet day
	ClassProtected Class = "protected-source"
	ClassInternal  Class = "internal-source"
	ClassUnguarded Class = "protection-lost"
	ClassTableFull Class = "table-full"
	ClassLost      Class = "events-lost"
	ClassConfig    Class = "configuration-refused"
)

// Rules decides which events are told, and when. The zero value is the
// documented default. Of the Rules of a Notifier, only Internal changes,
// by Notifier.SetInternal.
type Rules struct {
	MinSeverity int           // what is below is left out; 0 keeps everything
	Quiet       time.Duration // 0 is a day
	Watched     bool          // also tell of sources that are allow-listed with "watch"

	// Internal holds networks that belong to the operator, besides private,
	// link-local and loopback addresses, which always count as internal.
	Internal []netip.Prefix

	// Actions overrides what becomes of an action. Watched sources and
	// MinSeverity are decided before it.
	Actions map[event.Action]When
}

// Decision is what Rules says of one event.
type Decision struct {
	When     When
	Severity int
	Class    Class  // set if When is Now
	Key      string // what is not to be told at once again for a while: a source, an interface
}

// Decide rates e. quietSince is when the last detection was before e, zero
// if never.
func (r Rules) Decide(e event.Event, quietSince time.Time) Decision {
	d := Decision{When: Never, Severity: r.Severity(e)}
	if d.Severity < r.MinSeverity {
		return d
	}
	if e.Scan != nil && e.Scan.Watched && !r.Watched {
		return d
	}
	d.When, d.Class, d.Key = r.timing(e, quietSince)
	if when, ok := r.Actions[e.Action]; ok {
		d.When = when
		if when == Now && d.Class == "" {
			d.Class, d.Key = Class(e.Action), e.ID
		}
	}
	return d
}

func (r Rules) timing(e event.Event, quietSince time.Time) (When, Class, string) {
	switch e.Action {
	case event.ScanDetected, event.SourceBanned:
		if e.Scan == nil {
			return Never, "", ""
		}
		source := e.Scan.Source.String()
		switch {
		case e.Scan.Protected:
			return Now, ClassProtected, source
		case r.internal(e.Scan.Source.Addr()):
			return Now, ClassInternal, source
		case r.Severity(e) >= SeverityAlert && e.Time.Sub(quietSince) >= r.quiet():
			// No key: one such alert ends the quiet, there is no second.
			return Now, ClassFirst, ""
		}
		return InDigest, "", ""
	case event.Detached:
		if !e.ProtectionLost() {
			return Note, "", ""
		}
		return Now, ClassUnguarded, e.Interface
	case event.EventsLost:
		stage := ""
		if e.Lost != nil {
			stage = e.Lost.Stage
		}
		return Now, ClassLost, stage
	case event.ListChanged:
		return InDigest, "", ""
	case event.SourceUnbanned, event.ScanEnded, event.Attached:
		return Note, "", ""
	}
	return Never, "", ""
}

// Severity returns how bad e is, one of the Severity constants.
func (r Rules) Severity(e event.Event) int {
	switch e.Action {
	case event.ScanDetected, event.SourceBanned:
		return r.scanSeverity(e)
	case event.Detached:
		if e.ProtectionLost() {
			return SeverityCritical
		}
	case event.EventsLost:
		return SeverityProven
	}
	return SeverityCrafted
}

func (r Rules) scanSeverity(e event.Event) int {
	s := e.Scan
	switch {
	case s == nil:
		return SeverityCrafted
	case s.Protected || r.internal(s.Source.Addr()):
		return SeverityCritical
	case e.Action == event.SourceBanned && s.Grade != event.Blind:
		return SeverityProven
	case e.Action == event.SourceBanned:
		return SeverityBlind
	case s.Score < s.Threshold:
		return SeverityCrafted
	}
	return SeverityAlert
}

func (r Rules) quiet() time.Duration {
	if r.Quiet == 0 {
		return defaultQuiet
	}
	return r.Quiet
}

func (r Rules) internal(a netip.Addr) bool {
	a = a.Unmap()
	if a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() {
		return true
	}
	for _, p := range r.Internal {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
