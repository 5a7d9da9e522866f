// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// worker delivers to one destination.
type worker struct {
	n *Notifier
	t target

	mu      sync.Mutex
	status  TargetStatus
	blocked time.Time // no attempt before: the destination itself failed
}

func newWorker(n *Notifier, t target) *worker {
	return &worker{n: n, t: t, status: TargetStatus{Name: t.name}}
}

// run delivers until ctx ends.
func (w *worker) run(ctx context.Context) {
	wake := w.n.spool.Wake(w.t.name)
	for ctx.Err() == nil {
		now := w.n.o.Clock.Now()
		e, ok, next := w.next(now)
		if ok {
			w.attempt(ctx, e)
			continue
		}
		var timer <-chan time.Time
		if !next.IsZero() {
			timer = w.n.o.Clock.After(max(next.Sub(now), time.Millisecond))
		}
		select {
		case <-ctx.Done():
		case <-wake:
		case <-timer:
		}
	}
}

// next returns what to send now, or when to look again.
func (w *worker) next(now time.Time) (Entry, bool, time.Time) {
	w.mu.Lock()
	blocked := w.blocked
	w.mu.Unlock()
	e, ok, next := w.n.spool.Next(w.t.name, now)
	if (ok || !next.IsZero()) && blocked.After(now) {
		return Entry{}, false, latest(blocked, next)
	}
	return e, ok, next
}

// busy reports whether something is being sent or could be.
func (w *worker) busy() bool {
	_, ok, _ := w.next(w.n.o.Clock.Now())
	w.mu.Lock()
	defer w.mu.Unlock()
	return ok || w.status.Sending
}

func (w *worker) state() TargetStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.status
}

// attempt sends e once and puts the outcome into the spool.
func (w *worker) attempt(ctx context.Context, e Entry) {
	w.update(func(s *TargetStatus) { s.Sending, s.NextAttempt = true, time.Time{} })
	limited, cancel := context.WithTimeout(ctx, w.n.o.AttemptTimeout)
	receipt, err := w.t.sender.Send(limited, e.Message, e.Settled)
	cancel()
	e.Settled = append(e.Settled, receipt.Settled...)
	w.refused(receipt.Refused)
	var spoolErr error
	switch {
	case err == nil:
		spoolErr = w.n.spool.Done(e)
		w.succeeded()
	case ctx.Err() != nil:
		// Told to stop: not the destination's fault, so not counted.
		spoolErr = w.n.spool.Retry(e)
		w.update(func(s *TargetStatus) { s.Sending = false })
	default:
		spoolErr = w.failed(e, err, len(receipt.Settled) > len(receipt.Refused))
	}
	if spoolErr != nil {
		w.n.o.Report(fmt.Sprintf("notify: %s: %v", w.t.name, spoolErr))
	}
}

// failed decides what becomes of an entry after err. served says that
// some recipients have the message nevertheless.
func (w *worker) failed(e Entry, err error, served bool) error {
	now := w.n.o.Clock.Now()
	text := Explain(err)
	e.Attempts++
	e.LastError = text
	scope := scopeOf(err)
	giveUp := scope == ScopePermanent || now.Sub(e.Message.Created) > maxQueueAge
	if !giveUp && scope == ScopeMessage {
		e.NotBefore = now.Add(backoff(e.Attempts, rand.Float64()))
	}
	var spoolErr error
	if giveUp {
		spoolErr = w.n.spool.GiveUp(e)
		w.n.o.Report(fmt.Sprintf("notify: %s: gave up a message: %s", w.t.name, text))
	} else {
		spoolErr = w.n.spool.Retry(e)
	}
	first := false
	w.update(func(s *TargetStatus) {
		s.Sending, s.LastError, s.ErrorTime = false, text, now
		if served {
			s.LastSent = now
		}
		s.NextAttempt = e.NotBefore
		if scope == ScopeTarget {
			s.Failures++
			w.blocked = now.Add(backoff(s.Failures, rand.Float64()))
			s.NextAttempt = w.blocked
		} else {
			s.Failures = 0
		}
		if giveUp {
			s.NextAttempt = w.blocked
		}
		first = s.Failures == 1
	})
	if first {
		w.n.o.Report(fmt.Sprintf("notify: %s: %s; messages wait and are tried again", w.t.name, text))
	}
	return spoolErr
}

func (w *worker) succeeded() {
	failures := 0
	w.update(func(s *TargetStatus) {
		failures = s.Failures
		s.Sending, s.Failures, s.LastError, s.NextAttempt = false, 0, "", time.Time{}
		s.LastSent = w.n.o.Clock.Now()
		w.blocked = time.Time{}
	})
	if failures > 0 {
		w.n.o.Report(fmt.Sprintf("notify: %s: delivers again", w.t.name))
	}
}

// refused records recipients that will never get the message.
func (w *worker) refused(list []Refusal) {
	if len(list) == 0 {
		return
	}
	for _, r := range list {
		w.n.o.Report(fmt.Sprintf("notify: %s: recipient %s is refused: %s", w.t.name, r.Recipient, r.Answer))
	}
	w.n.mu.Lock()
	defer w.n.mu.Unlock()
	all := append(w.n.st.Refused, list...)
	w.n.st.Refused = append([]Refusal(nil), all[max(0, len(all)-maxRefusals):]...)
	w.n.dirty, w.n.stale = true, true
}

// update changes the status and tells Run.
func (w *worker) update(change func(*TargetStatus)) {
	w.mu.Lock()
	change(&w.status)
	w.mu.Unlock()
	select {
	case w.n.changed <- struct{}{}:
	default:
	}
}
