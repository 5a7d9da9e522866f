// SPDX-License-Identifier: MIT

package daemon

import (
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// Clock tells the time.
type Clock interface {
	Now() time.Time
	// Tick returns a channel that gets the time every d, and what ends it.
	Tick(d time.Duration) (ticks <-chan time.Time, stop func())
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) Tick(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(d)
	return t.C, t.Stop
}

func newULID() string { return ulid.Make().String() }

// teller says things, the same thing about the same matter only once. It
// may be used by several goroutines.
type teller struct {
	report func(string)
	now    func() time.Time

	mu    sync.Mutex
	last  map[string]string    // by matter
	since map[string]time.Time // when its trouble began

	slow sync.Once // says that threads could not be hurried
}

func newTeller(report func(string)) *teller {
	return &teller{report: report, now: time.Now, last: make(map[string]string), since: make(map[string]time.Time)}
}

// say reports a line at once.
func (t *teller) say(line string) { t.report(line) }

// trouble reports a line about a matter unless it was the last one about
// it. It returns whether it was new.
func (t *teller) trouble(matter, line string) bool {
	same := t.remember(matter, line)
	if !same {
		t.report(line)
	}
	return !same
}

// again is trouble that is reported each time.
func (t *teller) again(matter, line string) {
	t.remember(matter, line)
	t.report(line)
}

func (t *teller) remember(matter, line string) (same bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, known := t.last[matter]
	if !known {
		t.since[matter] = t.now()
	}
	t.last[matter] = line
	return known && before == line
}

// fine ends the trouble with a matter and reports line if there was any.
func (t *teller) fine(matter, line string) {
	t.mu.Lock()
	_, was := t.last[matter]
	delete(t.last, matter)
	delete(t.since, matter)
	t.mu.Unlock()
	if was && line != "" {
		t.report(line)
	}
}
