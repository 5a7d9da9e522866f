// SPDX-License-Identifier: MIT

package dashboard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/lists"
)

const (
	// maxRows is how many sources the live table shows: the latest.
	maxRows = 2000
	// maxFacts is how many of those that sent events are remembered.
	maxFacts = 8192
	// forgetPart is which part of them is forgotten when there are more.
	forgetPart = 4
	// quietAfter is how long one stays that has neither score nor ban.
	quietAfter = time.Hour
	// maxPlaces bounds the memory for where sources are.
	maxPlaces = 16384
	// locateLimit is how long one look at the table may ask for places.
	locateLimit = 200 * time.Millisecond
)

// live is the table of sources. It belongs to the goroutine of the hub.
type live struct {
	opts   Options
	facts  map[netip.Prefix]*facts
	places map[netip.Addr]event.Place
	// patience is until when databases may be asked: those on a slow disk
	// must not hold up the table.
	patience time.Time

	rows  map[netip.Prefix][]byte // as last published, in JSON
	total int                     // sources in all, shown or not
	bans  int
}

func newLive(o Options) *live {
	return &live{opts: o, facts: map[netip.Prefix]*facts{}, places: map[netip.Addr]event.Place{}, rows: map[netip.Prefix][]byte{}}
}

// handle takes in an event.
func (l *live) handle(e event.Event) {
	if e.Scan == nil || !e.Scan.Source.IsValid() {
		return
	}
	p := e.Scan.Source.Masked()
	f := l.facts[p]
	if f == nil {
		if len(l.facts) >= maxFacts {
			l.forgetOldest()
		}
		f = &facts{}
		l.facts[p] = f
	}
	if !emptyPlace(e.Scan.Place) {
		l.place(p.Addr(), e.Scan.Place)
	}
	f.scan, f.action, f.reason, f.told = e.Scan, e.Action, e.Reason, e.Time
	if e.Interface != "" {
		f.iface = e.Interface
	}
	if e.Action == event.SourceBanned && e.Scan.Enforced {
		// The kernel's entry, which also has the packets dropped, is read
		// with the next look at it.
		f.ban = &event.Ban{Source: p, Grade: e.Scan.Grade, Since: e.Time, Until: e.Scan.BanUntil}
	}
	if e.Action == event.SourceUnbanned || e.Action == event.ScanEnded {
		f.ban = nil
	}
}

func emptyPlace(p event.Place) bool { return p == event.Place{} }

func (l *live) place(addr netip.Addr, p event.Place) {
	if len(l.places) >= maxPlaces {
		clear(l.places) // they are found again
	}
	l.places[addr] = p
}

func (l *live) placeOf(addr netip.Addr) event.Place {
	if p, ok := l.places[addr]; ok {
		return p
	}
	if l.opts.Locate == nil || time.Now().After(l.patience) {
		return event.Place{} // the next time, then
	}
	p := l.opts.Locate(addr)
	l.place(addr, p)
	return p
}

// forgetOldest makes room: for many at once, since finding out which are the
// oldest takes a look at all.
func (l *live) forgetOldest() {
	type entry struct {
		source netip.Prefix
		last   time.Time
	}
	all := make([]entry, 0, len(l.facts))
	for p, f := range l.facts {
		all = append(all, entry{p, f.last()})
	}
	slices.SortFunc(all, func(a, b entry) int { return a.last.Compare(b.last) })
	for _, e := range all[:(len(all)+forgetPart-1)/forgetPart] {
		delete(l.facts, e.source)
		delete(l.rows, e.source)
	}
}

