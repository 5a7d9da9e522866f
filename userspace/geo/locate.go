// SPDX-License-Identifier: MIT

package geo

import (
	"net/netip"
	"sync/atomic"
	"time"

	"denmap/userspace/event"
)

// The names of the sources that are not files, in Place.Database.
const (
	BuiltIn = "built-in"
	IPStack = "ipstack"
	IANA    = "IANA"
)

// Locate returns what is known of where addr is, within Options.Budget.
// Where databases list no city or no country for it, ipstack's earlier
// answer fills in, or the question is queued to be answered for a later
// event. Place.Database names each database that contributed.
func (l *Locator) Locate(addr netip.Addr) event.Place {
	if !addr.IsValid() {
		return event.Place{}
	}
	addr = locatable(addr)
	p, inTime := l.askFiles(addr)
	if label, _ := specialUse(addr); label != "" {
		if p.CountryISO == "" && p.City == "" && !p.HasCoordinates {
			p.Special = label
			p.Database = join(p.Database, IANA)
		}
		return p
	}
	if online := l.online.Load(); online != nil && inTime && (p.CountryISO == "" || p.City == "") {
		if more, ok := online.Get(addr); ok {
			merge(&p, tidy(more), IPStack)
		}
	}
	if l.builtIn != nil {
		// In memory, and without anything that could fail.
		more, _, _ := l.builtIn.lookup(addr)
		merge(&p, more, BuiltIn)
	}
	return p
}

// askFiles asks the listed files and reports whether they answered within
// the budget. While a look-up that did not is still under way, say on a
// disk that hangs, no other is begun, so neither waits nor goroutines add
// up.
func (l *Locator) askFiles(addr netip.Addr) (event.Place, bool) {
	files := *l.files.Load()
	if len(files) == 0 {
		return event.Place{}, true
	}
	if l.stuck.Load() > 0 {
		return event.Place{}, false
	}
	answer := make(chan event.Place, 1)
	var settled atomic.Bool // by whoever comes first: the answer or the timer
	go func() {
		answer <- askAll(files, addr)
		if !settled.CompareAndSwap(false, true) {
			l.stuck.Add(-1)
		}
	}()
	timer := time.NewTimer(l.opts.Budget)
	defer timer.Stop()
	select {
	case p := <-answer:
		return p, true
	case <-timer.C:
	}
	l.stuck.Add(1)
	if !settled.CompareAndSwap(false, true) {
		l.stuck.Add(-1)
		return <-answer, true
	}
	l.reportSlow()
	return event.Place{}, false
}

func askAll(files []source, addr netip.Addr) event.Place {
	var p event.Place
	for _, f := range files {
		if more, _, err := f.lookup(addr); err == nil {
			merge(&p, more, f.describe().Database)
		}
	}
	return p
}

func (l *Locator) reportSlow() {
	now := l.opts.Clock().Unix()
	told := l.toldAt.Load()
	if told != 0 && now-told < int64(slowReports/time.Second) || !l.toldAt.CompareAndSwap(told, now) {
		return
	}
	l.report("databases take longer than " + l.opts.Budget.String() + " to answer; events go on without them")
}
