// SPDX-License-Identifier: MIT

package geo

import (
	"math"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter/mmdbtype"

	"denmap/userspace/event"
)

func TestLayouts(t *testing.T) {
	text := func(pairs ...string) mmdbtype.Map {
		m := mmdbtype.Map{}
		for i := 0; i < len(pairs); i += 2 {
			m = with(m, pairs[i], pairs[i+1])
		}
		return m
	}
	london := event.Place{CountryISO: "GB", Country: "United Kingdom", City: "London",
		Latitude: 51.5, Longitude: -0.125, HasCoordinates: true}
	enterprise := cityRecord("GB", "United Kingdom", "London", 51.5, -0.125)
	enterprise["traits"] = asRecord(64500, "Example Networks")
	londonAS := london
	londonAS.ASNumber, londonAS.ASName = 64500, "Example Networks"
	onlyAS := event.Place{ASNumber: 64500, ASName: "Example Networks"}
	onlyGB := event.Place{CountryISO: "GB", Country: "United Kingdom"}

	for _, row := range []struct {
		name, kind string
		record     mmdbtype.DataType
		want       event.Place
	}{
		{"GeoLite2 City", "GeoLite2-City", cityRecord("GB", "United Kingdom", "London", 51.5, -0.125), london},
		{"GeoLite2 Country", "GeoLite2-Country",
			mmdbtype.Map{"country": with(names("United Kingdom"), "iso_code", "GB")}, onlyGB},
		{"GeoLite2 ASN", "GeoLite2-ASN", asRecord(64500, "Example Networks"), onlyAS},
		{"DB-IP City", "DBIP-City-Lite", cityRecord("GB", "United Kingdom", "London", 51.5, -0.125), london},
		{"DB-IP ASN", "DBIP-ASN-Lite (compat=GeoLite2-ASN)", asRecord(64500, "Example Networks"), onlyAS},
		{"DB-IP with ISP", "DBIP-Location-ISP (compat=Enterprise)", enterprise, londonAS},
		{"nested layout under a name of one's own", "Example-City", enterprise, londonAS},
		{"IPinfo Lite", "ipinfo generic_lite.mmdb", text("continent", "Europe", "continent_code", "EU",
			"country", "United Kingdom", "country_code", "GB",
			"asn", "AS64500", "as_name", "Example Networks", "as_domain", "example.net"),
			event.Place{CountryISO: "GB", Country: "United Kingdom", ASNumber: 64500, ASName: "Example Networks"}},
		{"IPinfo country and ASN", "ipinfo generic_country_asn.mmdb", text("country", "GB",
			"country_name", "United Kingdom", "asn", "AS64500", "as_name", "Example Networks"),
			event.Place{CountryISO: "GB", Country: "United Kingdom", ASNumber: 64500, ASName: "Example Networks"}},
		{"IPinfo location", "ipinfo standard_location.mmdb", text("city", "London", "country", "GB",
			"region", "England", "lat", "51.5", "lng", "-0.125"), london},
		{"IPinfo loc", "ipinfo", text("city", "London", "country", "GB", "loc", "51.5,-0.125"), london},
		{"IPinfo ASN", "ipinfo standard_asn.mmdb", text("asn", "AS64500", "name", "Example Networks"), onlyAS},
		{"ip-location-db country", "country ipvAll", text("country_code", "GB"), onlyGB},
		{"ip-location-db city", "city ipv4", mmdbtype.Map{"city": mmdbtype.String("London"),
			"country_code": mmdbtype.String("GB"), "latitude": mmdbtype.Float32(51.5),
			"longitude": mmdbtype.Float64(-0.125)}, london},

		{"no country", "x", text("country_code", "ZZ", "country", "Nowhere"), event.Place{}},
		{"code in lower case", "x", text("country_code", "gb"), event.Place{}},
		{"AS number too large", "x", text("asn", "AS4294967296", "as_name", "x"), event.Place{}},
		{"AS name alone", "x", text("as_name", "x"), event.Place{}},
		{"one coordinate", "x", text("lat", "51.5"), event.Place{}},
		{"off the planet", "x", text("country_code", "GB", "lat", "91", "lng", "0"), onlyGB},
		{"not a number", "x", mmdbtype.Map{"country_code": mmdbtype.String("GB"),
			"latitude": mmdbtype.Float64(math.NaN()), "longitude": mmdbtype.Float64(0)}, onlyGB},
		{"control characters", "x", text("country_code", "GB", "city", "\x1b[31mLon\ndon\xff "),
			event.Place{CountryISO: "GB", Country: "United Kingdom", City: "[31mLondon"}},
		{"endless name", "x", text("country_code", "GB", "city", strings.Repeat("ö", 1000)),
			event.Place{CountryISO: "GB", Country: "United Kingdom", City: strings.Repeat("ö", maxText/2)}},
		{"another kind of data", "x", mmdbtype.Map{"is_anonymous": mmdbtype.Bool(true)}, event.Place{}},
		{"a list", "x", mmdbtype.Slice{mmdbtype.String("GB")}, event.Place{}},
		{"a text", "x", mmdbtype.String("GB"), event.Place{}},
		{"odd types", "x", mmdbtype.Map{"country": mmdbtype.Slice{}, "city": mmdbtype.Uint32(7),
			"asn": mmdbtype.Bool(true)}, event.Place{}},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := mustWrite(t, t.TempDir(), "test.mmdb", mustMMDB(t, row.kind, 6, records{
				"192.0.2.0/24": row.record, "2001:db8::/32": row.record}))
			db, _, err := openDatabase(path, "", func(s string) { t.Error(s) })
			if err != nil {
				t.Fatal(err)
			}
			for address, network := range map[string]string{"192.0.2.7": "192.0.2.0/24", "2001:db8::7": "2001:db8::/32"} {
				got, prefix, err := db.lookup(addr(address))
				if err != nil || prefix.String() != network {
					t.Errorf("%s: in %v, %v, want %s", address, prefix, err, network)
				}
				if row.name == "odd types" {
					got.City = strings.TrimPrefix(got.City, "7") // a number may pass for a name
				}
				if got != row.want {
					t.Errorf("%s: %+v, want %+v", address, got, row.want)
				}
			}
			if got, _, err := db.lookup(addr("198.51.100.1")); err != nil || got != (event.Place{}) {
				t.Errorf("an address that is not listed: %+v, %v", got, err)
			}
			if got := db.describe(); got.Type != row.kind || got.Built.Unix() != testEpoch || got.Path != path {
				t.Errorf("described as %+v", got)
			}
		})
	}
}

func TestIPv4OnlyDatabase(t *testing.T) {
	path := mustWrite(t, t.TempDir(), "v4.mmdb", mustMMDB(t, "GeoLite2-ASN", 4, records{
		"192.0.2.0/24": asRecord(64500, "Example Networks")}))
	l, reports := mustOpen(t, Options{Databases: []string{path}})
	if got := l.Locate(addr("::ffff:192.0.2.1")); got.ASNumber != 64500 {
		t.Errorf("%+v, want AS64500", got)
	}
	if got := l.Locate(addr("2001:db8::1")); got.ASNumber != 0 || got.Special != "documentation" {
		t.Errorf("%+v, want documentation", got)
	}
	if got := reports.take(); len(got) != 0 {
		t.Errorf("reported %q", got)
	}
}