// refresh takes over what the kernel knows now.
func (l *live) refresh() error {
	sources, err := l.opts.Kernel.Sources()
	if err != nil {
		return fmt.Errorf("read sources: %w", err)
	}
	bans, err := l.opts.Kernel.Bans()
	if err != nil {
		return fmt.Errorf("read bans: %w", err)
	}
	now := l.opts.Now()
	for _, f := range l.facts {
		f.source, f.ban = nil, nil
	}
	// Only the latest are worth a look: a forged flood fills the tables.
	slices.SortFunc(sources, func(a, b event.Source) int { return b.Last.Compare(a.Last) })
	for _, s := range sources[:min(len(sources), maxRows)] {
		l.known(s.Prefix).source = &s
	}
	slices.SortFunc(bans, func(a, b event.Ban) int {
		return cmp.Or(cmp.Compare(b.Grade, a.Grade), b.Since.Compare(a.Since))
	})
	for i, b := range bans[:min(len(bans), maxRows)] {
		f := l.known(b.Source)
		if f.ban == nil || b.Grade > f.ban.Grade {
			f.ban = &bans[i]
		}
	}
	l.total, l.bans = len(sources), len(bans)
	for p, f := range l.facts {
		if f.source == nil && f.ban == nil && now.Sub(f.last()) > quietAfter {
			delete(l.facts, p)
			continue
		}
		l.measure(f, now)
	}
	return nil
}

func (l *live) known(p netip.Prefix) *facts {
	p = p.Masked()
	f := l.facts[p]
	if f == nil {
		f = &facts{}
		l.facts[p] = f
	}
	return f
}

// measure follows how fast the source sends.
func (l *live) measure(f *facts, now time.Time) {
	var count uint64
	guess := 0.0
	if f.scan != nil {
		count = uint64(f.scan.Distinct)
	}
	if s := f.source; s != nil {
		count = max(count, uint64(s.Distinct))
		if span := s.Last.Sub(s.First); now.Sub(s.Last) < 2*rateMemory {
			guess = float64(s.Distinct) / max(1, span.Seconds())
		}
	}
	if f.ban != nil {
		count += f.ban.Dropped
	}
	f.rate.see(count, now, guess)
}

// change is what to tell pages about the table.
type change struct {
	Rows    []json.RawMessage `json:"rows"`    // new or different ones
	Removed []string          `json:"removed"` // sources
	Total   int               `json:"total"`   // scored sources, shown or not
	Bans    int               `json:"bans"`
}

// publish returns what is different from the last time.
func (l *live) publish() (change, error) {
	now := l.opts.Now()
	l.patience = time.Now().Add(locateLimit)
	shown := l.latest()
	c := change{Rows: []json.RawMessage{}, Removed: []string{}, Total: l.total, Bans: l.bans}
	rows := make(map[netip.Prefix][]byte, len(shown))
	for _, p := range shown {
		data, err := json.Marshal(l.facts[p].row(p, l.placeOf(p.Addr()), now))
		if err != nil {
			return c, fmt.Errorf("write row of %s: %w", p, err)
		}
		rows[p] = data
		if string(l.rows[p]) != string(data) {
			c.Rows = append(c.Rows, data)
		}
	}
	for p := range l.rows {
		if rows[p] == nil {
			c.Removed = append(c.Removed, lists.FormatPrefix(p))
		}
	}
	l.rows = rows
	return c, nil
}

// all is the whole table as last published.
func (l *live) all() change {
	c := change{Rows: make([]json.RawMessage, 0, len(l.rows)), Removed: []string{}, Total: l.total, Bans: l.bans}
	for _, data := range l.rows {
		c.Rows = append(c.Rows, data)
	}
	return c
}

// latest returns the sources to show.
func (l *live) latest() []netip.Prefix {
	all := make([]netip.Prefix, 0, len(l.facts))
	for p := range l.facts {
		all = append(all, p)
	}
	if len(all) > maxRows {
		last := make(map[netip.Prefix]time.Time, len(all))
		for _, p := range all {
			last[p] = l.facts[p].last()
		}
		slices.SortFunc(all, func(a, b netip.Prefix) int { return last[b].Compare(last[a]) })
		all = all[:maxRows]
	}
	return all
}
