// SPDX-License-Identifier: MIT

package geo

import (
	"errors"
	"strconv"
	"strings"

	"github.com/oschwald/geoip2-golang/v2"
	"github.com/oschwald/maxminddb-golang/v2"

	"denmap/userspace/event"
)

// decode turns a record into a Place, whatever the database's layout. The
// layout is told from the record, not from the database's type, which
// anybody can set: nested records (GeoIP2, GeoLite2, DB-IP) are
// geoip2.Enterprise or a part of it; everything else (IPinfo,
// ip-location-db, and the AS databases of all of them) is one flat map.
func decode(result maxminddb.Result) (event.Place, error) {
	var nested geoip2.Enterprise
	err := result.Decode(&nested)
	var mismatch maxminddb.UnmarshalTypeError
	if err != nil && !errors.As(err, &mismatch) {
		return event.Place{}, err
	}
	if err == nil {
		if p := fromNested(&nested); p != (event.Place{}) {
			return p, nil
		}
	}
	var record map[string]any
	if err := result.Decode(&record); err != nil {
		if errors.As(err, &mismatch) {
			return event.Place{}, nil // a list or a plain value: nothing that could be a place
		}
		return event.Place{}, err
	}
	return fromFlat(record), nil
}

func fromNested(r *geoip2.Enterprise) event.Place {
	p := event.Place{
		CountryISO: r.Country.ISOCode,
		Country:    r.Country.Names.English,
		City:       r.City.Names.English,
		ASNumber:   asNumber(uint64(r.Traits.AutonomousSystemNumber)),
		ASName:     r.Traits.AutonomousSystemOrganization,
	}
	if r.Location.Latitude != nil && r.Location.Longitude != nil {
		p.Latitude, p.Longitude, p.HasCoordinates = *r.Location.Latitude, *r.Location.Longitude, true
	}
	return p
}

// flat is a record of names and plain values. Vendors disagree on the
// names and on whether numbers are numbers or text.
type flat map[string]any

func fromFlat(r flat) event.Place {
	p := event.Place{
		CountryISO: r.text("country_code"),
		Country:    r.text("country_name"),
		City:       r.text("city"),
		ASName:     r.text("as_name", "autonomous_system_organization"),
	}
	// IPinfo's "country" is the name beside country_code, the code else.
	if country := r.text("country"); p.CountryISO == "" && len(country) == 2 {
		p.CountryISO = country
	} else if p.Country == "" {
		p.Country = country
	}
	number := r.text("autonomous_system_number", "asn")
	if n, err := strconv.ParseUint(strings.TrimPrefix(number, "AS"), 10, 64); err == nil {
		p.ASNumber = asNumber(n)
	}
	if p.ASName == "" && p.ASNumber != 0 {
		p.ASName = r.text("name")
	}
	latitude, okLat := r.number("latitude", "lat")
	longitude, okLng := r.number("longitude", "lng")
	if !okLat && !okLng {
		first, second, _ := strings.Cut(r.text("loc"), ",")
		latitude, okLat = parseFloat(first)
		longitude, okLng = parseFloat(second)
	}
	if okLat && okLng {
		p.Latitude, p.Longitude, p.HasCoordinates = latitude, longitude, true
	}
	return p
}

// text returns the first of the fields that is there, numbers as digits.
func (r flat) text(names ...string) string {
	for _, name := range names {
		switch v := r[name].(type) {
		case string:
			if v != "" {
				return v
			}
		case uint64:
			return strconv.FormatUint(v, 10)
		}
	}
	return ""
}

func (r flat) number(names ...string) (float64, bool) {
	for _, name := range names {
		switch v := r[name].(type) {
		case float64:
			return v, true
		case float32:
			return float64(v), true
		case string:
			if f, ok := parseFloat(v); ok {
				return f, true
			}
		}
	}
	return 0, false
}

func parseFloat(s string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return f, err == nil
}

// asNumber returns n if it fits the 32 bits of RFC 6793, else none.
func asNumber(n uint64) uint32 {
	if n > 1<<32-1 {
		return 0
	}
	return uint32(n)
}
