// SPDX-License-Identifier: MIT

package report

import (
	"container/list"
	"net/netip"

	"denmap/userspace/event"
	"denmap/userspace/eventlog"
)

// unknownPlace stands for scans without a country.
const unknownPlace = "unknown"

// Builder sums up records. The zero value is not ready: New.
type Builder struct {
	report  Report
	open    map[string]*list.Element // scans by ID, of *scan
	order   *list.List               // oldest first
	sources map[netip.Prefix]*source
	decoys  map[string]bool

	kinds     map[string]int
	tools     map[string]int
	countries map[string]int
	ports     map[uint16]int
}

// scan is what the lines of one scan said so far. Each line repeats the
// totals, so the latest says it all.
type scan struct {
	id       string
	facts    event.Scan
	wouldBan bool
	banned   bool
	manual   bool
	score    int
}

// source is a Source with its WouldBan, if there is one.
type source struct {
	Source
	wouldBan *WouldBan
}

// New returns a Builder that has read nothing.
func New() *Builder {
	return &Builder{
		open: map[string]*list.Element{}, order: list.New(),
		sources: map[netip.Prefix]*source{}, decoys: map[string]bool{},
		kinds: map[string]int{}, tools: map[string]int{}, countries: map[string]int{}, ports: map[uint16]int{},
	}
}

// Add takes in a record, in the order of the log.
func (b *Builder) Add(r eventlog.Record) {
	e := r.Event
	if b.report.First.IsZero() || e.Time.Before(b.report.First) {
		b.report.First = e.Time
	}
	if e.Time.After(b.report.Last) {
		b.report.Last = e.Time
	}
	b.report.Records++
	switch e.Action {
	case event.ListChanged:
		b.report.ListChanges++
	case event.Detached:
		if e.ProtectionLost() {
			b.report.Detached++
		}
	case event.EventsLost:
		if e.Lost != nil {
			b.report.Lost += e.Lost.Count
		}
	}
	if e.Scan != nil && e.Scan.Source.IsValid() {
		b.addScan(e)
	}
}

func (b *Builder) addScan(e event.Event) {
	s := b.scan(e)
	before := s.facts
	first, last := before.First, before.Last
	s.facts = *e.Scan
	if s.facts.Place == (event.Place{}) { // its place came too late for this line
		s.facts.Place = before.Place
	}
	if s.facts.First.IsZero() || !first.IsZero() && first.Before(s.facts.First) {
		s.facts.First = first
	}
	if last.After(s.facts.Last) {
		s.facts.Last = last
	}
	if s.facts.First.IsZero() {
		s.facts.First = e.Time
	}
	if s.facts.Last.IsZero() {
		s.facts.Last = e.Time
	}
	s.facts.Dropped = max(s.facts.Dropped, before.Dropped)
	s.score = max(s.score, e.Scan.Score)
	switch e.Action {
	case event.SourceBanned:
		switch {
		case e.Scan.Kinds == 0 || e.Scan.Grade == event.Manual:
			s.manual = true
		case e.Scan.Enforced:
			s.banned = true
		default:
			s.wouldBan = true
		}
	case event.SourceUnbanned:
		b.report.Unbans++
	case event.ScanEnded:
		b.close(b.open[s.id])
	}
}

// scan finds the scan that a line belongs to. Lines without an ID belong
// together by their source.
func (b *Builder) scan(e event.Event) *scan {
	id := e.ID
	if id == "" {
		id = e.Scan.Source.String()
	}
	if at, ok := b.open[id]; ok {
		return at.Value.(*scan)
	}
	if len(b.open) >= maxOpen {
		b.close(b.order.Front())
	}
	s := &scan{id: id}
	b.open[id] = b.order.PushBack(s)
	return s
}

// close counts a scan and forgets it.
func (b *Builder) close(at *list.Element) {
	s := b.order.Remove(at).(*scan)
	delete(b.open, s.id)
	f := &s.facts
	if s.manual {
		b.report.ManualBans++
		if f.Kinds == 0 {
			return // no scan behind it
		}
	}
	if f.Kinds == 0 && !s.banned && !s.wouldBan {
		return // the end of a ban that began before the period
	}
	b.report.Scans++
	b.report.Probes += f.Probes
	b.report.Dropped += f.Dropped
	if s.banned {
		b.report.Bans++
	}
	for _, name := range f.Kinds.Names() {
		b.kinds[name]++
	}
	bump(b.tools, f.Tool.String())
	bump(b.countries, placeName(f.Place))
	for _, p := range f.Ports {
		b.ports[p]++
	}
	if g := f.Group; g != nil && len(b.decoys) < maxNames {
		b.decoys[g.ID] = true
	}
	b.closeSource(s)
}

// bump counts a name that comes from the log, as long as there are not
// absurdly many.
func bump(counts map[string]int, name string) {
	if _, ok := counts[name]; ok || len(counts) < maxNames {
		counts[name]++
	}
}

func placeName(p event.Place) string {
	for _, name := range []string{p.Country, p.CountryISO, p.Special} {
		if name != "" {
			return name
		}
	}
	return unknownPlace
}

// closeSource adds a scan to what its source did.
func (b *Builder) closeSource(s *scan) {
	f := &s.facts
	src := b.sources[f.Source]
	if src == nil {
		if len(b.sources) >= maxSources {
			b.report.Overflow++
			return
		}
		src = &source{Source: Source{Source: f.Source, First: f.First}}
		b.sources[f.Source] = src
	}
	src.Scans++
	if s.banned {
		src.Bans++
	}
	src.Probes += f.Probes
	src.Dropped += f.Dropped
	src.Kinds |= f.Kinds
	src.Main = f.Main
	if f.Tool != event.ToolUnknown {
		src.Tool = f.Tool
	}
	src.Grade = max(src.Grade, f.Grade)
	if f.First.Before(src.First) {
		src.First = f.First
	}
	if f.Last.After(src.Last) {
		src.Last = f.Last
	}
	if f.Place != (event.Place{}) {
		src.Place = f.Place
	}
	if f.Group != nil {
		src.Decoy = true
	}
	if s.wouldBan {
		src.addWouldBan(s)
	}
}

func (src *source) addWouldBan(s *scan) {
	if src.wouldBan == nil {
		src.wouldBan = &WouldBan{}
	}
	w := src.wouldBan
	w.Times++
	w.Cause = causeOf(s.facts)
	w.Used = w.Used || s.facts.UsedService
	if s.score >= w.Score {
		w.Score, w.Threshold = s.score, s.facts.Threshold
	}
}

func causeOf(s event.Scan) Cause {
	switch {
	case s.Protected:
		return Protected
	case s.Watched:
		return Watched
	}
	return Monitor
}
