// SPDX-License-Identifier: MIT

//go:build !race

package history

const raceEnabled = false
