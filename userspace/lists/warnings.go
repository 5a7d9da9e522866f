// SPDX-License-Identifier: MIT

package lists

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// WarningKind is what may be wrong with a good line.
type WarningKind uint8

// The kinds of Warning.
const (
	Duplicate  WarningKind = iota // Other names the same network
	Shadowed                      // Other contains it and says the same
	Expired                       // it is no longer in force
	Everything                    // it is all of IPv4 or IPv6
	Overruled                     // Other, on the allow list, contains it
)

// String returns a word for the kind, such as "shadowed".
func (k WarningKind) String() string {
	return [...]string{"duplicate", "shadowed", "expired", "everything", "overruled"}[min(k, Overruled)]
}

// Warning points to a line that is good, but probably not what was meant.
type Warning struct {
	Kind  WarningKind
	Entry Entry
	Other Entry // for Duplicate, Shadowed and Overruled
}

// String returns the warning as one line for people: "line 3: ...".
func (w Warning) String() string {
	text := fmt.Sprintf("line %d: %s ", w.Entry.Line, FormatPrefix(w.Entry.Prefix))
	switch w.Kind {
	case Duplicate:
		return text + fmt.Sprintf("is on line %d too; the later line counts", w.Other.Line)
	case Shadowed:
		return text + fmt.Sprintf("lies in %s of line %d and changes nothing", FormatPrefix(w.Other.Prefix), w.Other.Line)
	case Expired:
		return text + "expired " + w.Entry.Until.Format(time.RFC3339)
	case Overruled:
		return text + fmt.Sprintf("lies in %s on line %d of the allow list, which beats this one", FormatPrefix(w.Other.Prefix), w.Other.Line)
	}
	return text + "is every address there is"
}

// Warnings returns what is odd about the list at the time now, by line. An
// entry that lies in another one but has a different "watch", or lasts
// longer, has a purpose and is no warning.
func (l *List) Warnings(now time.Time) []Warning {
	var found []Warning
	keys := order(len(l.Entries), func(i int) (netip.Prefix, bool) {
		e := &l.Entries[i]
		if e.Expired(now) {
			found = append(found, Warning{Kind: Expired, Entry: *e})
			return e.Prefix, false
		}
		return e.Prefix, true
	})
	var around nest
	for _, k := range keys {
		e := &l.Entries[k.index]
		if e.Prefix.Bits() == 0 {
			found = append(found, Warning{Kind: Everything, Entry: *e})
		}
		around = around.enter(e.Prefix)
		if n := len(around); n > 0 && around[n-1].Prefix == e.Prefix {
			found = append(found, Warning{Kind: Duplicate, Entry: *e, Other: *around[n-1]})
			around[n-1] = e
			continue
		}
		if other := around.without(e); other != nil {
			found = append(found, Warning{Kind: Shadowed, Entry: *e, Other: *other})
		}
		around = append(around, e)
	}
	slices.SortStableFunc(found, func(a, b Warning) int { return a.Entry.Line - b.Entry.Line })
	return found
}

// Ineffective returns which entries of a deny list have no effect at the time
// now, since the allow list has all of their addresses for good, by line.
func Ineffective(deny, allow *List, now time.Time) []Warning {
	lasting := make(map[netip.Prefix]Entry)
	var prefixes []netip.Prefix
	for _, e := range allow.Entries {
		if e.Until.IsZero() {
			lasting[e.Prefix] = e
			prefixes = append(prefixes, e.Prefix)
		}
	}
	set := newPrefixSet(prefixes)
	var found []Warning
	for _, e := range deny.Entries {
		if around, ok := set.overlap(e.Prefix); ok && covers(around, e.Prefix) && !e.Expired(now) {
			found = append(found, Warning{Kind: Overruled, Entry: e, Other: lasting[around]})
		}
	}
	return found
}
