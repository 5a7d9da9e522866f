// SPDX-License-Identifier: MIT

package scans

import (
	"time"

	"denmap/userspace/event"
)

type noticeType uint8

const (
	adopted noticeType = iota
	operatorBan
	operatorUnban
	foundBan
)

// notice is what somebody other than the kernel told about a ban.
type notice struct {
	what noticeType
	ban  event.Ban
	id   string
}

// Adopt makes the tracker follow a ban that was running before it
// started, so that its end is logged. id is the ID that the log gave the
// scan; empty starts a new one. Nothing is written now.
func (t *Tracker) Adopt(b event.Ban, id string) { t.notify(notice{adopted, b, id}) }

// Banned tells that an operator banned a source: one source-banned line,
// and the ban is followed until it ends. A ban without an end has a zero
// Until.
func (t *Tracker) Banned(b event.Ban) { t.notify(notice{operatorBan, b, ""}) }

// Found tells of a ban by the kernel that stands in its table for a while:
// where the detection was lost on the way, its source-banned line is
// written now, with what the table knows.
func (t *Tracker) Found(b event.Ban) { t.notify(notice{foundBan, b, ""}) }

// Unbanned tells that an operator lifted a ban. b is the entry as it was;
// only Source is needed. With Since, a ban that was given later goes on. A
// source that is not followed, or whose end was noticed before, gives no
// line.
func (t *Tracker) Unbanned(b event.Ban) { t.notify(notice{operatorUnban, b, ""}) }

// notify never blocks. Beyond MaxOpen waiting notices the newest is
// counted as overflowed; a lifted ban is then found by polling.
func (t *Tracker) notify(n notice) {
	t.mu.Lock()
	if len(t.notices) >= t.opts.MaxOpen {
		t.stats.Overflowed++
	} else {
		t.notices = append(t.notices, n)
	}
	t.mu.Unlock()
	select {
	case t.wake <- struct{}{}:
	default: // one token is enough
	}
}

// takeNotices handles everything that was told since the last call.
func (t *Tracker) takeNotices(now time.Time) {
	t.mu.Lock()
	list := t.notices
	t.notices = nil
	t.mu.Unlock()
	for _, n := range list {
		if n.ban.Source.IsValid() {
			n.ban.Source = canonical(n.ban.Source)
			t.handle(n, now)
		}
	}
}

func (t *Tracker) handle(n notice, now time.Time) {
	s := t.open.find(n.ban.Source)
	if n.what == operatorUnban {
		if s != nil && s.banned && (n.ban.Since.IsZero() || !s.since.After(n.ban.Since.Add(banSlack))) {
			s.facts.Dropped = max(s.facts.Dropped, n.ban.Dropped)
			t.end(s, now, ReasonOperator)
		}
		return
	}
	if n.what == foundBan && s != nil && s.banned {
		return // its detection came
	}
	if s == nil {
		s = t.openScan(n.ban.Source, n.id, now)
		s.manual = n.ban.Grade == event.Manual || n.what == operatorBan
		if !s.manual {
			t.totals(s)
		}
		s.see(n.ban.Since, n.ban.Since, 0, 0, nil)
	}
	s.banned, s.ban, s.since = true, n.ban.Source, n.ban.Since
	f := &s.facts
	f.Enforced, f.BanUntil = true, n.ban.Until
	f.Grade = max(f.Grade, n.ban.Grade)
	f.Dropped = max(f.Dropped, n.ban.Dropped)
	if n.what == foundBan {
		t.tell(s, event.SourceBanned, n.ban.Since, ReasonFound)
	}
	if n.what == operatorBan {
		f.Grade = event.Manual
		reason := ReasonOperator
		if n.ban.Reason != "" {
			reason = n.ban.Reason
		}
		t.tell(s, event.SourceBanned, n.ban.Since, reason)
	}
	t.schedule(s, now)
}
