// SPDX-License-Identifier: MIT

package notify

import (
	"maps"
	"net/netip"
	"strconv"
	"time"

	"denmap/userspace/event"
)

// The bounds of a Digest. A flood with forged sources cannot grow it
// further: what does not fit is counted as a sum.
const (
	maxTallies  = 65536 // sources that are counted one by one
	maxDetails  = 500   // sources whose details are kept
	maxNetworks = 4096
	maxPlaces   = 300 // there are some 250 country codes
	maxNotes    = 50
	maxPorts    = 16 // port numbers kept of one source
)

// Digest sums up what was seen since its first event. It is not safe for
// concurrent use. Its exported fields are what is written to disk.
type Digest struct {
	ID    string    // becomes the identifier of the message
	Start time.Time // of the first event
	End   time.Time // of the latest event
	News  time.Time // when the first event came that nobody was told of; zero: none
	Quota bool      // it is late because the day's messages were used up

	Tallies   map[netip.Prefix]Tally
	Details   map[netip.Prefix]*Detail
	Networks  map[string]*Network
	Countries map[string]int // sources, by country name
	Kinds     map[string]int // sources, by the kind's log name

	Events     uint64 // of sources
	Alerts     uint64
	Bans       uint64
	Reported   uint64 // bans that were only reported
	Unbans     uint64
	Untold     uint64 // sources that nobody was told of yet
	Beyond     uint64 // events of sources beyond maxTallies
	Overflowed uint64 // events that the queue had no room for

	Notes     []string // what is not about a source, one sentence each
	MoreNotes int
}

// Tally is what is kept of every source.
type Tally struct {
	Events   uint32
	Kinds    event.Kinds
	Severity uint8 // the worst so far
	Told     uint8 // the worst that went out at once
	Untold   bool  // something of it is for this digest to tell
}

// Detail is what is kept of the most important sources.
type Detail struct {
	Severity    int
	Events      int
	Banned      bool
	Enforced    bool
	Watched     bool
	Grade       string
	Kinds       event.Kinds
	Main        event.Kind
	Tool        string
	Destination netip.Addr
	Ports       []uint16
	Distinct    int
	Probes      uint64
	Dropped     uint64
	First, Last time.Time
	BanUntil    time.Time
	Place       event.Place
}

// Network sums up the sources of one autonomous system or, where that is
// not known, of one /24 or /48.
type Network struct {
	Name    string
	Sources int
	Events  uint64
}

// newDigest returns an empty digest with the given identifier.
func newDigest(id string) *Digest {
	d := &Digest{ID: id}
	d.initialise()
	return d
}

// initialise makes the maps that a state file may leave out, and drops
// entries without content from the others.
func (d *Digest) initialise() {
	if d.Tallies == nil {
		d.Tallies = make(map[netip.Prefix]Tally)
	}
	if d.Details == nil {
		d.Details = make(map[netip.Prefix]*Detail)
	}
	if d.Networks == nil {
		d.Networks = make(map[string]*Network)
	}
	if d.Countries == nil {
		d.Countries = make(map[string]int)
	}
	if d.Kinds == nil {
		d.Kinds = make(map[string]int)
	}
	maps.DeleteFunc(d.Details, func(_ netip.Prefix, x *Detail) bool { return x == nil })
	maps.DeleteFunc(d.Networks, func(_ string, n *Network) bool { return n == nil })
}

// empty reports whether nothing happened since the digest began.
func (d *Digest) empty() bool { return d.Start.IsZero() }

// touch widens the time that the digest covers to at.
func (d *Digest) touch(at time.Time) {
	if d.Start.IsZero() || at.Before(d.Start) {
		d.Start = at
	}
	if at.After(d.End) {
		d.End = at
	}
}

// news records that there is something nobody was told of.
func (d *Digest) news(at time.Time) {
	if d.News.IsZero() {
		d.News = at
	}
}

// add counts the event of a source. told says that it goes out at once.
// It reports whether the source is one that nobody was told of before.
func (d *Digest) add(e event.Event, dec Decision, told bool, now time.Time) (fresh bool) {
	d.touch(e.Time)
	s := e.Scan
	d.Events++
	switch e.Action {
	case event.ScanDetected:
		d.Alerts++
	case event.SourceBanned:
		if s.Enforced {
			d.Bans++
		} else {
			d.Reported++
		}
	case event.SourceUnbanned:
		d.Unbans++
	}
	t, known := d.Tallies[s.Source]
	if !known && len(d.Tallies) >= maxTallies {
		d.Beyond++
		if dec.When >= InDigest && !told {
			d.news(now)
		}
		return dec.When >= InDigest
	}
	fresh = t.Told == 0
	d.countKinds(s.Kinds &^ t.Kinds)
	if !known {
		d.countPlace(s)
	}
	severity := uint8(min(dec.Severity, 255))
	t.Events++
	t.Kinds |= s.Kinds
	t.Severity = max(t.Severity, severity)
	if dec.When >= InDigest {
		d.tell(&t, severity, told, now)
	}
	d.Tallies[s.Source] = t
	d.network(s).Events++
	d.detail(e, int(t.Severity))
	return fresh
}

