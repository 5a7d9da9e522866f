// SPDX-License-Identifier: MIT

// Package lists reads, checks, edits and watches the allow and deny files:
//
//	# comments and blank lines stay where they are
//	192.0.2.1
//	198.51.100.0/24  until=2026-01-02T03:04:05Z  # the office
//	2001:db8::/32 watch  ; allow list only: logged, never banned
//
// A line holds one address or network in CIDR notation, then the options,
// then a comment. A file with a bad line is refused whole, so that nobody
// is let in or locked out by half a list; a file that does not exist is an
// empty list.
//
// Of several lines with the same network, the last one that has not
// expired counts. Of networks inside each other, the narrowest counts.
// Between the lists, the allow list wins; the kernel program sees to that.
//
// Values of this package are plain and not locked: share them between
// goroutines only for reading. Functions that change a file may be called
// from any number of goroutines and processes at once.
package lists

import (
	"fmt"
	"net/netip"
	"time"
)

// Limits of a list file. They leave room for the largest public feeds, and
// stop a wrong path, such as a disk image, before it fills the memory.
const (
	maxFileSize = 128 << 20 // bytes
	MaxEntries  = 2 << 20
	maxLine     = 4096 // bytes, without the line end
)

// Kind says which list a file is.
type Kind uint8

// The two lists.
const (
	Allow Kind = iota // never scored and never banned; wins over Deny
	Deny              // always dropped
)

// String returns "allow" or "deny".
func (k Kind) String() string {
	if k == Allow {
		return "allow"
	}
	return "deny"
}

// ParseKind returns the list with the given name: allow or deny, or their
// aliases whitelist and blacklist.
func ParseKind(name string) (Kind, error) {
	switch name {
	case "allow", "whitelist":
		return Allow, nil
	case "deny", "blacklist":
		return Deny, nil
	}
	return 0, fmt.Errorf("list %q: expected allow or deny", clip(name))
}

// Entry is one line of a list that names a network.
type Entry struct {
	Prefix  netip.Prefix // masked, never IPv4-mapped, without zone
	Until   time.Time    // end of its validity, in UTC; zero: no end
	Comment string       // printable, without the "#"; empty unless asked for
	Line    int          // line number in the file, from 1; 0 if it has none yet
	Watch   bool         // allow list: log what it does, but never ban it
}

// Expired reports whether e is over at the time now.
func (e Entry) Expired(now time.Time) bool {
	return !e.Until.IsZero() && !now.Before(e.Until)
}

// outlives reports whether e lasts at least as long as other.
func (e *Entry) outlives(other *Entry) bool {
	return e.Until.IsZero() || !other.Until.IsZero() && !e.Until.Before(other.Until)
}

// List is a list file as it was read.
type List struct {
	Path    string
	Kind    Kind
	Missing bool    // the file does not exist, so the list is empty
	Entries []Entry // in the order of the file, repeated and expired ones included
}
