// SPDX-License-Identifier: MIT

package scans

import (
	"context"
	"time"

	"denmap/userspace/event"
)

// outQueue is how many events may wait for their place or for out.
const outQueue = 1024

type outgoing struct {
	event event.Event
	place *place
	group *group
	at    time.Time // when it was queued
	alone bool      // the kernel saw nobody send the same
}

// Run follows scans until ctx is done or in is closed. It calls out for
// each event, from one goroutine and in order; out may block, which in
// time holds up the reading of in. What was read from in before the end is
// still told. Open scans are not ended: their bans live on in the kernel,
// and the next process adopts them. Run may be called once; a call of
// Options.Locate that hangs outlives it.
func (t *Tracker) Run(ctx context.Context, in <-chan event.Detection, out func(event.Event)) {
	t.opts.Hurry()
	queue := make(chan outgoing, outQueue)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		t.output(queue, out)
	}()
	t.emit = func(e event.Event, s *scan) { queue <- outgoing{e, s.place, s.group, t.opts.Now(), s.alone} }
	t.places = startLocator(t.opts.Locate)
	defer func() {
		close(queue)
		<-finished
		t.places.stop()
	}()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case d, ok := <-in:
			if !ok {
				return
			}
			t.detect(d, t.opts.Now())
		case <-t.wake:
		case <-timer.C:
		case <-ctx.Done():
			t.drain(in)
			return
		}
		now := t.opts.Now()
		t.takeNotices(now)
		t.expire(now)
		timer.Reset(t.untilDue(now))
	}
}

// untilDue is how long to sleep: until the next scan is due, but never
// longer than Poll, because ends of bans are wall-clock times and that
// clock may be set.
func (t *Tracker) untilDue(now time.Time) time.Duration {
	if s := t.open.next(); s != nil {
		return min(max(s.due.Sub(now), 0), t.opts.Poll)
	}
	return t.opts.Poll
}

// drain takes in what waits in the channel's buffer.
func (t *Tracker) drain(in <-chan event.Detection) {
	for range len(in) {
		select {
		case d, ok := <-in:
			if !ok {
				return
			}
			t.detect(d, t.opts.Now())
		default:
			return
		}
	}
}

// maxLate is how many lines in a row may wait for a place in vain before
// none waits any more, until a place is there in time again.
const maxLate = 3

// output adds places and passes events on. A locator that is slow or hangs
// must neither cost lines nor hold them up for long.
func (t *Tracker) output(queue <-chan outgoing, out func(event.Event)) {
	t.opts.Hurry()
	late := 0
	for o := range queue {
		t.awaitDecoys(o, len(queue))
		if t.nameGroup(o) {
			continue
		}
		if o.event.Scan != nil && t.opts.Locate != nil {
			patience := t.opts.LocateWait
			if late >= maxLate || len(queue) > outQueue/2 {
				patience = 0
			}
			ok := false
			if o.place != nil {
				o.event.Scan.Place, ok = o.place.wait(patience)
			}
			if ok {
				late = 0
			} else {
				late++
				t.mu.Lock()
				t.stats.Unlocated++
				t.mu.Unlock()
			}
		}
		out(o.event)
	}
}
