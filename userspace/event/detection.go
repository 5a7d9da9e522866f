// SPDX-License-Identifier: MIT

package event

import (
	"net/netip"
	"time"
)

// Verdict is what the kernel program decided when it sent a Detection.
type Verdict uint8

// The verdicts of a Detection, in the order of enum event_type in
// bpf/event.h.
const (
	VerdictAlert    Verdict = iota // the score crossed the alert threshold
	VerdictBan                     // it crossed the ban threshold: banned
	VerdictWouldBan                // the same where no ban is allowed: monitor mode, watched or protected source
)

// Detection is one crossing of a threshold, as the kernel reported it.
type Detection struct {
	Verdict     Verdict
	Time        time.Time
	First       time.Time // when the source's first counted probe arrived
	Source      netip.Prefix
	Destination netip.Addr
	IfIndex     int
	Interface   string // empty if the interface is gone already
	Kinds       Kinds
	Main        Kind // the kind of most of the latest probes
	Tool        Tool
	Confidence  Confidence
	Transport   string
	Score       int
	Threshold   int
	Distinct    int
	Ports       []uint16
	Grade       Grade
	Protected   bool
	Watched     bool
	UsedService bool      // it connected to an open port before its first failure, within a day
	Alone       bool      // nobody sent its last probe but one too, or the last: it has no decoys
	BanUntil    time.Time // zero unless Verdict is VerdictBan

	// Of the crossing packet: decoys of one scan share them.
	Sequence   uint32
	IPID       uint16
	SourcePort uint16
}

// Ban is one entry of the kernel's ban tables.
type Ban struct {
	Source  netip.Prefix
	Grade   Grade
	Since   time.Time
	Until   time.Time
	Reason  string // what the operator wrote, for manual bans
	Dropped uint64 // packets dropped since
}

// Source is one scored source, as read from the kernel.
type Source struct {
	Prefix      netip.Prefix
	First, Last time.Time
	Kinds       Kinds
	Main        Kind // the kind of most of the latest probes
	Tool        Tool
	Confidence  Confidence
	Score       int // after decay, now
	UDPScore    int
	Distinct    int
	Ports       []uint16
}
