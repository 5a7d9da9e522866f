// SPDX-License-Identifier: MIT

package scans

import (
	"fmt"
	"time"

	"denmap/userspace/event"
)

// earlySlack is by how much the kernel's end of a ban and the one told in
// the event may differ: both are converted from the kernel's clock.
const earlySlack = time.Second

// banSlack is by how much two readings of one moment may differ: each is
// converted from the kernel's clock while the wall clock is being adjusted.
const banSlack = 100 * time.Millisecond

// schedule sets when to look at s again.
func (t *Tracker) schedule(s *scan, now time.Time) {
	due := s.heard.Add(t.opts.Quiet)
	if s.banned {
		due = now.Add(t.opts.Poll)
		if until := s.facts.BanUntil; !until.IsZero() && until.Before(due) {
			due = until
		}
	}
	t.open.setDue(s, due)
}

// batch bounds the scans that expire looks at in one go, so that
// detections do not wait for a table full of due scans.
const batch = 256

// expire looks at the scans that are due.
func (t *Tracker) expire(now time.Time) {
	for range batch {
		s := t.open.next()
		if s == nil || s.due.After(now) {
			return
		}
		if s.banned {
			t.checkBan(s, now)
		} else {
			t.checkQuiet(s, now)
		}
	}
}

// checkBan follows a running ban: prolonged, still there, or over.
func (t *Tracker) checkBan(s *scan, now time.Time) {
	until := s.facts.BanUntil
	b, found, err := t.opts.Kernel.Ban(s.ban)
	if err != nil {
		t.count(func(st *Stats) { st.KernelErrors++ })
		// A kernel that cannot be asked ends no ban before its time, and
		// keeps none open for ever.
		if until.IsZero() || now.Before(until.Add(t.opts.Poll)) {
			t.open.setDue(s, now.Add(t.opts.Poll))
			return
		}
		t.end(s, now, ReasonExpired)
		return
	}
	if found {
		s.facts.Dropped = max(s.facts.Dropped, b.Dropped)
		if b.Until.IsZero() || b.Until.After(now) {
			s.facts.BanUntil = b.Until
			t.schedule(s, now)
			return
		}
		until = b.Until
	}
	reason := ReasonRemoved
	if !until.IsZero() && !now.Add(earlySlack).Before(until) {
		reason = ReasonExpired
	}
	t.end(s, now, reason)
}

// checkQuiet ends a scan that the kernel has not heard of either.
func (t *Tracker) checkQuiet(s *scan, now time.Time) {
	before := s.facts.Last
	t.totals(s)
	if s.facts.Last.After(before) {
		s.heard = s.facts.Last
		if s.heard.After(now) {
			s.heard = now
		}
		if s.heard.Add(t.opts.Quiet).After(now) {
			t.schedule(s, now)
			return
		}
	}
	t.end(s, now, "")
}

// totals takes over what the kernel has counted since the last detection.
func (t *Tracker) totals(s *scan) {
	src, found, err := t.opts.Kernel.Source(s.facts.Source)
	if err != nil {
		t.count(func(st *Stats) { st.KernelErrors++ })
		return
	}
	if !found {
		return
	}
	// The entry may be older than the scan: only its newer side counts.
	first := s.facts.First
	if first.IsZero() {
		first = src.First
	}
	s.see(first, src.Last, src.Kinds, src.Distinct, src.Ports)
	if src.Kinds != 0 {
		s.facts.Main = src.Main
	}
	s.seeTool(src.Tool, src.Confidence)
}

// end writes the last lines of a scan and forgets it. unbanned is why its
// ban ended, empty when it had none.
func (t *Tracker) end(s *scan, now time.Time, unbanned string) {
	reason := fmt.Sprintf("quiet for %s", t.opts.Quiet)
	if unbanned != "" {
		t.totals(s)
		t.tell(s, event.SourceUnbanned, now, unbanned)
		reason = "ban ended: " + unbanned
	}
	if !s.manual {
		t.tell(s, event.ScanEnded, now, reason)
	}
	t.forget(s)
}

// overflow makes room by ending the oldest scan. Its ban, if any, goes on.
func (t *Tracker) overflow(now time.Time) {
	s := t.open.oldest()
	if !s.manual {
		t.tell(s, event.ScanEnded, now, ReasonOverflow)
	}
	t.forget(s)
	t.count(func(st *Stats) { st.Overflowed++ })
}

func (t *Tracker) forget(s *scan) {
	t.open.remove(s)
	t.count(func(*Stats) {})
}
