// SPDX-License-Identifier: MIT

package notify

import "time"

// The bounds of the time between two attempts.
const (
	firstRetry = 15 * time.Second
	lastRetry  = 30 * time.Minute
)

// backoff returns how long to wait after the given number of failures in a
// row (from 1): twice as long each time, up to lastRetry, and up to a
// quarter more or less so that many hosts do not knock at the same moment.
// random is in [0, 1).
func backoff(failures int, random float64) time.Duration {
	d := firstRetry
	for i := 1; i < failures && d < lastRetry; i++ {
		d *= 2
	}
	d = min(d, lastRetry)
	return d*3/4 + time.Duration(random*float64(d/2))
}
