// SPDX-License-Identifier: MIT

package history

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"denmap/userspace/event"
)

const (
	// mappedBits is how many bits an IPv4 address stands behind in the 16
	// bytes of a stored one.
	mappedBits = 96

	// maxText bounds a stored text in bytes: operators write reasons, and
	// databases of locations write names.
	maxText = 1000

	// maxPorts bounds a stored port sample.
	maxPorts = 64
)

// key returns a prefix as it is stored: the first address and the length.
func key(p netip.Prefix) (addr []byte, bits int) {
	p = p.Masked()
	first := p.Addr().As16()
	bits = p.Bits()
	if p.Addr().Is4() {
		bits += mappedBits
	}
	return first[:], bits
}

// lastKey returns the last address inside a prefix, as it is stored.
func lastKey(p netip.Prefix) []byte {
	last, bits := key(p)
	for i := bits; i < 128; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	return last
}

// prefixOf is the reverse of key.
func prefixOf(addr []byte, bits int) (netip.Prefix, error) {
	if len(addr) != 16 || bits < 0 || bits > 128 {
		return netip.Prefix{}, fmt.Errorf("stored source of %d bytes and %d bits: %w", len(addr), bits, errForeign)
	}
	a := netip.AddrFrom16([16]byte(addr))
	if a.Is4In6() && bits >= mappedBits {
		return netip.PrefixFrom(a.Unmap(), bits-mappedBits), nil
	}
	return netip.PrefixFrom(a, bits), nil
}

// milli returns a time as it is stored.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// text makes a string fit for storing: valid UTF-8 and of bounded length.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// count fits a counter into SQLite's signed integers.
func count(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

func portBytes(ports []uint16) []byte {
	out := make([]byte, 0, 2*len(ports))
	for _, p := range ports {
		out = binary.BigEndian.AppendUint16(out, p)
	}
	return out
}

func portsOf(b []byte) []uint16 {
	var ports []uint16
	for ; len(b) >= 2; b = b[2:] {
		ports = append(ports, binary.BigEndian.Uint16(b))
	}
	return ports
}

// union merges port samples, sorted and bounded.
func union(a, b []uint16, bound int) []uint16 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), bound)]
}

// column is one column of scans with the value that it has.
type column struct {
	name  string
	value any // to store
	scan  any // to read into
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
	database                          string
	score, threshold, distinct        int
}

func (r *row) columns() []column {
	return []column{
		{"id", r.id, &r.id}, {"addr", r.addr, &r.addr}, {"bits", r.bits, &r.bits},
		{"destination", r.destination, &r.destination}, {"interface", r.iface, &r.iface},
		{"first_ms", r.first, &r.first}, {"last_ms", r.last, &r.last}, {"ended_ms", r.ended, &r.ended},
		{"kinds", r.kinds, &r.kinds}, {"tool", r.tool, &r.tool}, {"confidence", r.confidence, &r.confidence},
		{"transport", r.transport, &r.transport}, {"score", r.score, &r.score}, {"threshold", r.threshold, &r.threshold},
		{"probes", r.probes, &r.probes}, {"dropped", r.dropped, &r.dropped},
		{"distinct_ports", r.distinct, &r.distinct}, {"ports", r.ports, &r.ports},
		{"grade", r.grade, &r.grade}, {"action", r.action, &r.action},
		{"enforced", r.enforced, &r.enforced}, {"protected", r.protected, &r.protected}, {"watched", r.watched, &r.watched},
		{"ban_until_ms", r.until, &r.until}, {"reason", r.reason, &r.reason},
		{"country", r.country, &r.country}, {"country_name", r.name, &r.name}, {"city", r.city, &r.city},
		{"latitude", r.latitude, &r.latitude}, {"longitude", r.longitude, &r.longitude},
		{"asn", r.asn, &r.asn}, {"as_name", r.as, &r.as}, {"special", r.special, &r.special},
		{"place_source", r.database, &r.database}, {"peak", r.peak, &r.peak},
	}
}

// scanColumns and upsertScan are made of the list once.
var (
	scanColumns = columnNames()
	upsertScan  = upsertStatement()
)

func columnNames() string {
	var names []string
	for _, c := range (&row{}).columns() {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

func upsertStatement() string {
	var marks, sets []string
	for _, c := range (&row{}).columns() {
		marks = append(marks, "?")
		if c.name != "id" {
			sets = append(sets, c.name+" = excluded."+c.name)
		}
	}
	return "INSERT INTO scans (" + scanColumns + ") VALUES (" + strings.Join(marks, ", ") +
		") ON CONFLICT (id) DO UPDATE SET " + strings.Join(sets, ", ")
}

// targets returns where to read a row of scanColumns into.
func (r *row) targets() []any {
	columns := r.columns()
	out := make([]any, len(columns))
	for i, c := range columns {
		out[i] = c.scan
	}
	return out
}

// values returns what to store, in the order of scanColumns.
func (r *row) values() []any {
	columns := r.columns()
	out := make([]any, len(columns))
	for i, c := range columns {
		out[i] = c.value
	}
	return out
}

// rowOf returns a scan as it is stored.
func rowOf(s Scan) *row {
	r := &row{
		id: text(s.ID), iface: text(s.Interface), reason: text(s.Reason), transport: text(s.Transport),
		first: milli(s.First), last: milli(s.Last), ended: milli(s.Ended), until: milli(s.BanUntil),
		kinds: int64(s.Kinds), tool: int64(s.Tool), confidence: int64(s.Confidence),
		grade: int64(s.Grade), action: int64(slices.Index(Actions(), s.Action)),
		score: s.Score, threshold: s.Threshold, distinct: s.Distinct, peak: int64(max(s.Score, s.Distinct)),
		probes: count(s.Probes), dropped: count(s.Dropped), ports: portBytes(s.Ports),
		enforced: s.Enforced, protected: s.Protected, watched: s.Watched,
		country: text(s.Place.CountryISO), name: text(s.Place.Country), city: text(s.Place.City),
		asn: int64(s.Place.ASNumber), as: text(s.Place.ASName), special: text(s.Place.Special),
		database: text(s.Place.Database),
	}
	r.addr, r.bits = key(s.Source)
	if s.Destination.IsValid() {
		r.destination = s.Destination.AsSlice()
	}
	if s.Place.HasCoordinates {
		r.latitude, r.longitude = &s.Place.Latitude, &s.Place.Longitude
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
	return s, nil
}
