// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"
)

// text writes one paragraph for each address: what is known, and then what
// each source says.
func (r geoReport) text() string {
	var text strings.Builder
	for i, a := range r.Addresses {
		if i > 0 {
			text.WriteByte('\n')
		}
		fmt.Fprintf(&text, "%s: %s\n", a.Address, printable(a.Place.text()))
		w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		for _, answer := range a.Answers {
			fmt.Fprintf(w, "  %s\t%s\t%s\n", printable(answer.name()), dash(answer.Network), printable(answer.text()))
		}
		// Writing to a strings.Builder cannot fail.
		_ = w.Flush()
	}
	return trimLines(text.String())
}

// name is the database with its age: old ones are often wrong.
func (a geoAnswer) name() string {
	if a.Built.IsZero() {
		return a.Database
	}
	return fmt.Sprintf("%s of %s", a.Database, a.Built.Format(time.DateOnly))
}

func (a geoAnswer) text() string {
	if a.Error != "" {
		return "no answer: " + a.Error
	}
	return a.Place.text()
}

// text is a place in words: "Hannover, Germany (DE), AS64500 Example Net,
// at 52.3706 9.7332".
func (p placeFields) text() string {
	var parts []string
	add := func(s string) {
		if s != "" {
			parts = append(parts, s)
		}
	}
	add(p.City)
	country := p.Country
	if country != "" && p.CountryISO != "" {
		country += " (" + p.CountryISO + ")"
	} else if country == "" {
		country = p.CountryISO
	}
	add(country)
	if p.Special != "" {
		add(p.Special + " address")
	}
	if p.ASNumber != 0 {
		add(strings.TrimRight(fmt.Sprintf("AS%d %s", p.ASNumber, p.ASName), " "))
	} else {
		add(p.ASName)
	}
	if p.Location != nil {
		add(fmt.Sprintf("at %.4f %.4f", p.Location.Lat, p.Location.Lon))
	}
	if len(parts) == 0 {
		return "unknown"
	}
	return strings.Join(parts, ", ")
}
