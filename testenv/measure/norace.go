// SPDX-License-Identifier: MIT

//go:build !race

package measure

// Race says whether the race detector is compiled in: it makes everything
// several times as slow.
const Race = false
