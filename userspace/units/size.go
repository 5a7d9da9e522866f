// SPDX-License-Identifier: MIT

package units

import (
	"math"
	"strconv"
	"strings"
)

const sizeHint = "a positive size such as 50MB, 1GB or 512KiB"

// sizeUnits lists the units from large to small; where two name the same
// number of bytes, FormatSize writes the first.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40}, {"TB", 1e12},
	{"GiB", 1 << 30}, {"GB", 1e9},
	{"MiB", 1 << 20}, {"MB", 1e6},
	{"KiB", 1 << 10}, {"KB", 1e3},
	{"B", 1},
}

// ParseSize reads a number of bytes such as "50MB", "1 GB" or "512KiB".
// KB, MB, GB and TB are powers of 1000, KiB, MiB, GiB and TiB powers of
// 1024, B is single bytes; case does not matter, and a space may stand
// before the unit. A number alone is an error, because programs differ in
// what they take it for. The result is at least 1.
func ParseSize(s string) (int64, error) {
	n, rest, ok := digits(s)
	if !ok || n == 0 {
		return 0, expected("size", s, sizeHint)
	}
	rest = strings.TrimPrefix(rest, " ")
	for _, u := range sizeUnits {
		if !strings.EqualFold(rest, u.name) {
			continue
		}
		if n > math.MaxInt64/u.bytes {
			return 0, expected("size", s, "at most "+strconv.FormatInt(math.MaxInt64/(1<<40), 10)+"TiB")
		}
		return n * u.bytes, nil
	}
	if rest == "" {
		return 0, expected("size", s, sizeHint+" (the number has no unit)")
	}
	return 0, expected("size", s, sizeHint)
}

// FormatSize writes a number of bytes exactly, in the largest unit that
// divides it: 50000000 is "50MB", 524288 is "512KiB", 1500 is "1500B".
// ParseSize reads every positive result back to the same number.
func FormatSize(n int64) string {
	best := sizeUnits[len(sizeUnits)-1]
	if n != 0 {
		for _, u := range sizeUnits {
			if n%u.bytes == 0 {
				best = u
				break
			}
		}
	}
	return strconv.FormatInt(n/best.bytes, 10) + best.name
}
