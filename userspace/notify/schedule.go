// SPDX-License-Identifier: MIT

package notify

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// How often files are written while things happen.
const (
	flushEvery  = 2 * time.Second  // the digest; longer for a large one
	flushAgain  = 15 * time.Second // after a write that did not work
	statusEvery = time.Second
)

// reserve is how many of a day's messages digests leave for what is
// urgent, so that a noisy day does not silence a lost protection.
func reserve(perDay int) int { return perDay / 8 }

// step does everything whose time has come and returns when it wants to be
// called again; zero: when something happens. last makes it send alerts
// that would still wait.
func (n *Notifier) step(now time.Time, last bool) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rollDay(now)
	if lost := n.overflow.Swap(0); lost > 0 {
		n.st.Overflow += lost
		n.st.Digest.Overflowed += lost
		n.st.Digest.touch(now)
		n.st.Digest.news(now)
		n.dirty, n.stale = true, true
	}
	var wake wakeup
	wake.at(n.stepAlerts(now, last))
	wake.at(n.stepDigest(now))
	if n.dirty && !now.Before(n.nextFlush) {
		n.flush(now)
	}
	if n.dirty {
		wake.at(n.nextFlush)
	}
	if n.stale && !now.Before(n.nextStatus) {
		n.writeStatusLocked(now)
	}
	if n.stale {
		wake.at(n.nextStatus)
	}
	return wake.first
}

// wakeup is the earliest of several times.
type wakeup struct{ first time.Time }

func (w *wakeup) at(t time.Time) {
	if !t.IsZero() && (w.first.IsZero() || t.Before(w.first)) {
		w.first = t
	}
}

// rollDay starts the count again when the local date changes.
func (n *Notifier) rollDay(now time.Time) {
	if today := day(now, n.o.Location); n.st.Day != today {
		n.st.Day, n.st.SentToday = today, 0
		n.dirty, n.stale = true, true
	}
}

// allowed reports whether the day has a message left.
func (n *Notifier) allowed(urgent bool) bool {
	if urgent {
		return n.st.SentToday < n.o.MaxPerDay
	}
	return n.st.SentToday < n.o.MaxPerDay-reserve(n.o.MaxPerDay)
}

// quotaNote is what the next message must say if it is the last one.
func (n *Notifier) quotaNote() string {
	sent := n.st.SentToday + 1
	switch sent {
	case n.o.MaxPerDay:
		return fmt.Sprintf("This is the last message today (%d of %d a day): what follows is gathered and told after midnight.",
			sent, n.o.MaxPerDay)
	case n.o.MaxPerDay - reserve(n.o.MaxPerDay):
		return fmt.Sprintf("This is the last digest today (%d of %d messages a day): what follows is gathered and told after midnight, "+
			"and the messages that are left are for what is urgent.", sent, n.o.MaxPerDay)
	}
	return ""
}

// stepAlerts sends the alerts that are due, and returns when the next are.
func (n *Notifier) stepAlerts(now time.Time, last bool) time.Time {
	a := n.st.Alerts
	due := a.due()
	// A due time that no rule gives comes from a clock that was set back.
	if due.IsZero() || (due.After(now) && !last && due.Before(now.Add(48*time.Hour))) {
		return due
	}
	if !n.allowed(a.urgent()) {
		a.postpone(midnight(now, n.o.Location))
		n.dirty = true
		return a.due()
	}
	id, err := newID(now)
	if err != nil {
		n.o.Report("notify: " + err.Error())
		return now.Add(flushAgain)
	}
	m, hooks, err := n.compose.alerts(a, n.quotaNote(), now)
	if err != nil {
		n.o.Report("notify: " + err.Error())
	} else {
		n.enqueue(m, hooks)
		n.st.SentToday++
	}
	a.sent(now, id)
	// At once, so that a crash repeats as little as possible.
	n.flush(now)
	return time.Time{}
}

// stepDigest sends the digest when it is due, and returns when that is.
func (n *Notifier) stepDigest(now time.Time) time.Time {
	d := n.st.Digest
	if d.News.IsZero() {
		if d.empty() {
			return time.Time{}
		}
		end := d.Start.Add(n.o.Digest)
		if now.Before(end) && !d.Start.After(now) {
			return end
		}
		// Everything in it was told at once, or is no reason to write.
		n.restartDigest(now)
		return time.Time{}
	}
	if d.News.After(now) {
		d.News = now // the clock was set back
	}
	if due := d.News.Add(n.o.Digest); now.Before(due) {
		return due
	}
	if !n.allowed(false) {
		if !d.Quota {
			d.Quota, n.dirty = true, true
		}
		return midnight(now, n.o.Location)
	}
	m, hook, err := n.compose.digest(d, n.quotaNote(), now)
	if err != nil {
		n.o.Report("notify: " + err.Error())
	} else {
		n.enqueue(m, []Message{hook})
		n.st.SentToday++
	}
	n.restartDigest(now)
	n.flush(now)
	return time.Time{}
}

