// SPDX-License-Identifier: MIT

package scans

import (
	"sync"

	"denmap/userspace/event"
)

// Tracker follows the open scans. Run does the work; the other methods may
// be called from any goroutine, before and while it runs.
type Tracker struct {
	opts Options

	mu      sync.Mutex // guards notices and stats
	notices []notice
	stats   Stats
	wake    chan struct{} // holds a token while notices wait

	// Owned by the goroutine of Run.
	open   *table
	places *locator
	decoys *decoys
	emit   func(event.Event, *scan)
}

// New returns a Tracker that follows nothing yet.
func New(o Options) *Tracker {
	o = o.withDefaults()
	return &Tracker{
		opts: o,
		wake: make(chan struct{}, 1),
		open: newTable(o.IPv6Prefix),

		decoys: newDecoys(),
	}
}

// Stats returns the counts so far.
func (t *Tracker) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.stats
}

func (t *Tracker) count(f func(*Stats)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.stats)
	t.stats.Open = t.open.len()
}
