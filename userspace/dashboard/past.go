// SPDX-License-Identifier: MIT

package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/lists"
)

// spans are the time spans of the page.
var spans = map[history.Span]time.Duration{
	history.Hour: time.Hour, history.Day: 24 * time.Hour, history.Week: 7 * 24 * time.Hour, history.Month: 30 * 24 * time.Hour,
}

// span reads the parameter that all views of the past share.
func (s *Server) span(r *http.Request) (history.Span, history.Range, error) {
	if s.opts.History == nil {
		return "", history.Range{}, &apiError{Status: http.StatusServiceUnavailable, Message: "no history is kept"}
	}
	name := history.Span(r.URL.Query().Get("span"))
	if name == "" {
		name = history.Day
	}
	length, ok := spans[name]
	if !ok {
		return "", history.Range{}, badValue("span", fmt.Errorf("%q: expected hour, day, week or month", name))
	}
	return name, history.Range{Since: s.opts.Now().Add(-length)}, nil
}

// past makes an error of the history one for the page.
func past(err error) error {
	if errors.Is(err, history.ErrUnavailable) {
		return &apiError{Status: http.StatusServiceUnavailable, Message: err.Error(), Hint: "protection goes on without it"}
	}
	if errors.Is(err, history.ErrBadCursor) {
		return badValue("after", err)
	}
	return err
}

// Scan is one stored scan.
type Scan struct {
	ID       string    `json:"id"`
	Source   string    `json:"source"`
	Action   string    `json:"action"`
	First    time.Time `json:"first,omitzero"`
	Last     time.Time `json:"last,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Kinds    []string  `json:"kinds"`
	Tool     string    `json:"tool"`
	Distinct int       `json:"distinct"`
	Probes   uint64    `json:"probes"`
	Dropped  uint64    `json:"dropped"`
	Score    int       `json:"score"`
	Grade    string    `json:"grade"`
	Ports    []uint16  `json:"ports"`
	Until    time.Time `json:"until,omitzero"`
	Place    Place     `json:"place"`
	Iface    string    `json:"interface,omitempty"`
	Reason   string    `json:"reason,omitempty"`
}

func scanOf(h history.Scan) Scan {
	return Scan{
		ID: h.ID, Source: lists.FormatPrefix(h.Source), Action: string(h.Action),
		First: stamp(h.First), Last: stamp(h.Last), Ended: stamp(h.Ended),
		Kinds: h.Kinds.Names(), Tool: h.Tool.String(), Distinct: h.Distinct, Probes: h.Probes, Dropped: h.Dropped,
		Score: h.Score, Grade: h.Grade.String(), Ports: append([]uint16{}, h.Ports...), Until: stamp(h.BanUntil),
		Place: placeOf(h.Place), Iface: h.Interface, Reason: h.Reason,
	}
}

type scansAnswer struct {
	Scans []Scan `json:"scans"`
	Next  string `json:"next,omitempty"` // for the parameter after
}

// scans is "denmap history".
func (s *Server) scans(_ http.ResponseWriter, r *http.Request) (any, error) {
	_, in, err := s.span(r)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	f := history.Filter{Range: in, After: query.Get("after"), Action: history.Action(query.Get("action"))}
	if query.Get("span") == "" {
		f.Range = history.Range{}
	}
	if f.Limit, err = number(query.Get("limit"), 50, maxShown); err != nil {
		return nil, badValue("limit", err)
	}
	if text := query.Get("source"); text != "" {
		if f.Source, err = lists.ParsePrefix(text); err != nil {
			return nil, badValue("source", err)
		}
	}
	if f.Country = strings.ToUpper(query.Get("country")); f.Country != "" && f.Country != history.NoCountry && len(f.Country) != 2 {
		return nil, badValue("country", fmt.Errorf("%q: expected a code of two letters, or - for none", f.Country))
	}
	if name := query.Get("kind"); name != "" {
		kind, ok := event.ParseKind(name)
		if !ok {
			return nil, badValue("kind", fmt.Errorf("%q: expected one of %s", name, strings.Join(event.KindNames(), ", ")))
		}
		f.Kinds = event.Kinds(0).With(kind)
	}
	page, err := s.opts.History.Scans(r.Context(), f)
	if err != nil {
		return nil, past(err)
	}
	answer := scansAnswer{Scans: []Scan{}, Next: page.Next}
	for _, h := range page.Scans {
		answer.Scans = append(answer.Scans, scanOf(h))
	}
	return answer, nil
}

type timelineAnswer struct {
	Span    string       `json:"span"`
	Seconds int          `json:"seconds"` // of a bucket
	Buckets []timeBucket `json:"buckets"`
}

type timeBucket struct {
	Start    time.Time `json:"start"`
	Probes   uint64    `json:"probes"`
	Alerts   uint64    `json:"alerts"`
	Bans     uint64    `json:"bans"`
	WouldBan uint64    `json:"would_ban"`
	Drops    uint64    `json:"drops"`
	Packets  uint64    `json:"packets"`
	Lost     uint64    `json:"lost"`
}

func (s *Server) timeline(_ http.ResponseWriter, r *http.Request) (any, error) {
	span, _, err := s.span(r)
	if err != nil {
		return nil, err
	}
	all, err := s.opts.History.Timeline(r.Context(), span)
	if err != nil {
		return nil, past(err)
	}
	answer := timelineAnswer{Span: string(span), Buckets: []timeBucket{}}
	if len(all) > 1 {
		answer.Seconds = int(all[1].Start.Sub(all[0].Start).Seconds())
	}
	for _, b := range all {
		answer.Buckets = append(answer.Buckets, timeBucket{b.Start.UTC(), b.Probes, b.Scans, b.Bans, b.WouldBan, b.Dropped, b.Passed + b.Dropped, b.Lost})
	}
	return answer, nil
}

// maxPlotted is how many places the map shows one by one; scans of others
// are part of their country.
const maxPlotted = 500

type countriesAnswer struct {
	Countries []countryTotal `json:"countries"`
	Places    []placeTotal   `json:"places"`
}

type countryTotal struct {
	ISO     string `json:"iso,omitempty"`
	Name    string `json:"name,omitempty"`
	Scans   int    `json:"scans"`
	Sources int    `json:"sources"`
	Banned  int    `json:"banned"`
}

// placeTotal is one point on the map.
type placeTotal struct {
	Latitude  float64 `json:"lat"`
	Longitude float64 `json:"lon"`
	ISO       string  `json:"iso,omitempty"`
	City      string  `json:"city,omitempty"`
	Scans     int     `json:"scans"`
	Sources   int     `json:"sources"`
	Banned    int     `json:"banned"`
}

func (s *Server) countries(_ http.ResponseWriter, r *http.Request) (any, error) {
	_, in, err := s.span(r)
	if err != nil {
		return nil, err
	}
	all, err := s.opts.History.Countries(r.Context(), in)
	if err != nil {
		return nil, past(err)
	}
	places, err := s.opts.History.Places(r.Context(), in, maxPlotted)
	if err != nil {
		return nil, past(err)
	}
	answer := countriesAnswer{Countries: []countryTotal{}, Places: []placeTotal{}}
	for _, c := range all {
		answer.Countries = append(answer.Countries, countryTotal{c.ISO, c.Name, c.Scans, c.Sources, c.Banned})
	}
	for _, p := range places {
		answer.Places = append(answer.Places, placeTotal(p))
	}
	return answer, nil
}
