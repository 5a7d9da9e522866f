// SPDX-License-Identifier: MIT

package config

import "strings"

// unknown is the text for a key that does not exist: it names the nearest
// of the candidates, if one is near.
func unknown(name string, candidates []string) string {
	if best := nearest(name, candidates); best != "" {
		return "unknown key, did you mean " + best + "?"
	}
	return "unknown key"
}

// nearest returns the candidate that the fewest slips separate from name,
// or "". A candidate may be a path; then its last part may match instead,
// so that a key in the wrong section is pointed to the right one.
func nearest(name string, candidates []string) string {
	const longest = 40
	if len(name) > longest {
		return ""
	}
	best, bestDistance := "", 1+len(name)/4
	name = strings.ToLower(strings.ReplaceAll(name, "-", "_"))
	for _, candidate := range candidates {
		last := candidate[strings.LastIndexByte(candidate, '.')+1:]
		d := min(distance(name, candidate), distance(name, last))
		if d < bestDistance || best == "" && d == bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two short strings.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
