// SPDX-License-Identifier: MIT

package ipstack

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// settle remembers what came of a request: the answer, or how long to
// leave the service alone. A run of failures is reported once, at its
// start, and so is its end.
func (s *Source) settle(addr netip.Addr, place event.Place, err error) {
	now := s.clock()
	var api *Error
	if errors.As(err, &api) && api.about == theAddress {
		err = nil // the service works; it just will not answer this one
	}
	s.mu.Lock()
	line := ""
	if err == nil {
		if s.failures > 0 {
			line = "ipstack: answers again"
		}
		s.failures, s.cause, s.until = 0, nil, time.Time{}
		s.remember(unit(addr), place, now)
	} else {
		pause := pauseFor(err, s.failures)
		if s.failures == 0 || differs(err, s.cause) {
			line = fmt.Sprintf("%v; not asked again for %v", err, pause)
			if pause == forever {
				line = fmt.Sprintf("%v; not asked again until the next reload", err)
			}
		}
		s.failures++
		s.cause, s.until = err, now.Add(pause)
	}
	s.mu.Unlock()
	if line != "" {
		s.report(line)
	}
}

// Resume ends a pause, for when the administrator has looked into it.
func (s *Source) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures, s.cause, s.until = 0, nil, time.Time{}
}

// remember keeps an answer; the caller holds the lock. When the memory is
// full some other answers go, whichever the map gives first: they can be
// asked for again.
func (s *Source) remember(key netip.Addr, place event.Place, now time.Time) {
	for old := range s.answers {
		if len(s.answers) < maxAnswers {
			break
		}
		delete(s.answers, old)
	}
	ttl := answerTTL
	if place == (event.Place{}) {
		ttl = nothingTTL
	}
	s.answers[key] = answer{place, now.Add(ttl)}
}

// Pauses grow from first to most, doubling with each failure in a row.
const forever = 100 * 365 * 24 * time.Hour

var pauses = map[subject]struct{ first, most time.Duration }{
	theService: {30 * time.Second, time.Hour},
	theRate:    {time.Minute, time.Hour},
	theQuota:   {time.Hour, 24 * time.Hour},
	theKey:     {forever, forever}, // only the administrator can mend it
}

func pauseFor(err error, failures int) time.Duration {
	about, least := theService, time.Duration(0)
	var api *Error
	if errors.As(err, &api) {
		about, least = api.about, min(api.retryAfter, 24*time.Hour)
	}
	p := pauses[about]
	pause := p.first
	for ; failures > 0 && pause < p.most; failures-- {
		pause *= 2
	}
	return max(min(pause, p.most), least)
}

// differs says whether err is news compared with what was reported last.
func differs(err, last error) bool {
	var a, b *Error
	isA, isB := errors.As(err, &a), errors.As(last, &b)
	if isA != isB {
		return true
	}
	return isA && a.about != b.about
}
