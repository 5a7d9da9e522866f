// SPDX-License-Identifier: MIT

package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/lists"
)

func (e *environment) historyTable(ctx context.Context, r *history.Reader, f history.Filter, last int) error {
	scans, more, err := lastScans(ctx, r, f, last)
	if err != nil {
		return err
	}
	gaps, err := historyGaps(ctx, r, f.Range)
	if err != nil {
		return err
	}
	if len(scans) == 0 {
		e.say("no scan fits")
		e.sayGaps(gaps)
		return nil
	}
	rows := make([][]string, len(scans))
	for i, s := range scans {
		rows[i] = []string{
			e.clock(s.Last), lists.FormatPrefix(s.Source), dash(cmp.Or(s.Place.CountryISO, s.Place.Special)),
			dash(strings.Join(s.Kinds.Names(), ",")), toolWord(s.Tool), strconv.Itoa(s.Score), scanOutcome(s), portSample(s.Distinct, s.Ports),
		}
	}
	if err := e.writeTable([]string{"LAST", "SOURCE", "PLACE", "SCAN", "TOOL", "SCORE", "ACTION", "PORTS"}, rows); err != nil {
		return err
	}
	if more {
		e.say("the last %d; there are more: -n, --since, --csv", len(scans))
	}
	e.sayGaps(gaps)
	return nil
}

// sayGaps tells what the history cannot know.
func (e *environment) sayGaps(gaps []history.Note) {
	var lost uint64
	for _, g := range gaps {
		if g.Lost != nil {
			lost += g.Lost.Count
			continue
		}
		e.say("no daemon from %s to %s (%s)", e.clock(g.Time), e.clock(g.End), g.Reason)
	}
	if lost > 0 {
		e.say("%d events were lost", lost)
	}
}

// scanOutcome says what was done about a scan, and how sure its address is.
func scanOutcome(s history.Scan) string {
	if s.Action == history.Detected {
		return string(s.Action)
	}
	return string(s.Action) + " (" + s.Grade.String() + ")"
}

// scanDocument is one scan in JSON. Times are of the host's clock; a scan
// without "ended" goes on, as far as is known.
type scanDocument struct {
	ID          string         `json:"id"` // event.id of the log
	Source      string         `json:"source"`
	First       time.Time      `json:"first"`
	Last        time.Time      `json:"last"`
	Ended       time.Time      `json:"ended,omitzero"`
	Action      history.Action `json:"action"`
	Enforced    bool           `json:"enforced"`
	Reason      string         `json:"reason,omitempty"`
	Grade       string         `json:"grade"`
	BanUntil    time.Time      `json:"ban_until,omitzero"`
	Scan        []string       `json:"scan"`
	Tool        string         `json:"tool"`
	Confidence  string         `json:"tool_confidence"`
	Transport   string         `json:"transport,omitempty"` // missing: mixed
	Score       int            `json:"score"`
	Threshold   int            `json:"threshold"`
	Probes      uint64         `json:"probes"`
	Dropped     uint64         `json:"dropped"`
	Distinct    int            `json:"distinct"`
	Ports       []uint16       `json:"ports"` // a sample
	Destination string         `json:"destination,omitempty"`
	Interface   string         `json:"interface,omitempty"`
	Protected   bool           `json:"protected,omitempty"`
	Watched     bool           `json:"watched,omitempty"`
	Place       *placeDocument `json:"place,omitempty"`
	Group       *groupDocument `json:"group,omitempty"`
}

// groupDocument is several sources that sent the same probes: at most one
// of them is the scanner.
type groupDocument struct {
	ID      string   `json:"id"`
	Size    int      `json:"size"`
	Sources []string `json:"sources"` // the first ones
	Proven  []string `json:"proven"`
}

func newGroupDocument(g event.Group) *groupDocument {
	d := groupDocument{ID: g.ID, Size: g.Size, Sources: []string{}, Proven: []string{}}
	for _, p := range g.Sources {
		d.Sources = append(d.Sources, lists.FormatPrefix(p))
	}
	for _, p := range g.Proven {
		d.Proven = append(d.Proven, lists.FormatPrefix(p))
	}
	return &d
}

type placeDocument struct {
	CountryISO string   `json:"country_iso_code,omitempty"`
	Country    string   `json:"country_name,omitempty"`
	City       string   `json:"city_name,omitempty"`
	Latitude   *float64 `json:"latitude,omitempty"`
	Longitude  *float64 `json:"longitude,omitempty"`
	ASNumber   uint32   `json:"as_number,omitempty"`
	ASName     string   `json:"as_organization,omitempty"`
	Special    string   `json:"special,omitempty"` // "private" and the like, instead of a country
}

