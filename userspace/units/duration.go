// SPDX-License-Identifier: MIT

package units

import (
	"strconv"
	"strings"
	"time"
)

// Longer units that package time does not name. A day is always 24 hours:
// bans and retention are lengths, not calendar dates.
const (
	Day  = 24 * time.Hour
	Week = 7 * Day
)

// MaxDuration is the longest duration that ParseDuration takes, a little
// under 100 years. The bound keeps "now plus duration" inside what 64-bit
// nanoseconds since 1970 can hold, which the kernel side and JSON readers
// count in.
const MaxDuration = 36500 * Day

const durationHint = "a positive time in s, m, h, d or w, such as 90s, 8h or 1d12h"

// durationUnits is ordered from long to short, the only order in which a
// duration may name them.
var durationUnits = []struct {
	letter byte
	length time.Duration
}{
	{'w', Week}, {'d', Day}, {'h', time.Hour}, {'m', time.Minute}, {'s', time.Second},
}

// ParseDuration reads a duration such as "90s", "8h", "1d12h" or "2w":
// whole numbers, each followed by one of s, m, h, d and w, every unit at
// most once and the longest first, so that a slip such as "1h1h" or
// "30m8h" is caught. The result is between one second and MaxDuration;
// anything else is an error of one line that names the value.
func ParseDuration(s string) (time.Duration, error) {
	var total time.Duration
	rest, unit := s, 0
	for rest != "" {
		n, after, ok := digits(rest)
		if !ok {
			return 0, expected("duration", s, durationHint)
		}
		if after == "" {
			return 0, expected("duration", s, durationHint+" (the number has no unit)")
		}
		for unit < len(durationUnits) && durationUnits[unit].letter != after[0] {
			unit++
		}
		if unit == len(durationUnits) {
			if strings.IndexByte("wdhms", after[0]) >= 0 {
				return 0, expected("duration", s, "each unit once and the longest first, such as 1d12h")
			}
			return 0, expected("duration", s, durationHint)
		}
		length := durationUnits[unit].length
		if n > int64((MaxDuration-total)/length) {
			return 0, expected("duration", s, "at most "+FormatDuration(MaxDuration))
		}
		total += time.Duration(n) * length
		rest, unit = after[1:], unit+1
	}
	if total == 0 {
		return 0, expected("duration", s, durationHint)
	}
	return total, nil
}

// FormatDuration writes d in days, hours, minutes and seconds, leaving out
// what is zero: "10m", "1d12h", "90d", and "0s" for zero. It rounds to
// whole seconds. ParseDuration reads every positive result back.
func FormatDuration(d time.Duration) string {
	d = d.Round(time.Second)
	if d == 0 {
		return "0s"
	}
	var b []byte
	// The smallest int64 has no positive counterpart; unsigned it has.
	left := uint64(d)
	if d < 0 {
		b = append(b, '-')
		left = -left
	}
	for _, u := range durationUnits[1:] {
		if n := left / uint64(u.length); n > 0 {
			b = append(strconv.AppendUint(b, n, 10), u.letter)
			left %= uint64(u.length)
		}
	}
	return string(b)
}
