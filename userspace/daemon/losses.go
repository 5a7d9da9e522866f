// SPDX-License-Identifier: MIT

package daemon

import (
	"time"

	"denmap/userspace/event"
)

// lossPause is the least time between two lines about lost events of one
// stage: a flood that overflows a queue must not fill the log as well.
const lossPause = time.Minute

// lossCounter turns growing counts of one stage into few events. It
// belongs to the main loop.
type lossCounter struct {
	stage  string
	untold uint64
	next   time.Time // no event before
}

// add counts losses and returns an event when one is due.
func (l *lossCounter) add(n uint64, now time.Time) (event.Event, bool) {
	l.untold += n
	if l.untold == 0 || now.Before(l.next) {
		return event.Event{}, false
	}
	return l.flush(now)
}

// flush returns an event for what was not told of, due or not.
func (l *lossCounter) flush(now time.Time) (event.Event, bool) {
	if l.untold == 0 {
		return event.Event{}, false
	}
	e := event.Event{Action: event.EventsLost, Lost: &event.Loss{Stage: l.stage, Count: l.untold}}
	l.untold, l.next = 0, now.Add(lossPause)
	return e, true
}

// growth follows a count that starts again at zero now and then.
type growth map[string]uint64

// since returns by how much the counts grew since the last call; names
// that are new start at base.
func (g growth) since(counts map[string]uint64) (grown uint64) {
	for name, n := range counts {
		before := g[name]
		if n < before {
			before = 0
		}
		grown += n - before
		g[name] = n
	}
	for name := range g {
		if _, ok := counts[name]; !ok {
			delete(g, name)
		}
	}
	return grown
}

// losses are the stages at which events get lost before the log.
type losses struct {
	ring, queue lossCounter
	counts      growth
	overflowed  uint64 // of the daemon's own queues, as last read
}

func newLosses() *losses {
	return &losses{
		ring:   lossCounter{stage: "ring-buffer"},
		queue:  lossCounter{stage: "queue"},
		counts: make(growth),
	}
}

// countLosses looks for lost events and tells of them.
func (d *daemon) countLosses(now time.Time) {
	l := d.losses
	overflowed := d.ring.overflow.Load() + d.out.overflow.Load()
	if e, ok := l.queue.add(overflowed-l.overflowed, now); ok {
		d.emit(e)
	}
	l.overflowed = overflowed
	counts, err := d.kernel.LostEvents()
	if err != nil {
		d.tell.trouble("counters", err.Error())
		return
	}
	d.tell.fine("counters", "")
	if e, ok := l.ring.add(l.counts.since(counts), now); ok {
		d.emit(e)
	}
}

// flushLosses tells of everything lost so far, at the end.
func (d *daemon) flushLosses(now time.Time) {
	for _, l := range []*lossCounter{&d.losses.ring, &d.losses.queue} {
		if e, ok := l.flush(now); ok {
			d.emit(e)
		}
	}
}
