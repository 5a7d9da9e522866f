// SPDX-License-Identifier: MIT

package geo

import (
	_ "embed"
	"strings"
)

// countries has, after an empty line, one line a country: the ISO 3166-1
// code, a space and the short English name; EU and XK, which databases
// use too, beside them.
// These 4 KB serve databases that know only codes; golang.org/x/text has
// the names as well, and adds 2.7 MB to the binary.
//
//go:embed countries.txt
var countries string

// countryName returns the English name for an ISO 3166-1 code, or "".
// Placeholders such as ZZ are no countries.
func countryName(code string) string {
	if len(code) != 2 {
		return ""
	}
	_, rest, found := strings.Cut(countries, "\n"+code+" ")
	if !found {
		return ""
	}
	name, _, _ := strings.Cut(rest, "\n")
	return name
}
