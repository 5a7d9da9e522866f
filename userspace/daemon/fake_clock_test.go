// SPDX-License-Identifier: MIT

package daemon

import (
	"sync"
	"time"
)

// fakeClock stands still until it is advanced.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	ticks map[chan time.Time]bool
}

func newFakeClock() *fakeClock {
	return &fakeClock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), ticks: make(map[chan time.Time]bool)}
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Tick(time.Duration) (<-chan time.Time, func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	c.ticks[ch] = true
	return ch, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.ticks, ch)
	}
}

// tickers returns how many tickers there are: one each for the main loop,
// the network, the lists and the bans.
func (c *fakeClock) tickers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.ticks)
}

// advance moves the clock and makes every ticker tick once.
func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	for ch := range c.ticks {
		select {
		case ch <- c.now:
		default:
		}
	}
}