func newScanDocument(s history.Scan) scanDocument {
	d := scanDocument{
		ID: s.ID, Source: lists.FormatPrefix(s.Source), First: s.First, Last: s.Last, Ended: s.Ended,
		Action: s.Action, Enforced: s.Enforced, Reason: s.Reason, Grade: s.Grade.String(), BanUntil: s.BanUntil,
		Scan: s.Kinds.Names(), Tool: s.Tool.String(), Confidence: s.Confidence.String(), Transport: s.Transport,
		Score: s.Score, Threshold: s.Threshold, Probes: s.Probes, Dropped: s.Dropped, Distinct: s.Distinct,
		Ports: append([]uint16{}, s.Ports...), Interface: s.Interface, Protected: s.Protected, Watched: s.Watched,
	}
	if s.Destination.IsValid() {
		d.Destination = s.Destination.String()
	}
	if s.Place != (event.Place{}) {
		p := placeDocument{
			CountryISO: s.Place.CountryISO, Country: s.Place.Country, City: s.Place.City,
			ASNumber: s.Place.ASNumber, ASName: s.Place.ASName, Special: s.Place.Special,
		}
		if s.Place.HasCoordinates {
			p.Latitude, p.Longitude = &s.Place.Latitude, &s.Place.Longitude
		}
		d.Place = &p
	}
	if s.Group != nil {
		d.Group = newGroupDocument(*s.Group)
	}
	return d
}

// gapDocument is a time without a daemon, or events that were lost.
type gapDocument struct {
	What   event.Action `json:"what"` // "daemon-down" or "events-lost"
	From   time.Time    `json:"from"`
	To     time.Time    `json:"to,omitzero"`
	Stage  string       `json:"stage,omitempty"` // where events got lost
	Count  uint64       `json:"count,omitempty"` // of them
	Reason string       `json:"reason,omitempty"`
}

func newGapDocument(n history.Note) gapDocument {
	d := gapDocument{What: n.Action, From: n.Time, To: n.End, Reason: n.Reason}
	if n.Lost != nil {
		d.Stage, d.Count = n.Lost.Stage, n.Lost.Count
	}
	return d
}

// historyJSON writes one document, scan by scan: there may be millions.
func (e *environment) historyJSON(scans scanSource, gaps []history.Note) error {
	documents := make([]gapDocument, len(gaps))
	for i, g := range gaps {
		documents[i] = newGapDocument(g)
	}
	end, err := json.MarshalIndent(documents, "  ", "  ")
	if err != nil {
		return err
	}
	if err := e.writeText(fmt.Sprintf("{\n  \"schema\": %d,\n  \"scans\": [", schema)); err != nil {
		return err
	}
	between := "\n    "
	err = scans(func(s history.Scan) error {
		text, err := json.MarshalIndent(newScanDocument(s), "    ", "  ")
		if err != nil {
			return err
		}
		err = e.writeText(between + string(text))
		between = ",\n    "
		return err
	})
	if err != nil {
		return err
	}
	closing := "],\n  \"gaps\": " + string(end) + "\n}\n"
	if between == ",\n    " {
		closing = "\n  " + closing
	}
	return e.writeText(closing)
}

func (e *environment) historyCSV(scans scanSource) error {
	w := csv.NewWriter(e.Stdout)
	head := []string{
		"id", "first", "last", "ended", "source", "country", "city", "as_number", "as_organization",
		"scan", "tool", "score", "probes", "dropped", "distinct", "ports", "action", "enforced", "grade", "ban_until", "interface", "reason",
	}
	if err := w.Write(head); err != nil {
		return err
	}
	err := scans(func(s history.Scan) error {
		var ports []string
		for _, p := range s.Ports {
			ports = append(ports, strconv.Itoa(int(p)))
		}
		return w.Write([]string{
			csvText(s.ID), csvTime(s.First), csvTime(s.Last), csvTime(s.Ended), lists.FormatPrefix(s.Source),
			csvText(s.Place.CountryISO), csvText(s.Place.City), strconv.FormatUint(uint64(s.Place.ASNumber), 10), csvText(s.Place.ASName),
			strings.Join(s.Kinds.Names(), " "), s.Tool.String(), strconv.Itoa(s.Score), strconv.FormatUint(s.Probes, 10),
			strconv.FormatUint(s.Dropped, 10), strconv.Itoa(s.Distinct), strings.Join(ports, " "), string(s.Action),
			strconv.FormatBool(s.Enforced), s.Grade.String(), csvTime(s.BanUntil), csvText(s.Interface), csvText(s.Reason),
		})
	})
	w.Flush()
	if err != nil {
		return err
	}
	return w.Error()
}

// csvText keeps a text that others wrote from being a formula to the
// program that opens the table.
func csvText(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
