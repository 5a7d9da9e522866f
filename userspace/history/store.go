// SPDX-License-Identifier: MIT

package history

import (
	"errors"
	"fmt"
	"time"

	"denmap/userspace/event"
)

// ready opens the database if it is not, and makes room in its log.
func (w *writer) ready() error {
	if w.file == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	if err := w.applyBounds(); err != nil {
		return err
	}
	return w.file.makeRoom(w.limits)
}

// storePending stores the batch, in as many transactions as it takes, and
// forgets what is stored. An event that cannot be stored costs only
// itself: when there is one, they are stored one by one.
func (w *writer) storePending() error {
	for size := batchSize; ; {
		n := min(len(w.pending), size, w.limits.events())
		err := w.recovered(func() error { return w.store(w.pending[:n]) })
		refused := err != nil && !isPassing(err) && !isDamage(err)
		switch {
		case err == nil:
			w.done(n)
		case n > 1 && (refused || isFull(err)):
			size = 1
			continue
		case n == 1 && refused:
			w.db.lost.Add(1)
			w.done(1)
			w.db.opts.Report(fmt.Sprintf("history %q: an event cannot be stored: %v", w.db.opts.Path, err))
		default:
			return err
		}
		if len(w.pending) == 0 {
			return nil
		}
	}
}

// store stores events, all or none, and makes room for the next.
func (w *writer) store(events []event.Event) error {
	if err := w.ready(); err != nil {
		return err
	}
	if err := w.transact(events); err != nil {
		return err
	}
	// The events are stored, and must not be again: room is made with the
	// next ones if not now.
	if _, err := w.file.evict(w.limits); isDamage(err) {
		return w.replace(err)
	}
	return nil
}

// transact does one transaction. Events that say too little are counted as
// lost.
func (w *writer) transact(events []event.Event) error {
	b, err := w.file.begin()
	if err != nil {
		return err
	}
	defer b.rollback()
	var skipped uint64
	for _, e := range events {
		err := b.apply(e)
		if errors.Is(err, errIncomplete) {
			skipped++
			continue
		}
		if err != nil {
			return err
		}
	}
	lost := w.db.lost.Load() + skipped
	if lost > w.told {
		n := Note{
			Time: w.db.opts.Clock(), Action: event.EventsLost,
			Lost: &event.Loss{Stage: "history", Count: lost - w.told},
		}
		b.at(n.Time).lost += n.Lost.Count
		if err := b.putNote(n); err != nil {
			return err
		}
	}
	if err := b.commit(); err != nil {
		return err
	}
	w.told = lost
	w.db.lost.Add(skipped)
	w.db.stored.Add(uint64(len(events)) - skipped)
	return nil
}

// tick does what is due now and then.
func (w *writer) tick() {
	if w.retry > 0 {
		return // the timer sees to it
	}
	ok := w.guard(func() error {
		if err := w.ready(); err != nil {
			return err
		}
		now := w.db.opts.Clock()
		if err := w.sample(now); err != nil {
			return err
		}
		if err := w.file.expire(now, time.Duration(w.db.keep.Load()), w.limits); err != nil {
			return err
		}
		if _, err := w.file.evict(w.limits); err != nil {
			return err
		}
		if err := w.file.shrink(w.limits); err != nil {
			return err
		}
		return w.file.restrict(w.limits) // lower now, if the file is
	})
	if !ok {
		w.retry = firstRetry
		w.timer.Reset(w.retry)
	}
}

// sample notes that the daemon is alive, and how many packets came.
func (w *writer) sample(now time.Time) error {
	passed, dropped := w.packets.since(w.db.opts.Packets)
	b, err := w.file.begin()
	if err != nil {
		return err
	}
	defer b.rollback()
	n := b.at(now)
	n.passed, n.dropped = passed, dropped
	if err := b.alive(now, false); err != nil {
		return err
	}
	return b.commit()
}

// packetCounter turns totals into what came since the last look.
type packetCounter struct {
	known           bool
	passed, dropped uint64
}

// since returns what came since the last call: nothing at first, and when
// totals have begun anew or cannot be read.
func (p *packetCounter) since(totals func() (passed, dropped uint64, err error)) (passed, dropped uint64) {
	if totals == nil {
		return 0, 0
	}
	nowPassed, nowDropped, err := totals()
	if err != nil {
		return 0, 0 // whoever reads them for more than this tells
	}
	if p.known && nowPassed >= p.passed && nowDropped >= p.dropped {
		passed, dropped = nowPassed-p.passed, nowDropped-p.dropped
	}
	p.known, p.passed, p.dropped = true, nowPassed, nowDropped
	return passed, dropped
}

// close stores what waits, and closes.
func (w *writer) close() error {
	for {
		w.drain()
		before := len(w.pending) + len(w.db.queue)
		if before == 0 {
			break
		}
		w.flush()
		if len(w.pending)+len(w.db.queue) >= before {
			break
		}
	}
	var err error
	if n := len(w.pending) + len(w.db.queue); n > 0 {
		w.db.lost.Add(uint64(n))
		err = fmt.Errorf("close history %q: %d events are not stored: %s", w.db.opts.Path, n, w.said)
	}
	w.db.available.Store(false)
	w.db.Reader.use(nil)
	if w.file == nil {
		return err
	}
	return errors.Join(err, w.recovered(func() error { return w.asked(w.end) }))
}

// end closes the database, noting that this was on purpose.
func (w *writer) end() error {
	f := w.file
	w.file = nil
	var err error
	if b, beginErr := f.begin(); beginErr == nil {
		if err = b.alive(w.db.opts.Clock(), true); err == nil {
			err = b.commit()
		}
		b.rollback()
		if err == nil {
			err = f.checkpoint()
		}
	} else {
		err = beginErr
	}
	if isPassing(err) {
		err = nil // it was told when it began; the next start copes
	}
	return errors.Join(err, f.close())
}
