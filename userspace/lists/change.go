// SPDX-License-Identifier: MIT

package lists

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// checked returns e as it can be written to a list file.
func checked(e Entry, kind Kind) (Entry, error) {
	switch {
	case !e.Prefix.IsValid() || e.Prefix != e.Prefix.Masked() || e.Prefix.Addr().Is4In6():
		return e, errors.New("expected a network without host bits")
	case e.Watch && kind != Allow:
		return e, errors.New("watch: expected only on the allow list")
	}
	if !e.Until.IsZero() {
		// The file holds whole seconds, and nothing may end too early.
		e.Until = e.Until.UTC().Add(time.Second - 1).Truncate(time.Second)
		if y := e.Until.Year(); y < 1970 || y > 9999 {
			return e, fmt.Errorf("end in the year %d: expected 1970 to 9999", y)
		}
	}
	if err := CheckComment(e.Comment); err != nil {
		return e, err
	}
	e.Comment = strings.TrimSpace(e.Comment)
	e.Line = 0
	return e, nil
}

// CheckComment reports what is wrong with a comment for a list: anything
// that is not one line of printable text of at most 1024 bytes. A line
// break would smuggle in an entry.
func CheckComment(s string) error {
	if len(s) > maxComment {
		return fmt.Errorf("comment of %d bytes: expected at most %d", len(s), maxComment)
	}
	bad := func(r rune) bool { return !unicode.IsPrint(r) }
	if !utf8.ValidString(s) || strings.ContainsFunc(s, bad) {
		return fmt.Errorf("comment %q: expected one line of printable text", clip(s))
	}
	return nil
}

// lastOfEach checks entries and keeps the last one for every network.
func lastOfEach(entries []Entry, kind Kind) ([]Entry, error) {
	place := make(map[netip.Prefix]int, len(entries))
	kept := make([]Entry, 0, len(entries))
	for _, e := range entries {
		e, err := checked(e, kind)
		if err != nil {
			return nil, fmt.Errorf("add %q: %w", FormatPrefix(e.Prefix), err)
		}
		if i, ok := place[e.Prefix]; ok {
			kept[i] = e
			continue
		}
		place[e.Prefix] = len(kept)
		kept = append(kept, e)
	}
	if len(kept) == 0 {
		return nil, errors.New("add to list: expected at least one address")
	}
	return kept, nil
}

// add plans the addition of entries, whose networks differ.
func (d *document) add(entries []Entry, now time.Time) []Change {
	place := make(map[netip.Prefix]int, len(entries))
	for i := range entries {
		place[entries[i].Prefix] = i
	}
	listed := make([]*Entry, len(entries)) // the last line of each: the one that counts
	for i := range d.list.Entries {
		e := &d.list.Entries[i]
		if n, ok := place[e.Prefix]; ok {
			listed[n] = e
		}
	}
	cover := d.covering(entries, now)
	changes := make([]Change, len(entries))
	for i, e := range entries {
		old := listed[i]
		if old == nil {
			d.appended = append(d.appended, e)
			changes[i] = Change{Action: Added, Entry: e}
			if cover[i] != nil {
				changes[i].Covering = *cover[i]
			}
			continue
		}
		changes[i] = d.update(old, e)
	}
	return changes
}

// update plans the change of a listed entry into e.
func (d *document) update(old *Entry, e Entry) Change {
	e.Line = old.Line
	if e.Comment == old.Comment {
		e.Comment = ""
	}
	if e.Comment == "" && e.Until.Equal(old.Until) && e.Watch == old.Watch {
		return Change{Action: Unchanged, Entry: *old}
	}
	d.rewrite[old.Line] = e
	if e.Comment == "" {
		e.Comment = old.Comment
	}
	return Change{Action: Updated, Entry: e}
}

// covering finds, for each of entries, the listed entry that makes it
// needless, or nil.
func (d *document) covering(entries []Entry, now time.Time) []*Entry {
	found := make([]*Entry, len(entries))
	if len(entries) == 0 || len(d.list.Entries) == 0 {
		return found
	}
	listed := d.list.Entries
	keys := order(len(listed)+len(entries), func(i int) (netip.Prefix, bool) {
		if i >= len(listed) {
			return entries[i-len(listed)].Prefix, true
		}
		return listed[i].Prefix, !listed[i].Expired(now)
	})
	var around nest
	for _, k := range keys {
		if i := int(k.index) - len(listed); i >= 0 {
			around = around.enter(entries[i].Prefix)
			found[i] = around.without(&entries[i])
			continue
		}
		e := &listed[k.index]
		around = append(around.enter(e.Prefix), e)
	}
	return found
}

// remove plans the removal of every line that names one of prefixes.
func (d *document) remove(prefixes []netip.Prefix) ([]Change, error) {
	if len(prefixes) == 0 {
		return nil, errors.New("remove from list: expected at least one address")
	}
	wanted := make(map[netip.Prefix]int, len(prefixes)) // lines found
	for _, p := range prefixes {
		wanted[p] = 0
	}
	var changes []Change
	for _, e := range d.list.Entries {
		n, ok := wanted[e.Prefix]
		if !ok {
			continue
		}
		wanted[e.Prefix] = n + 1
		d.cut[e.Line] = true
		if n == 0 {
			changes = append(changes, Change{Action: Removed, Entry: e})
		}
	}
	for _, p := range prefixes {
		if wanted[p] > 0 {
			continue
		}
		missing := &NotListedError{Kind: d.list.Kind, Prefix: p}
		// The hint is about what the file says, so expired lines count.
		if e, ok := d.list.Lookup(p, time.Time{}); ok {
			missing.Covering, missing.Line = e.Prefix, e.Line
		}
		return nil, missing
	}
	return changes, nil
}
