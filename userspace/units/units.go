// SPDX-License-Identifier: MIT

// Package units reads and writes the durations and sizes of the command
// line, the configuration and the list files. It is a leaf: it imports
// nothing of DenMap, keeps no state, and its functions may be called from
// any goroutine.
package units

import (
	"fmt"
	"math"
)

// maxShown bounds how much of a rejected value an error quotes, since the
// value comes from outside and errors are one line.
const maxShown = 64

// clip shortens a value for an error message.
func clip(s string) string {
	if len(s) <= maxShown {
		return s
	}
	return s[:maxShown] + "..."
}

// digits splits the decimal digits off the front of s. It reports false
// when there are none or when they exceed an int64.
func digits(s string) (n int64, rest string, ok bool) {
	i := 0
	for i < len(s) && '0' <= s[i] && s[i] <= '9' {
		d := int64(s[i] - '0')
		if n > (math.MaxInt64-d)/10 {
			return 0, s, false
		}
		n = n*10 + d
		i++
	}
	return n, s[i:], i > 0
}

// expected is the error of a value that is not what the option takes.
func expected(kind, value, want string) error {
	return fmt.Errorf("%s %q: expected %s", kind, clip(value), want)
}
