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

	mu   sync.Mutex
	last map[string]string // by matter
}

func newTeller(report func(string)) *teller {
	return &teller{report: report, last: make(map[string]string)}
}

// say reports a line at once.
func (t *teller) say(line string) { t.report(line) }

// trouble reports a line about a matter unless it was the last one about
// it. It returns whether it was new.
func (t *teller) trouble(matter, line string) bool {
	t.mu.Lock()
	same := t.last[matter] == line
	t.last[matter] = line
	t.mu.Unlock()
	if !same {
		t.report(line)
	}
	return !same
}

// fine ends the trouble with a matter and reports line if there was any.
func (t *teller) fine(matter, line string) {
	t.mu.Lock()
	_, was := t.last[matter]
	delete(t.last, matter)
	t.mu.Unlock()
	if was && line != "" {
		t.report(line)
	}
}
