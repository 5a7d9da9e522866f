// SPDX-License-Identifier: MIT

package lists

import (
	"net/netip"
	"time"
)

// Active returns what is in force at the time now: every network once, its
// last unexpired line, sorted as netip.Prefix.Compare does. The result
// shares nothing with l.
func (l *List) Active(now time.Time) []Entry {
	keys := order(len(l.Entries), func(i int) (netip.Prefix, bool) {
		return l.Entries[i].Prefix, !l.Entries[i].Expired(now)
	})
	active := make([]Entry, 0, len(keys))
	for _, k := range keys {
		e := l.Entries[k.index]
		if n := len(active); n > 0 && active[n-1].Prefix == e.Prefix {
			active[n-1] = e
			continue
		}
		active = append(active, e)
	}
	return active
}

// Diff compares two results of Active and returns what has to be put into
// a table that holds old, and what has to be deleted from it, so that it
// holds updated. An entry whose Watch changed is in added only, since
// putting it overwrites: the network is never without protection. No
// network is in both results, so they may be applied in any order. Until,
// Comment and Line make no difference.
func Diff(old, updated []Entry) (added, removed []Entry) {
	for len(old) > 0 && len(updated) > 0 {
		switch c := old[0].Prefix.Compare(updated[0].Prefix); {
		case c < 0:
			removed = append(removed, old[0])
			old = old[1:]
		case c > 0:
			added = append(added, updated[0])
			updated = updated[1:]
		default:
			if old[0].Watch != updated[0].Watch {
				added = append(added, updated[0])
			}
			old, updated = old[1:], updated[1:]
		}
	}
	return append(added, updated...), append(removed, old...)
}

// NextExpiry returns when the first of entries ends after now, which is
// when the caller should look at Active again; zero if none does.
func NextExpiry(entries []Entry, now time.Time) time.Time {
	var next time.Time
	for i := range entries {
		until := entries[i].Until
		if until.After(now) && (next.IsZero() || until.Before(next)) {
			next = until
		}
	}
	return next
}

// Lookup returns the entry that decides about p at the time now: the
// narrowest that contains all of p and, among equals, the last line. It
// reads the whole list, which is right for one question, not for many.
func (l *List) Lookup(p netip.Prefix, now time.Time) (Entry, bool) {
	best := -1
	for i := range l.Entries {
		e := &l.Entries[i]
		if !covers(e.Prefix, p) || e.Expired(now) {
			continue
		}
		if best < 0 || e.Prefix.Bits() >= l.Entries[best].Prefix.Bits() {
			best = i
		}
	}
	if best < 0 {
		return Entry{}, false
	}
	return l.Entries[best], true
}
