// SPDX-License-Identifier: MIT

package geo

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"denmap/userspace/event"
)

// maxText bounds names in bytes; the longest real ones have under 100.
const maxText = 128

// tidy makes a Place from a file or from the network fit for a log: a
// country only if its code is real, names without control characters,
// coordinates on this planet.
func tidy(p event.Place) event.Place {
	name := countryName(p.CountryISO)
	switch {
	case name == "":
		p.CountryISO, p.Country = "", ""
	case p.Country == "":
		p.Country = name
	}
	p.Country, p.City, p.ASName = plain(p.Country), plain(p.City), plain(p.ASName)
	if p.ASNumber == 0 {
		p.ASName = ""
	}
	// Written so that NaN fails too.
	if !(math.Abs(p.Latitude) <= 90 && math.Abs(p.Longitude) <= 180) {
		p.HasCoordinates = false
	}
	if !p.HasCoordinates {
		p.Latitude, p.Longitude = 0, 0
	}
	return p
}

func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return strings.TrimSpace(s)
}

// merge adds to p what it lacks and the tidy answer of the database name
// has. A city and coordinates must be in the country that p has already:
// two databases that disagree about the country describe two places.
func merge(p *event.Place, more event.Place, name string) {
	before := *p
	if p.CountryISO == "" {
		p.CountryISO, p.Country = more.CountryISO, more.Country
	}
	if more.CountryISO == "" || more.CountryISO == p.CountryISO {
		if p.City == "" {
			p.City = more.City
		}
		// Coordinates of a city are better than those of its country.
		if more.HasCoordinates && (!p.HasCoordinates || before.City == "" && more.City != "") {
			p.Latitude, p.Longitude, p.HasCoordinates = more.Latitude, more.Longitude, true
		}
	}
	if p.ASNumber == 0 {
		p.ASNumber = more.ASNumber
	}
	if p.ASNumber == more.ASNumber && p.ASName == "" {
		p.ASName = more.ASName
	}
	if *p != before {
		p.Database = join(p.Database, name)
	}
}

func join(names, name string) string {
	if names == "" {
		return name
	}
	return names + ", " + name
}
