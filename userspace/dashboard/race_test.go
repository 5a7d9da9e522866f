// SPDX-License-Identifier: MIT

//go:build race

package dashboard

const raceEnabled = true
