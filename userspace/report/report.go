// SPDX-License-Identifier: MIT

// Package report sums up what the event log says of a period: what was
// seen, who was banned, and whom enforcing would have banned where DenMap
// only watched. It knows only what is logged and invents nothing.
//
// Memory is bounded whatever the log holds; what did not fit is counted.
package report

import (
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// Bounds on what a Builder keeps.
const (
	maxOpen    = 1 << 16 // scans whose end was not read yet
	maxSources = 1 << 16
	maxNames   = 1 << 12 // countries, tools
)

// Count is how many scans had a property.
type Count struct {
	Name  string
	Scans int
}

// PortCount is how many scans probed a port, as far as the samples in the
// log name it.
type PortCount struct {
	Port  uint16
	Scans int
}

// Source is what one source did. Sources that are scored by their IPv6
// prefix are that prefix.
type Source struct {
	Source      netip.Prefix
	Place       event.Place
	Scans       int
	Bans        int
	Probes      uint64
	Dropped     uint64
	Kinds       event.Kinds
	Main        event.Kind // of its latest scan
	Tool        event.Tool
	Grade       event.Grade // the surest
	First, Last time.Time
	Decoy       bool // sent the same probes as others and is not proven
}

// Cause is why a source was not banned though its score said so.
type Cause string

// The causes, the strongest first: a protected address is not banned in
// any mode.
const (
	Protected Cause = "protected"
	Watched   Cause = "watched"
	Monitor   Cause = "monitor"
)

// WouldBan is a source that enforcing would have banned, with what led to
// it. Times counts its scans that reached the ban score.
type WouldBan struct {
	Source
	Cause     Cause
	Times     int
	Score     int // the highest
	Threshold int
	Used      bool // a service of this host, before its first failed probe
}

// Report is what happened from First to Last.
type Report struct {
	First, Last time.Time // of the records read; zero if there is none
	Records     int

	Scans       int // alerts and bans, operators' bans not counted
	Sources     int
	Decoys      int // groups of sources that sent the same probes
	Bans        int // enforced, of scans
	ManualBans  int
	Unbans      int
	Probes      uint64
	Dropped     uint64
	Lost        uint64 // events that never reached the log
	ListChanges int
	Detached    int // times that an interface lost its protection unasked

	// All of these are sorted, largest first; equals by name.
	Kinds      []Count
	Tools      []Count
	Countries  []Count // scans from addresses of no country, by what they are
	Ports      []PortCount
	TopSources []Source
	WouldBan   []WouldBan

	Overflow int // scans that are missing in what is counted by source
}
