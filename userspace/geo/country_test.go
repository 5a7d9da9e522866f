// SPDX-License-Identifier: MIT

package geo

import (
	"strings"
	"testing"

	"golang.org/x/text/language"

	"denmap/userspace/geo/countrydb"
)

func TestCountryName(t *testing.T) {
	for code, want := range map[string]string{
		"AD": "Andorra", "GB": "United Kingdom", "CI": "Côte d'Ivoire", "ZW": "Zimbabwe", "XK": "Kosovo",
		"ZZ": "", "": "", "G": "", "GBR": "", "gb": "", "\nA": "", " A": "",
	} {
		if got := countryName(code); got != want {
			t.Errorf("%q is %q, want %q", code, got, want)
		}
	}
}

// notInISO are the codes that Unicode takes for countries besides those
// of ISO 3166-1: withdrawn ones, exceptional reservations and private use.
const notInISO = "AC AN BU CP CQ CS CT DD DG DY EA EZ FQ FX HV IC JT MI NH NQ NT PC PU PZ QO QU RH SU TA TP UK UN VD WK XA XB YD YU ZR ZZ"

// Every country that the Unicode data or the built-in database knows has
// a name, and the table has no line too many.
func TestCountriesAreComplete(t *testing.T) {
	known := map[string]bool{"EU": true, "XK": true}
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string(a) + string(b)
			region, err := language.ParseRegion(code)
			if err == nil && region.IsCountry() && !strings.Contains(notInISO, code) {
				known[code] = true
			}
		}
	}
	for code := range known {
		if countryName(code) == "" {
			t.Errorf("%s has no name", code)
		}
	}
	for line := range strings.Lines(countries[1:]) {
		if !known[line[:2]] {
			t.Errorf("%q is not a country", strings.TrimSpace(line))
		}
	}
	db, err := countrydb.BuiltIn()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range db.Countries() {
		if countryName(code) == "" {
			t.Logf("the built-in database has %s, which is no country and is left out", code)
		}
	}
}
