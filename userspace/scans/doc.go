// SPDX-License-Identifier: MIT

// Package scans turns what the kernel reports (event.Detection) into what
// people read (event.Event), so that one scan gives a handful of log
// lines, whatever it sends: it was detected, its source was banned, the
// ban ended, the scan ended with these totals. All of them share one ID.
//
// A Tracker keeps the open scans in bounded memory and asks the kernel
// only when one is due: after a while of quiet, at the end of a ban, and
// now and then during a ban, so that one lifted behind its back is noticed
// too.
package scans

import (
	"net/netip"
	"time"

	"github.com/oklog/ulid/v2"

	"denmap/userspace/event"
)

// Defaults of Options.
const (
	defaultQuiet      = 2 * time.Minute
	defaultPoll       = 15 * time.Second
	defaultMaxOpen    = 65536
	defaultLocateWait = time.Second
	defaultDecoyWait  = 50 * time.Millisecond
)

// Reasons of source-unbanned events, and what scan-ended events say.
const (
	ReasonExpired  = "expired"
	ReasonOperator = "by operator"
	// ReasonRemoved is a ban that is gone before its time without a call
	// of Unbanned: removed with no daemon in between, or pushed out of a
	// full table.
	ReasonRemoved = "removed before its end"
	// ReasonOverflow ends the oldest scan when more than MaxOpen are open.
	ReasonOverflow = "too many open scans"
	// ReasonFound is that of a source-banned line whose detection was lost.
	ReasonFound = "found in the kernel's table: its event was lost"
)

// Kernel is what a Tracker asks of the kernel's tables. Its methods are
// called from the goroutine of Run only and must not block for long.
type Kernel interface {
	// Ban returns the running ban of exactly this source, and false if
	// there is none.
	Ban(netip.Prefix) (event.Ban, bool, error)
	// Source returns the score entry of this source, and false if it is
	// forgotten.
	Source(netip.Prefix) (event.Source, bool, error)
}

// Options of New. Only Kernel is required.
type Options struct {
	Kernel Kernel

	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// NewID names a scan; nil gives ULIDs.
	NewID func() string

	// Quiet ends a scan that was not heard for so long and has no ban.
	Quiet time.Duration
	// Poll is how often a running ban is looked at before its end.
	Poll time.Duration
	// MaxOpen bounds the open scans; beyond it the oldest is ended.
	MaxOpen int
	// IPv6Prefix is the length in bits at which the kernel scores IPv6
	// sources; 0 is 64.
	IPv6Prefix int

	// Monitor tells whether an interface only reports. nil is never.
	Monitor func(iface string) bool

	// Locate fills event.Scan.Place. It runs on goroutines of its own,
	// once per scan, and may take long: a line waits LocateWait for it at
	// most, then goes out without a place. nil leaves places empty.
	Locate     func(netip.Addr) event.Place
	LocateWait time.Duration

	// DecoyWait is how long the line of an alert or a ban is held back at
	// most while other sources of the same probes keep coming, so that it
	// names them all. Negative: lines go out at once, with those known by then.
	DecoyWait time.Duration

	// Hurry is called first on each goroutine that an event passes through;
	// nil does nothing.
	Hurry func()
}

// withDefaults returns o with every zero value filled in.
func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = func() string { return ulid.Make().String() }
	}
	if o.Quiet <= 0 {
		o.Quiet = defaultQuiet
	}
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = defaultMaxOpen
	}
	if o.IPv6Prefix <= 0 || o.IPv6Prefix > 128 {
		o.IPv6Prefix = 64
	}
	if o.Monitor == nil {
		o.Monitor = func(string) bool { return false }
	}
	if o.LocateWait <= 0 {
		o.LocateWait = defaultLocateWait
	}
	if o.DecoyWait == 0 {
		o.DecoyWait = defaultDecoyWait
	}
	if o.Hurry == nil {
		o.Hurry = func() {}
	}
	return o
}

// Stats are counts since New. Open is a gauge.
type Stats struct {
	Open         int
	Detections   uint64 // detections taken in
	Scans        uint64 // scans opened, adopted bans included
	Overflowed   uint64 // scans ended because MaxOpen was reached
	KernelErrors uint64 // questions to the kernel that gave an error
	Unlocated    uint64 // lines sent without a place because Locate was late
	Groups       uint64 // groups of sources that sent the same probes
	Folded       uint64 // alerts left out because one about their group was sent
}
