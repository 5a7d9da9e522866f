// SPDX-License-Identifier: MIT

// Package event holds the plain values that travel between DenMap's
// parts: what the kernel noticed (Detection) and what the log, the mail
// and the page tell people (Event). It imports nothing of DenMap, and its
// values are safe to copy and to share once sent.
package event

import (
	"net/netip"
	"strings"
	"time"
)

// Action is what an Event reports; its text is the log's event.action.
type Action string

// The actions of the event log.
const (
	ScanDetected   Action = "scan-detected"
	SourceBanned   Action = "source-banned"
	SourceUnbanned Action = "source-unbanned"
	ScanEnded      Action = "scan-ended"
	ListChanged    Action = "list-changed"
	Attached       Action = "attached"
	Detached       Action = "detached"
	EventsLost     Action = "events-lost"
)

// Event is one line of the event log. Exactly the block that belongs to
// its Action is set: Scan for the four scan actions (all events of one
// scan share ID), List for list-changed, Interface and Mode for attached
// and detached, Lost for events-lost.
type Event struct {
	ID     string // ULID
	Time   time.Time
	Action Action

	Scan *Scan
	List *ListChange
	Lost *Loss

	Interface string // ingress interface, or the one attached or detached
	Mode      string // "native" or "generic", for attached
	Reason    string // why, in words: "score 8 of 8", "link is gone", "expired"
}

// ReasonStopped is the Reason of a detached event that the operator asked
// for, alone or before ": " and particulars.
const ReasonStopped = "stopped"

// ProtectionLost reports whether an interface lost its protection without
// being asked to.
func (e Event) ProtectionLost() bool {
	return e.Action == Detached && e.Reason != ReasonStopped && !strings.HasPrefix(e.Reason, ReasonStopped+": ")
}

// Scan describes what one source did so far.
type Scan struct {
	Source      netip.Prefix // /32 or /128, or the IPv6 prefix that is scored as one
	Destination netip.Addr   // the latest one probed
	Kinds       Kinds
	Main        Kind // the kind of most probes, named first
	Tool        Tool
	Confidence  Confidence
	Transport   string // "tcp", "udp", ...; empty when mixed
	Score       int
	Threshold   int // the score this event is about: alert or ban
	Probes      uint64
	Dropped     uint64 // packets dropped by the ban, for scan-ended
	Distinct    int    // distinct (destination, protocol, port) that were counted
	Ports       []uint16
	First, Last time.Time
	Grade       Grade
	Enforced    bool // false in monitor mode and for watched or protected sources
	Protected   bool // the source is an address that must not be lost
	Watched     bool // the source is on the allow list with "watch"
	UsedService bool // it connected to an open port before its first failure, within a day
	BanUntil    time.Time
	Place       Place
	Group       *Group // nil: no other source sent the same
}

// Place is what is known of where an address is. The zero value: nothing.
type Place struct {
	CountryISO, Country, City string
	Latitude, Longitude       float64
	HasCoordinates            bool
	ASNumber                  uint32
	ASName                    string
	Special                   string // "private", "documentation", ... instead of a country
	Database                  string // which database said so
}

// ListChange describes an edit of the allow or deny list.
type ListChange struct {
	List    string // "allow" or "deny"
	Path    string
	Added   int
	Removed int
	Total   int
	Type    string // "creation", "change" or "deletion"
}

// Loss counts events that never reached the log since the last such event.
type Loss struct {
	Stage string // "ring-buffer", "queue", "log"
	Count uint64
}
