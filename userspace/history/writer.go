// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"denmap/userspace/event"
)

// writer stores events. All of it belongs to the goroutine of run.
type writer struct {
	db      *DB
	file    *file // nil while the database cannot be opened
	limits  limits
	pending []event.Event

	timer *time.Timer   // when pending is to be stored, or tried again
	retry time.Duration // the next pause; 0 while all is well
	said  string        // the trouble that was told, empty if all is well

	told    uint64 // lost events that a note tells of
	packets packetCounter
	resumed bool // what an earlier daemon left is brought up to date
}

func newWriter(db *DB) *writer {
	w := &writer{db: db, timer: time.NewTimer(0)}
	w.timer.Stop()
	return w
}

func (w *writer) run() {
	defer close(w.db.done)
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	w.packets.since(w.db.opts.Packets)
	for {
		in := w.db.queue
		if len(w.pending) >= batchSize {
			in = nil // what comes waits in the queue
		}
		select {
		case e := <-in:
			w.take(e)
		case <-w.timer.C:
			w.flush()
		case <-tick.C:
			w.tick()
		case order := <-w.db.orders:
			order(w)
		case damage := <-w.db.damaged:
			w.guard(func() error {
				err := damage
				damage = nil // once the database is replaced
				return err
			})
		case <-w.db.quit:
			w.db.closeErr = w.close()
			return
		}
	}
}

// take adds an event to the batch, and stores it when it is full.
func (w *writer) take(e event.Event) {
	w.pending = append(w.pending, e)
	w.db.waiting.Store(int64(len(w.pending)))
	switch {
	case w.retry > 0: // the timer runs already
	case len(w.pending) >= batchSize:
		w.flush()
	case len(w.pending) == 1:
		w.timer.Reset(batchDelay)
	}
}

// drain takes everything that waits. A batch that cannot be stored leaves
// the rest in the queue.
func (w *writer) drain() {
	for len(w.pending) < batchSize {
		select {
		case e := <-w.db.queue:
			w.take(e)
		default:
			return
		}
	}
}

// flush stores the batch, or sees to it that it is tried again.
func (w *writer) flush() {
	w.timer.Stop()
	if w.guard(w.storePending) {
		return
	}
	w.retry = min(max(2*w.retry, firstRetry), lastRetry)
	w.timer.Reset(w.retry)
}

// done forgets the first n events of the batch, which are stored.
func (w *writer) done(n int) {
	rest := copy(w.pending, w.pending[n:])
	clear(w.pending[rest:])
	w.pending = w.pending[:rest]
	w.db.waiting.Store(int64(rest))
}

// guard does work on the database and sorts out how it went: a damaged
// database is replaced and the work done once more. It reports whether it
// worked in the end.
func (w *writer) guard(work func() error) bool {
	err := w.recovered(func() error { return w.asked(work) })
	if isDamage(err) {
		if err = w.recovered(func() error { return w.replace(err) }); err == nil {
			err = w.recovered(work)
		}
	}
	if err != nil {
		w.failed(err)
		return false
	}
	w.worked()
	return true
}

// asked does work if the disk answers.
func (w *writer) asked(work func() error) error {
	if err := w.db.canary.ask(context.Background()); err != nil {
		return err
	}
	return work()
}

// recovered keeps a bug, here or in the database, from ending the daemon.
// The open database is given up then: nothing is known about its state.
func (w *writer) recovered(work func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			abandon(w.file)
			w.file = nil
			err = fmt.Errorf("bug: %v; please report it", r)
		}
	}()
	return work()
}

// abandon closes a database that may hang or panic when it is.
func abandon(f *file) {
	if f == nil {
		return
	}
	go func() {
		defer func() { _ = recover() }()
		_ = f.close()
	}()
}

// failed says what is wrong, once.
func (w *writer) failed(err error) {
	w.db.available.Store(false)
	what := err.Error()
	switch {
	case isFull(err):
		what = "no room on the disk"
	case errors.Is(err, ErrNewerSchema):
	case code(err) != 0:
		what = "write: " + what
	}
	if what == w.said {
		return
	}
	w.said = what
	w.db.opts.Report(fmt.Sprintf("history %q: %s; events wait, protection goes on", w.db.opts.Path, what))
}

// worked says that all is well again, if it was not.
func (w *writer) worked() {
	w.retry = 0
	w.db.available.Store(w.file != nil)
	if w.said == "" {
		return
	}
	w.said = ""
	text := "written again"
	if lost := w.db.lost.Load(); lost > 0 {
		text += fmt.Sprintf("; %d events since the start are not in it", lost)
	}
	w.db.opts.Report(fmt.Sprintf("history %q: %s", w.db.opts.Path, text))
}

// open opens the database, setting a damaged one aside.
func (w *writer) open() error {
	f, err := openFile(w.db.opts.Path)
	if isDamage(err) {
		return w.replace(err)
	}
	if err != nil {
		return err
	}
	return w.use(f)
}

// replace sets the database aside, as damaged, and begins a new one.
func (w *writer) replace(damage error) error {
	w.db.Reader.use(nil)
	select {
	case <-w.db.damaged: // readers of the same database, who have ended now
	default:
	}
	if w.file != nil {
		// Whatever closing says: the file is done with.
		_ = w.file.close()
		w.file = nil
	}
	aside, err := setAside(w.db.opts.Path, w.db.opts.Clock())
	if err != nil {
		return fmt.Errorf("set the damaged database aside: %w", err)
	}
	w.db.opts.Report(fmt.Sprintf("history %q: %v; set aside as %q, a new one is begun", w.db.opts.Path, damage, filepath.Base(aside)))
	f, err := openFile(w.db.opts.Path)
	if err != nil {
		return err
	}
	return w.use(f)
}

func (w *writer) use(f *file) error {
	w.limits = limits{}
	w.file = f
	if err := w.applyBounds(); err != nil {
		return err
	}
	if !w.resumed {
		if err := f.resume(w.db.opts.Clock()); err != nil {
			return err
		}
		w.resumed = true
	}
	r, err := connectReader(w.db.opts.Path)
	if err != nil {
		return err
	}
	w.db.Reader.use(r)
	w.db.available.Store(true)
	return nil
}

// applyBounds puts the present bounds in force.
func (w *writer) applyBounds() error {
	l := limitsOf(w.db.maxSize.Load())
	if l == w.limits {
		return nil
	}
	if err := w.file.restrict(l); err != nil {
		return err
	}
	w.limits = l
	return nil
}
