// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// area is one country: polygons of rings of longitude and latitude.
type area struct {
	id       string
	polygons [][][]point
}

type point struct{ lon, lat float64 }

// topology is as much of TopoJSON as world-atlas uses: quantized arcs that
// are given as differences.
type topology struct {
	Transform struct {
		Scale, Translate [2]float64
	}
	Arcs    [][][2]int
	Objects struct {
		Countries struct {
			Geometries []struct {
				ID   string
				Type string
				Arcs json.RawMessage
			}
		}
	}
}

func readTopology(file string) ([]area, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var t topology
	if err := json.Unmarshal(data, &t); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	arcs := t.decode()
	var areas []area
	for _, g := range t.Objects.Countries.Geometries {
		var polygons [][][]int
		switch g.Type {
		case "Polygon":
			polygons = make([][][]int, 1)
			err = json.Unmarshal(g.Arcs, &polygons[0])
		case "MultiPolygon":
			err = json.Unmarshal(g.Arcs, &polygons)
		default:
			err = fmt.Errorf("geometry %q", g.Type)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: country %q: %w", file, g.ID, err)
		}
		a := area{id: g.ID}
		for _, rings := range polygons {
			var polygon [][]point
			for _, ring := range rings {
				polygon = append(polygon, join(arcs, ring))
			}
			a.polygons = append(a.polygons, polygon)
		}
		areas = append(areas, a)
	}
	return areas, nil
}

func (t *topology) decode() [][]point {
	arcs := make([][]point, len(t.Arcs))
	for i, arc := range t.Arcs {
		x, y := 0, 0
		for _, step := range arc {
			x, y = x+step[0], y+step[1]
			arcs[i] = append(arcs[i], point{
				float64(x)*t.Transform.Scale[0] + t.Transform.Translate[0],
				float64(y)*t.Transform.Scale[1] + t.Transform.Translate[1],
			})
		}
	}
	return arcs
}

// join makes one ring of arcs; ^i is arc i backwards. Each begins where the
// one before it ended.
func join(arcs [][]point, ring []int) []point {
	var out []point
	for _, i := range ring {
		arc := arcs[max(i, ^i)]
		for k := range arc {
			p := arc[k]
			if i < 0 {
				p = arc[len(arc)-1-k]
			}
			if k > 0 || len(out) == 0 {
				out = append(out, p)
			}
		}
	}
	return out
}
