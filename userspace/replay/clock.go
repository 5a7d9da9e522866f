// SPDX-License-Identifier: MIT

package replay

import "time"

// clock makes a time that never goes back of the times in a capture.
type clock struct {
	now time.Duration // since the first packet
	at  time.Time     // of the capture, at now
}

const (
	// disorder is how far captures of several queues are out of order; what
	// goes back further has its clock set, or is another capture.
	disorder = time.Minute
	// longestGap is more than anything is remembered for, and keeps damaged
	// times within the program's 34 years.
	longestGap = 30 * 24 * time.Hour
)

// to moves the clock to the time of a packet, which next follows, and
// returns what it shows. A packet that is alone with a time far from its
// neighbours' is taken for one of theirs.
func (c *clock) to(t, next time.Time) time.Duration {
	step := t.Sub(c.at)
	if (step < -disorder || step > longestGap) && next.Sub(c.at).Abs() < next.Sub(t).Abs() {
		return c.now
	}
	switch {
	case step < -disorder:
		c.at = t
	case step > 0:
		c.now += min(step, longestGap)
		c.at = t
	}
	return c.now
}
