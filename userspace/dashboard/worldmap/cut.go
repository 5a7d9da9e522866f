// SPDX-License-Identifier: MIT

package main

import "math"

// cut splits a ring at the date line, which the map ends at and the data
// does not: Russia and Fiji go across.
func cut(ring []point) [][]point {
	var flat []point // with longitudes that do not jump
	turn, most, least := 0.0, -180.0, 180.0
	for i, p := range ring {
		if i > 0 {
			switch step := p.lon - ring[i-1].lon; {
			case step > 180:
				turn -= 360
			case step < -180:
				turn += 360
			}
		}
		p.lon += turn
		flat = append(flat, p)
		most, least = math.Max(most, p.lon), math.Min(least, p.lon)
	}
	parts := [][]point{clip(clip(flat, -180, 1), 180, -1)}
	if most > 180 {
		parts = append(parts, shift(clip(flat, 180, 1), -360))
	}
	if least < -180 {
		parts = append(parts, shift(clip(flat, -180, -1), 360))
	}
	return parts
}

// clip keeps what lies east (side 1) or west (side -1) of a meridian.
func clip(ring []point, meridian, side float64) []point {
	var out []point
	for i, p := range ring {
		q := ring[(i+1)%len(ring)]
		in, next := (p.lon-meridian)*side >= 0, (q.lon-meridian)*side >= 0
		if in {
			out = append(out, p)
		}
		if in != next {
			f := (meridian - p.lon) / (q.lon - p.lon)
			out = append(out, point{meridian, p.lat + f*(q.lat-p.lat)})
		}
	}
	return out
}

func shift(ring []point, degrees float64) []point {
	for i := range ring {
		ring[i].lon += degrees
	}
	return ring
}