// restartDigest begins an empty digest.
func (n *Notifier) restartDigest(now time.Time) {
	id, err := newID(now)
	if err != nil {
		n.o.Report("notify: " + err.Error())
		return
	}
	n.st.Digest = newDigest(id)
	n.dirty, n.stale = true, true
}

// enqueue puts a message into the spool of every destination.
func (n *Notifier) enqueue(m Message, hooks []Message) {
	for _, w := range n.workers {
		messages := []Message{m}
		if w.t.form == formWebhook {
			messages = hooks
		}
		for _, m := range messages {
			if err := n.spool.Add(w.t.name, w.t.form.trim(m), n.o.Clock.Now()); err != nil {
				n.o.Report(fmt.Sprintf("notify: %s: %v", w.t.name, err))
			}
		}
	}
	n.stale = true
}

// flush writes the state. The caller holds n.mu.
func (n *Notifier) flush(now time.Time) {
	n.spool.Persist()
	dropped, failed, spoolErr := n.spool.Lost()
	saved := *n.st
	saved.Dropped += dropped
	saved.Failed += failed
	err := writeJSON(filepath.Join(n.o.StateDir, stateFile), &saved)
	n.dirty = err != nil
	n.nextFlush = now.Add(flushEvery + time.Duration(len(n.st.Digest.Tallies)/2000)*time.Second)
	if err != nil {
		n.nextFlush = now.Add(flushAgain)
	}
	problem := ""
	if err = errors.Join(err, spoolErr); err != nil {
		problem = clean(err.Error(), 300)
	}
	if problem != n.stateErr {
		n.stateErr, n.stale = problem, true
		if problem != "" {
			n.o.Report("notify: " + problem)
		}
	}
}

// writeStatus writes the status file.
func (n *Notifier) writeStatus(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.writeStatusLocked(now)
}

func (n *Notifier) writeStatusLocked(now time.Time) {
	n.nextStatus, n.stale = now.Add(statusEvery), false
	if n.o.StateDir == "" {
		return
	}
	if err := writeJSON(filepath.Join(n.o.StateDir, statusFile), n.statusLocked(now)); err != nil {
		n.nextStatus, n.stale = now.Add(flushAgain), true
		if n.stateErr == "" {
			n.stateErr = clean(err.Error(), 300)
			n.o.Report("notify: " + n.stateErr)
		}
	}
}

// Status returns the state of notification now. It is safe for concurrent
// use.
func (n *Notifier) Status() Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.statusLocked(n.o.Clock.Now())
}

func (n *Notifier) statusLocked(now time.Time) Status {
	s := Status{Schema: 1, Time: now, Enabled: n.spool != nil, MaxPerDay: n.o.MaxPerDay, Targets: []TargetStatus{}}
	if n.spool == nil {
		return s
	}
	dropped, failed, _ := n.spool.Lost()
	s.SentToday, s.StateError = n.st.SentToday, n.stateErr
	s.Dropped, s.Failed = n.st.Dropped+dropped, n.st.Failed+failed
	s.Overflow = n.st.Overflow + n.overflow.Load()
	s.PendingSources = len(n.st.Digest.Tallies)
	if !n.st.Digest.News.IsZero() {
		s.NextDigest = n.st.Digest.News.Add(n.o.Digest)
		if n.st.Digest.Quota {
			s.NextDigest = midnight(now, n.o.Location)
		}
	}
	s.Refused = append(s.Refused, n.st.Refused...)
	for _, w := range n.workers {
		t := w.state()
		stats := n.spool.Stats(w.t.name)
		t.Queued, t.Oldest = stats.Queued, stats.Oldest
		s.Targets = append(s.Targets, t)
		s.Queued += stats.Queued
		s.Volatile += stats.Volatile
		if !stats.Oldest.IsZero() && (s.Oldest.IsZero() || stats.Oldest.Before(s.Oldest)) {
			s.Oldest = stats.Oldest
		}
		s.LastSent = latest(s.LastSent, t.LastSent)
		if t.LastError != "" && s.LastError == "" {
			s.LastError = t.Name + ": " + t.LastError
		}
	}
	return s
}
