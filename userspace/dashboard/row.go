// SPDX-License-Identifier: MIT

package dashboard

import (
	"net/netip"
	"slices"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/lists"
)

// State is what is being done about a source.
type State string

// The states of a Row.
const (
	StateBanned    State = "banned"
	StateWouldBan  State = "would-ban" // only reported: monitor mode
	StateWatched   State = "watched"   // on the allow list with "watch"
	StateProtected State = "protected" // an address that must not be lost
	StateAlerted   State = "alerted"   // above the alert score
	StateScored    State = "scored"    // below it
	StateEnded     State = "ended"     // its ban or scan is over
)

// Row is one source of the live table.
type Row struct {
	Source      string    `json:"source"` // address, or IPv6 network
	State       State     `json:"state"`
	First       time.Time `json:"first,omitzero"`
	Last        time.Time `json:"last,omitzero"`
	Kinds       []string  `json:"kinds"`
	Tool        string    `json:"tool"`
	Confidence  string    `json:"confidence,omitempty"`
	Distinct    int       `json:"distinct"`
	Ports       []uint16  `json:"ports"`
	Rate        float64   `json:"rate"` // packets a second that counted or were dropped
	Score       int       `json:"score"`
	UDPScore    int       `json:"udp_score"`
	Grade       string    `json:"grade,omitempty"`
	Until       time.Time `json:"until,omitzero"` // of the ban; missing: no end
	Dropped     uint64    `json:"dropped"`
	Reason      string    `json:"reason,omitempty"`
	Place       Place     `json:"place"`
	Interface   string    `json:"interface,omitempty"`
	Destination string    `json:"destination,omitempty"`
}

// Place is an event.Place for the page.
type Place struct {
	ISO     string `json:"iso,omitempty"`
	Country string `json:"country,omitempty"`
	City    string `json:"city,omitempty"`
	Special string `json:"special,omitempty"`
	ASN     uint32 `json:"asn,omitempty"`
	AS      string `json:"as,omitempty"`
}

func placeOf(p event.Place) Place {
	return Place{ISO: p.CountryISO, Country: p.Country, City: p.City, Special: p.Special, ASN: p.ASNumber, AS: p.ASName}
}

// noEnd is how far away the end of a ban is taken as none.
const noEnd = 50 * 365 * 24 * time.Hour

func untilOf(b event.Ban, now time.Time) time.Time {
	if b.Until.IsZero() || b.Until.Sub(now) > noEnd {
		return time.Time{}
	}
	return b.Until.UTC().Truncate(time.Second)
}

// facts are all that is known of one source.
type facts struct {
	scan   *event.Scan // as of the latest event; nil: none came
	iface  string
	action event.Action
	reason string
	told   time.Time // when that event was

	source *event.Source // the kernel's score entry, nil if none
	ban    *event.Ban    // nil if none
	rate   rate
}

// last is when the source was heard last.
func (f *facts) last() time.Time {
	last := f.told
	if f.source != nil && f.source.Last.After(last) {
		last = f.source.Last
	}
	if f.ban != nil && f.ban.Since.After(last) {
		last = f.ban.Since
	}
	return last
}

// row puts the facts together.
func (f *facts) row(p netip.Prefix, place event.Place, now time.Time) Row {
	r := Row{Source: lists.FormatPrefix(p), Kinds: []string{}, Ports: []uint16{}, Place: placeOf(place), Interface: f.iface}
	var kinds event.Kinds
	if s := f.scan; s != nil {
		kinds = s.Kinds
		r.First, r.Last = s.First, s.Last
		r.Tool, r.Confidence = s.Tool.String(), s.Confidence.String()
		r.Distinct, r.Ports, r.Dropped = s.Distinct, append(r.Ports, s.Ports...), s.Dropped
		if len(kinds.Names()) > 0 || f.ban == nil {
			r.Grade = s.Grade.String()
		}
		if s.Destination.IsValid() {
			r.Destination = s.Destination.String()
		}
	}
	if s := f.source; s != nil {
		kinds |= s.Kinds
		if r.First.IsZero() || s.First.Before(r.First) {
			r.First = s.First
		}
		if s.Last.After(r.Last) {
			r.Last = s.Last
		}
		if s.Tool != event.ToolUnknown {
			r.Tool, r.Confidence = s.Tool.String(), s.Confidence.String()
		}
		r.Distinct = max(r.Distinct, s.Distinct)
		r.Score, r.UDPScore = s.Score, s.UDPScore
		for _, port := range s.Ports {
			if !slices.Contains(r.Ports, port) && len(r.Ports) < 32 {
				r.Ports = append(r.Ports, port)
			}
		}
	}
	if b := f.ban; b != nil {
		r.Grade, r.Until, r.Reason = b.Grade.String(), untilOf(*b, now), b.Reason
		r.Dropped = max(r.Dropped, b.Dropped)
		if r.Last.IsZero() {
			r.First, r.Last = b.Since, b.Since
		}
	}
	if r.Last.IsZero() {
		r.Last = f.told
	}
	slices.Sort(r.Ports)
	r.Kinds = append(r.Kinds, kinds.Names()...)
	r.First, r.Last = r.First.UTC().Truncate(time.Second), r.Last.UTC().Truncate(time.Second)
	r.Rate = f.rate.value(now)
	r.State = f.state()
	if r.Reason == "" {
		r.Reason = f.reason
	}
	return r
}

func (f *facts) state() State {
	switch {
	case f.ban != nil:
		return StateBanned
	case f.scan == nil:
		return StateScored
	case f.scan.Protected:
		return StateProtected
	case f.scan.Watched:
		return StateWatched
	case f.action == event.SourceUnbanned || f.action == event.ScanEnded:
		if f.source != nil {
			return StateScored
		}
		return StateEnded
	case f.action == event.SourceBanned && !f.scan.Enforced:
		return StateWouldBan
	case f.action == event.SourceBanned: // and the kernel has no ban any more
		return StateEnded
	}
	return StateAlerted
}

// rate follows a count that grows: packets a second, over some seconds.
type rate struct {
	count   uint64
	at      time.Time
	average float64
}

// rateMemory is over how long rates are averaged.
const rateMemory = 5 * time.Second

// see takes in a count. guess is the rate to begin with.
func (r *rate) see(count uint64, at time.Time, guess float64) {
	if r.at.IsZero() {
		r.count, r.at, r.average = count, at, guess
		return
	}
	passed := at.Sub(r.at)
	if passed < 500*time.Millisecond {
		return
	}
	grown := 0.0
	if count > r.count {
		grown = float64(count-r.count) / passed.Seconds()
	}
	weight := min(1, float64(passed)/float64(rateMemory))
	r.average += weight * (grown - r.average)
	r.count, r.at = count, at
}

// value is rounded, so that a rate that fades does not change every row
// every second.
func (r *rate) value(now time.Time) float64 {
	switch v := r.average; {
	case v < 0.1 || now.Sub(r.at) > time.Minute:
		return 0
	case v < 10:
		return float64(int(v*10+0.5)) / 10
	default:
		return float64(int(v + 0.5))
	}
}
