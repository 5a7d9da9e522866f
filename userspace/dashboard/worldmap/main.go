// SPDX-License-Identifier: MIT

// Command worldmap reduces the country shapes of the npm package
// world-atlas (Natural Earth, public domain) to the world.json that the
// page draws: small enough to be embedded, projected already.
//
//	worldmap -shapes countries-110m.json -points countries-10m.json -names countries.txt -o world.json
//
// See refresh.sh, which fetches the package and calls it.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// maxOutput is the most that the map may add to the binary.
const maxOutput = 100_000

func main() {
	shapes := flag.String("shapes", "", "TopoJSON `FILE` with the shapes to draw")
	points := flag.String("points", "", "finer TopoJSON `FILE`, for the middle of small countries")
	names := flag.String("names", "", "`FILE` with one ISO 3166-1 code and name a line")
	out := flag.String("o", "", "`FILE` to write")
	flag.Parse()
	if err := run(*shapes, *points, *names, *out); err != nil {
		fmt.Fprintln(os.Stderr, "worldmap:", err)
		os.Exit(1)
	}
}

// world is the file that the page reads. assets/map.js has the same
// projection, to place coordinates on it.
type world struct {
	Width     int                `json:"width"`
	Height    int                `json:"height"`
	Shapes    map[string]string  `json:"shapes"`    // SVG paths, by ISO code; "-" for what has none
	Countries map[string]country `json:"countries"` // by ISO code
}

type country struct {
	Name string  `json:"name"`
	At   *[2]int `json:"at,omitempty"` // where its circle goes; missing if it is on no map
}

func run(shapesFile, pointsFile, namesFile, out string) error {
	countries, codes, err := readNames(namesFile)
	if err != nil {
		return err
	}
	shapes, err := readTopology(shapesFile)
	if err != nil {
		return err
	}
	fine, err := readTopology(pointsFile)
	if err != nil {
		return err
	}
	w := world{Width: width, Height: height, Shapes: map[string]string{}, Countries: countries}
	for _, area := range shapes {
		code := codes[area.id]
		if code == "AQ" {
			continue // nobody scans from there, and it is a third of the height
		}
		if code == "" {
			code = "-"
		}
		w.Shapes[code] += path(area.polygons)
	}
	for _, area := range slices.Concat(fine, shapes) {
		code := codes[area.id]
		c, known := countries[code]
		if !known || c.At != nil {
			continue
		}
		at := project(middle(area.polygons))
		c.At = &at
		countries[code] = c
	}
	data, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if len(data) > maxOutput {
		return fmt.Errorf("the map is %d bytes, more than %d", len(data), maxOutput)
	}
	return os.WriteFile(out, append(data, '\n'), 0o644)
}

// readNames returns the countries by ISO code, and the ISO codes by the
// UN's numbers, which the shapes are labelled with.
func readNames(file string) (map[string]country, map[string]string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, err
	}
	countries, codes := map[string]country{}, map[string]string{}
	for line := range strings.Lines(string(bytes.TrimSpace(data))) {
		code, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || len(code) != 2 {
			return nil, nil, fmt.Errorf("%s: bad line %q", file, line)
		}
		countries[code] = country{Name: name}
		if region, err := language.ParseRegion(code); err == nil && region.M49() != 0 {
			codes[fmt.Sprintf("%03d", region.M49())] = code
		}
	}
	return countries, codes, nil
}
