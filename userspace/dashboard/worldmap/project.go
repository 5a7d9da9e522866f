// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"math"
	"strings"
)

// The picture: Equal Earth (Savric, Patterson and Jenny, 2018), which keeps
// areas, so that large countries in the north do not look like more than
// they are. It is cut off north of 84 and south of 57 degrees.
const (
	width  = 2000
	height = 874
	north  = 84.0

	a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
)

func equalEarth(p point) (x, y float64) {
	m := math.Sqrt(3) / 2
	t := math.Asin(m * math.Sin(p.lat*math.Pi/180))
	t2 := t * t
	t6 := t2 * t2 * t2
	x = p.lon * math.Pi / 180 * math.Cos(t) / (m * (a1 + 3*a2*t2 + t6*(7*a3+9*a4*t2)))
	return x, t * (a1 + a2*t2 + t6*(a3+a4*t2))
}

// project returns where on the picture p is.
func project(p point) [2]int {
	right, _ := equalEarth(point{180, 0})
	_, top := equalEarth(point{0, north})
	x, y := equalEarth(p)
	scale := width / 2 / right
	return [2]int{int(math.Round(width/2 + x*scale)), int(math.Round((top - y) * scale))}
}

// path writes polygons as SVG path data, in whole units and relative to the
// point before, which is shortest.
func path(polygons [][][]point) string {
	var b strings.Builder
	for _, polygon := range polygons {
		for _, ring := range polygon {
			for _, part := range cut(ring) {
				outline(&b, part)
			}
		}
	}
	return b.String()
}

// outline writes one ring, unless it is smaller than a unit.
func outline(b *strings.Builder, ring []point) {
	var at [2]int
	var steps [][2]int
	for i, p := range ring {
		next := project(p)
		if i == 0 {
			steps = append(steps, next)
		} else if next != at {
			steps = append(steps, [2]int{next[0] - at[0], next[1] - at[1]})
		}
		at = next
	}
	if len(steps) < 3 {
		return
	}
	for i, s := range steps {
		switch i {
		case 0:
			fmt.Fprintf(b, "M%d %d", s[0], s[1])
		case 1:
			fmt.Fprintf(b, "l%d", s[0])
			number(b, s[1])
		default:
			number(b, s[0])
			number(b, s[1])
		}
	}
	b.WriteByte('z')
}

// number needs a space before it unless it has a sign.
func number(b *strings.Builder, n int) {
	if n >= 0 {
		b.WriteByte(' ')
	}
	fmt.Fprintf(b, "%d", n)
}

// middle returns the centre of gravity of the largest polygon: for France
// that is not between Europe and Guiana.
func middle(polygons [][][]point) point {
	var best point
	largest := -1.0
	for _, polygon := range polygons {
		if len(polygon) == 0 || len(polygon[0]) == 0 {
			continue
		}
		for _, part := range cut(polygon[0]) {
			if c, size := centroid(part); size > largest {
				best, largest = c, size
			}
		}
	}
	return best
}

func centroid(ring []point) (point, float64) {
	var x, y, sum float64
	for i, p := range ring {
		q := ring[(i+1)%len(ring)]
		cross := p.lon*q.lat - q.lon*p.lat
		x += (p.lon + q.lon) * cross
		y += (p.lat + q.lat) * cross
		sum += cross
	}
	if sum == 0 {
		return point{}, -2 // nothing
	}
	return point{x / (3 * sum), y / (3 * sum)}, math.Abs(sum)
}
