// SPDX-License-Identifier: MIT

package history

import (
	"errors"
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// Errors of queries.
var (
	// ErrUnavailable: the database cannot be opened at the moment, or is
	// closed.
	ErrUnavailable = errors.New("history is not available")
	// ErrNoHistory is wrapped by OpenReader's error when there is no file.
	ErrNoHistory = errors.New("no history")
	// ErrNewerSchema is wrapped by the error for a file that a newer DenMap
	// wrote. The file stays as it is.
	ErrNewerSchema = errors.New("written by a newer version of denmap")
	// ErrBadCursor is wrapped by Scans' error for an After that no Page
	// gave.
	ErrBadCursor = errors.New("no such page")
)

// Bounds of Filter.Limit and of the other limits.
const (
	DefaultLimit = 100
	MaxLimit     = 1000
)

// Action is what was done about a scan.
type Action string

// The actions, mildest first.
const (
	Detected Action = "detected"  // seen and logged
	WouldBan Action = "would-ban" // only reported: monitor mode, watched or protected source
	Banned   Action = "banned"    // the source was banned
)

// Actions returns every Action, mildest first.
func Actions() []Action { return []Action{Detected, WouldBan, Banned} }

// DaemonDown is the Action of a Note: no daemon was there to see events
// from Note.Time to Note.End. The kernel program may have gone on dropping.
const DaemonDown event.Action = "daemon-down"

// Scan is one scan by one source, as far as it has come. ID, and not the
// source, makes it one: a source that comes back later starts another.
// Score, Probes, Dropped, Distinct and Kinds never shrink.
type Scan struct {
	ID        string
	Action    Action
	Interface string    // ingress
	Reason    string    // why it was told of: "score 8 of 8"
	Ended     time.Time // zero while it goes on, as far as is known
	event.Scan
}

// Ban is one ban that was in force; those that were only reported are
// scans with the action WouldBan.
type Ban struct {
	ID        string // of the scan it belongs to; also given to an operator's ban
	Source    netip.Prefix
	Grade     event.Grade
	Since     time.Time
	Until     time.Time // zero: no end
	Ended     time.Time // zero while it runs, as far as is known
	Reason    string    // why it began
	EndReason string    // why it ended: "expired", "by operator"
	Interface string
	Dropped   uint64 // packets
	Country   string // ISO code, empty if not known
}

// Note is anything else that happened: a list that changed, an interface
// attached or detached, events lost (stage "history": between here and the
// daemon), or a time without a daemon (DaemonDown).
type Note struct {
	Time      time.Time
	End       time.Time // for DaemonDown
	Action    event.Action
	List      *event.ListChange // for event.ListChanged
	Lost      *event.Loss       // for event.EventsLost
	Interface string            // for event.Attached and event.Detached
	Mode      string
	Reason    string
}

// Range is a time span: from Since on, before Until. A zero end is open.
type Range struct{ Since, Until time.Time }

// Filter chooses scans. The zero value chooses all; every field that is
// set must fit.
type Filter struct {
	Range                // the scan was going on at some time in it
	Source  netip.Prefix // sources inside it, or that contain it
	Country string       // ISO code, or NoCountry
	Kinds   event.Kinds  // any of them
	Action  Action
	Limit   int    // DefaultLimit if zero, at most MaxLimit
	After   string // Page.Next of the page before
	Oldest  bool   // in the order they were first stored, instead of latest probe first
}

// NoCountry as Filter.Country chooses the sources without a known country.
const NoCountry = "-"

// Page is one page of an answer.
type Page struct {
	Scans []Scan
	Next  string // for Filter.After; empty on the last page
}

// SourceSummary adds up all that is stored about one source.
type SourceSummary struct {
	Source      netip.Prefix // as asked
	First, Last time.Time    // probes
	Scans, Bans int
	Kinds       event.Kinds
	Tools       []event.Tool // without ToolUnknown, in the order of the constants
	MaxScore    int
	Probes      uint64
	Dropped     uint64
	Ports       []uint16 // samples of all scans, sorted, at most MaxLimit
	Place       event.Place
}

// CountryTotal counts the scans from one country.
type CountryTotal struct {
	ISO     string // empty: not known, or private and the like
	Name    string
	Scans   int
	Sources int
	Banned  int // scans with the action Banned
}

// PlaceTotal counts the scans from one point on the map.
type PlaceTotal struct {
	Latitude, Longitude float64
	ISO                 string // country, empty if not known
	City                string
	Scans               int
	Sources             int
	Banned              int // scans with the action Banned
}

// Span is how long a timeline goes back.
type Span string

// The spans, with the length of their buckets.
const (
	Hour  Span = "hour"  // 60 minutes
	Day   Span = "day"   // 96 quarters of an hour
	Week  Span = "week"  // 84 times 2 hours
	Month Span = "month" // 30 days, 90 times 8 hours
)

// Bucket is one step of a timeline. Numbers are those that became known in
// it.
type Bucket struct {
	Start    time.Time
	Probes   uint64 // of scans; probes below the alert score are not counted
	Scans    uint64 // alerts: scans that were first noticed
	Bans     uint64
	WouldBan uint64
	Passed   uint64 // packets; see Options.Packets
	Dropped  uint64 // packets, whatever dropped them
	Lost     uint64 // events
}

// Impact says what another ban threshold would have done. It is an
// estimate: a score is known as of the latest event of a scan, and each
// distinct port counts as one point at least.
type Impact struct {
	Scans    int // that reached the score and were not banned
	Sources  int
	Examples []Scan // the latest few
}
