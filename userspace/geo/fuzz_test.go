// SPDX-License-Identifier: MIT

package geo

import (
	"math"
	"testing"
	"unicode/utf8"
)

// FuzzMMDB puts arbitrary bytes where a database should be: opening and
// asking it may fail and must not do worse, and what comes out is tidy.
func FuzzMMDB(f *testing.F) {
	f.Add(mustMMDB(f, "GeoLite2-City", 6, records{
		"192.0.2.0/24": cityRecord("GB", "United Kingdom", "London", 51.5, -0.125)}))
	f.Add(mustMMDB(f, "GeoLite2-ASN", 4, records{"192.0.2.0/24": asRecord(64500, "Example Networks")}))
	f.Add(countryMMDB(f, "GB"))
	f.Add([]byte("\xab\xcd\xefMaxMind.com"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		path := mustWrite(t, dir, "fuzz.mmdb", content)
		db, _, err := openDatabase(path, "", func(string) {})
		if err != nil {
			return
		}
		for _, a := range []string{"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "ffff::ffff"} {
			p, _, err := db.lookup(addr(a))
			if err != nil {
				continue
			}
			if p != tidy(p) || !utf8.ValidString(p.City) || len(p.City) > maxText || math.IsNaN(p.Latitude) {
				t.Fatalf("%s: untidy %+v", a, p)
			}
		}
	})
}
