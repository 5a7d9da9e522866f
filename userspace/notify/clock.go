// SPDX-License-Identifier: MIT

package notify

import "time"

// Clock is the time as the notifier sees it. It must be safe for
// concurrent use.
type Clock interface {
	Now() time.Time
	// After sends the time once, when d has passed.
	After(d time.Duration) <-chan time.Time
}

// systemClock is the Clock of a running daemon.
type systemClock struct{}

func (systemClock) Now() time.Time                         { return time.Now() }
func (systemClock) After(d time.Duration) <-chan time.Time { return time.After(d) }
