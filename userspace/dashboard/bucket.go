// SPDX-License-Identifier: MIT

package dashboard

import (
	"sync"
	"time"
)

// Wrong tokens: a burst, then one in a while. Right ones are not counted,
// or any local user could lock the administrator out with wrong ones, and
// nobody guesses 256 bits.
const (
	signInBurst = 10
	signInEvery = 6 * time.Second
)

// bucket limits how often something happens.
type bucket struct {
	now   func() time.Time
	size  float64
	every time.Duration

	mu   sync.Mutex
	left float64
	at   time.Time
}

func newBucket(now func() time.Time, size int, every time.Duration) *bucket {
	return &bucket{now: now, size: float64(size), every: every, left: float64(size), at: now()}
}

// take reports whether it may happen once more, and if not, when.
func (b *bucket) take() (ok bool, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	b.left = min(b.size, b.left+max(0, float64(now.Sub(b.at))/float64(b.every)))
	b.at = now
	if b.left < 1 {
		return false, time.Duration((1 - b.left) * float64(b.every))
	}
	b.left--
	return true, 0
}