// tell keeps count of the sources that still have to be told of.
func (d *Digest) tell(t *Tally, severity uint8, told bool, now time.Time) {
	switch {
	case told:
		t.Told = max(t.Told, severity)
		if t.Untold && t.Told >= t.Severity {
			t.Untold = false
			d.Untold--
		}
	case severity > t.Told:
		d.news(now)
		if !t.Untold {
			t.Untold = true
			d.Untold++
		}
	}
}

func (d *Digest) countKinds(kinds event.Kinds) {
	for _, name := range kinds.Names() {
		d.Kinds[name]++
	}
}

func (d *Digest) countPlace(s *event.Scan) {
	d.network(s).Sources++
	name := placeName(s.Place)
	if _, ok := d.Countries[name]; !ok && len(d.Countries) >= maxPlaces {
		name = "other"
	}
	d.Countries[name]++
}

// placeName names the country of a place, or what it has instead.
func placeName(p event.Place) string {
	switch {
	case p.Country != "":
		return clean(p.Country, 60)
	case p.CountryISO != "":
		return clean(p.CountryISO, 10)
	case p.Special != "":
		return clean(p.Special, 40) + " addresses"
	}
	return "unknown"
}

// network returns the sum that a source belongs to.
func (d *Digest) network(s *event.Scan) *Network {
	key, name := networkOf(s)
	n := d.Networks[key]
	if n == nil && len(d.Networks) >= maxNetworks {
		key, name = "other", "other networks"
		n = d.Networks[key]
	}
	if n == nil {
		n = &Network{Name: name}
		d.Networks[key] = n
	}
	return n
}

func networkOf(s *event.Scan) (key, name string) {
	if s.Place.ASNumber != 0 {
		key = "AS" + strconv.FormatUint(uint64(s.Place.ASNumber), 10)
		name = key
		if s.Place.ASName != "" {
			name += " " + clean(s.Place.ASName, 60)
		}
		return key, name
	}
	addr, bits := s.Source.Addr().Unmap(), 24
	if addr.Is6() {
		bits = 48
	}
	p, err := addr.WithZone("").Prefix(bits)
	if err != nil {
		return "other", "other networks"
	}
	return p.String(), p.String()
}

// detail keeps the particulars of e's source, if it is important enough.
func (d *Digest) detail(e event.Event, severity int) {
	s := e.Scan
	x := d.Details[s.Source]
	if x == nil {
		if len(d.Details) >= maxDetails && !d.makeRoom(severity) {
			return
		}
		x = &Detail{First: s.First}
		d.Details[s.Source] = x
	}
	x.update(e, severity)
}

// makeRoom forgets the details of a source that is less severe.
func (d *Digest) makeRoom(severity int) bool {
	if severity <= SeverityCrafted {
		return false
	}
	for p, x := range d.Details {
		if x.Severity < severity {
			delete(d.Details, p)
			return true
		}
	}
	return false
}

func (x *Detail) update(e event.Event, severity int) {
	s := e.Scan
	x.Severity = max(x.Severity, severity)
	x.Events++
	x.Kinds |= s.Kinds
	x.Main = s.Main
	x.Watched = s.Watched
	if s.Tool != event.ToolUnknown {
		x.Tool = s.Tool.String()
	}
	if s.Destination.IsValid() {
		x.Destination = s.Destination
	}
	if len(s.Ports) > 0 {
		x.Ports = append(x.Ports[:0:0], s.Ports[:min(len(s.Ports), maxPorts)]...)
	}
	x.Distinct = max(x.Distinct, s.Distinct)
	x.Probes = max(x.Probes, s.Probes)
	x.Dropped = max(x.Dropped, s.Dropped)
	if x.First.IsZero() || (!s.First.IsZero() && s.First.Before(x.First)) {
		x.First = s.First
	}
	if s.Last.After(x.Last) {
		x.Last = s.Last
	}
	if s.Place != (event.Place{}) {
		x.Place = s.Place
	}
	if e.Action == event.SourceBanned {
		x.Banned, x.Enforced, x.BanUntil = true, s.Enforced, s.BanUntil
		x.Grade = s.Grade.String()
	}
}

// note adds a sentence that is not about a source.
func (d *Digest) note(text string, at time.Time) {
	d.touch(at)
	if len(d.Notes) >= maxNotes {
		d.MoreNotes++
		return
	}
	d.Notes = append(d.Notes, clean(text, 300))
}
