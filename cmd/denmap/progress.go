// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"time"
)

// progressEvery is how often a line on a terminal is rewritten.
const progressEvery = 100 * time.Millisecond

// progress returns a function that shows how far some work is, on a line
// of the terminal that it rewrites, or nil where nobody watches. total is
// 0 if it is not known; the line is wiped when done reaches it.
func (e *environment) progress(what string) func(done, total int) {
	if !e.Progress {
		return nil
	}
	var last time.Time
	return func(done, total int) {
		switch now := e.Now(); {
		case done == total:
			fmt.Fprint(e.Stderr, "\r\x1b[K")
		case now.Sub(last) < progressEvery:
		case total == 0:
			last = now
			fmt.Fprintf(e.Stderr, "\rdenmap: %s %d", what, done)
		default:
			last = now
			fmt.Fprintf(e.Stderr, "\rdenmap: %s %d of %d", what, done, total)
		}
	}
}
