// SPDX-License-Identifier: MIT

package replay

import (
	"slices"
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, row := range map[string]struct{ times, want []time.Duration }{
		"in order":                  {[]time.Duration{0, 5, 9}, []time.Duration{0, 5, 9}},
		"out of order":              {[]time.Duration{0, 5, 3, 9}, []time.Duration{0, 5, 5, 9}},
		"set back":                  {[]time.Duration{time.Hour, time.Hour + 5, 10, 20}, []time.Duration{0, 5, 5, 15}},
		"one from the future":       {[]time.Duration{0, 5, 80 * year, 9, 12}, []time.Duration{0, 5, 5, 9, 12}},
		"one without a time":        {[]time.Duration{50 * year, 50*year + 5, 0, 50*year + 9}, []time.Duration{0, 5, 5, 9}},
		"a second file, years on":   {[]time.Duration{0, 5, year, year + 5}, []time.Duration{0, 5, 5 + longestGap, 10 + longestGap}},
		"a second file, years back": {[]time.Duration{year, year + 5, 0, 5}, []time.Duration{0, 5, 5, 10}},
	} {
		c := clock{at: start.Add(row.times[0])}
		var got []time.Duration
		for i, at := range row.times {
			got = append(got, c.to(start.Add(at), start.Add(row.times[min(i+1, len(row.times)-1)])))
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}
