// SPDX-License-Identifier: MIT

package measure

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Quantile returns the value below which a share q of values lies, 0.5 for
// the median. There must be at least one value.
func Quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// Markdown writes a table with its columns aligned, the first line the head.
func Markdown(w io.Writer, table [][]string) {
	widths := make([]int, len(table[0]))
	for _, cells := range table {
		for i, cell := range cells {
			widths[i] = max(widths[i], len(cell), 3)
		}
	}
	for n, cells := range table {
		for i, cell := range cells {
			fmt.Fprintf(w, "| %-*s ", widths[i], cell)
		}
		fmt.Fprintln(w, "|")
		if n > 0 {
			continue
		}
		for i := range cells {
			fmt.Fprintf(w, "|%s", strings.Repeat("-", widths[i]+2))
		}
		fmt.Fprintln(w, "|")
	}
}

// Kernel returns the release of the running kernel.
func Kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}
