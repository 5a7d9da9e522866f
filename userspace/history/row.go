// SPDX-License-Identifier: MIT

package history

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"denmap/userspace/event"
)

// column is one column of scans.
type column struct {
	name  string
	field any // points to its value: to store it, and to read into
}

// row carries one row of scans between SQL and a Scan. One list serves
// both ways, so that they cannot disagree.
type row struct {
	addr, destination, ports          []byte
	bits                              int
	first, last, ended, until         int64
	probes, dropped, kinds, asn, peak int64
	tool, confidence, grade, action   int64
	latitude, longitude               *float64
	enforced, protected, watched      bool
	id, iface, transport, reason      string
	country, name, city, as, special  string
	database, group                   string
	members, proven                   []byte
	score, threshold, distinct, size  int
}

func (r *row) columns() []column {
	return []column{
		{"id", &r.id}, {"addr", &r.addr}, {"bits", &r.bits},
		{"destination", &r.destination}, {"interface", &r.iface},
		{"first_ms", &r.first}, {"last_ms", &r.last}, {"ended_ms", &r.ended},
		{"kinds", &r.kinds}, {"tool", &r.tool}, {"confidence", &r.confidence},
		{"transport", &r.transport}, {"score", &r.score}, {"threshold", &r.threshold},
		{"probes", &r.probes}, {"dropped", &r.dropped},
		{"distinct_ports", &r.distinct}, {"ports", &r.ports},
		{"grade", &r.grade}, {"action", &r.action},
		{"enforced", &r.enforced}, {"protected", &r.protected}, {"watched", &r.watched},
		{"ban_until_ms", &r.until}, {"reason", &r.reason},
		{"country", &r.country}, {"country_name", &r.name}, {"city", &r.city},
		{"latitude", &r.latitude}, {"longitude", &r.longitude},
		{"asn", &r.asn}, {"as_name", &r.as}, {"special", &r.special},
		{"place_source", &r.database}, {"group_id", &r.group}, {"group_size", &r.size},
		{"group_sources", &r.members}, {"group_proven", &r.proven}, {"peak", &r.peak},
	}
}

// Made of the list once. Both statements take the fields in its order.
var (
	scanColumns = columnNames()
	insertScan  = "INSERT INTO scans (" + scanColumns + ") VALUES (" + marks() + ") ON CONFLICT (id) DO NOTHING"
	updateScan  = "UPDATE scans SET (" + scanColumns + ") = (" + marks() + ") WHERE id = ?1"
)

func columnNames() string {
	var names []string
	for _, c := range (&row{}).columns() {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

// marks stands for a value of each column; the first is the ID.
func marks() string {
	return strings.TrimSuffix(strings.Repeat("?, ", len((&row{}).columns())), ", ")
}

// fields point to the values of a row of scanColumns.
func (r *row) fields() []any {
	columns := r.columns()
	out := make([]any, len(columns))
	for i, c := range columns {
		out[i] = c.field
	}
	return out
}

// rowOf returns a scan as it is stored.
func rowOf(s Scan) row {
	r := row{
		id: text(s.ID), iface: text(s.Interface), reason: text(s.Reason), transport: text(s.Transport),
		first: milli(s.First), last: milli(s.Last), ended: milli(s.Ended), until: milli(s.BanUntil),
		kinds: int64(s.Kinds), tool: int64(s.Tool), confidence: int64(s.Confidence),
		grade: int64(s.Grade), action: int64(slices.Index(Actions(), s.Action)),
		score: s.Score, threshold: s.Threshold, distinct: s.Distinct, peak: int64(max(s.Score, s.Distinct)),
		probes: count(s.Probes), dropped: count(s.Dropped), ports: portBytes(s.Ports),
		enforced: s.Enforced, protected: s.Protected, watched: s.Watched,
		country: text(s.Place.CountryISO), name: text(s.Place.Country), city: text(s.Place.City),
		asn: int64(s.Place.ASNumber), as: text(s.Place.ASName), special: text(s.Place.Special),
		database: text(s.Place.Database), members: []byte{}, proven: []byte{},
	}
	r.addr, r.bits = key(s.Source)
	if g := s.Group; g != nil {
		r.group, r.size, r.members, r.proven = text(g.ID), g.Size, prefixBytes(g.Sources), prefixBytes(g.Proven)
	}
	if s.Destination.IsValid() {
		r.destination = s.Destination.AsSlice()
	}
	if s.Place.HasCoordinates {
		latitude, longitude := s.Place.Latitude, s.Place.Longitude
		r.latitude, r.longitude = &latitude, &longitude
	}
	return r
}

// scan is the reverse of rowOf.
func (r *row) scan() (Scan, error) {
	source, err := prefixOf(r.addr, r.bits)
	if err != nil {
		return Scan{}, err
	}
	if r.action < 0 || int(r.action) >= len(Actions()) {
		return Scan{}, fmt.Errorf("stored action %d: %w", r.action, errForeign)
	}
	destination, _ := netip.AddrFromSlice(r.destination) // none if there is none
	s := Scan{
		ID: r.id, Action: Actions()[r.action], Interface: r.iface, Reason: r.reason, Ended: fromMilli(r.ended),
		Scan: event.Scan{
			Source: source, Destination: destination, Kinds: event.Kinds(r.kinds),
			Tool: event.Tool(r.tool), Confidence: event.Confidence(r.confidence), Transport: r.transport,
			Score: r.score, Threshold: r.threshold, Probes: uint64(r.probes), Dropped: uint64(r.dropped),
			Distinct: r.distinct, Ports: portsOf(r.ports), First: fromMilli(r.first), Last: fromMilli(r.last),
			Grade: event.Grade(r.grade), Enforced: r.enforced, Protected: r.protected, Watched: r.watched,
			BanUntil: fromMilli(r.until),
			Place: event.Place{
				CountryISO: r.country, Country: r.name, City: r.city,
				ASNumber: uint32(r.asn), ASName: r.as, Special: r.special, Database: r.database,
			},
		},
	}
	if r.latitude != nil && r.longitude != nil {
		s.Place.Latitude, s.Place.Longitude, s.Place.HasCoordinates = *r.latitude, *r.longitude, true
	}
	s.Group, err = r.groupOf()
	return s, err
}

func (r *row) groupOf() (*event.Group, error) {
	if r.size == 0 {
		return nil, nil
	}
	sources, err := prefixesOf(r.members)
	if err != nil {
		return nil, err
	}
	proven, err := prefixesOf(r.proven)
	if err != nil {
		return nil, err
	}
	return &event.Group{ID: r.group, Size: r.size, Sources: sources, Proven: proven}, nil
}
