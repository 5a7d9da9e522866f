// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// writeMMDB makes a database that knows 203.0.113.0/24, built on the day
// of the tests, and returns its path.
func (c *console) writeMMDB() string {
	c.t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "Test-City\x1b[31m", BuildEpoch: testNow.Unix(),
		IncludeReservedNetworks: true, // documentation prefixes are reserved
	})
	if err != nil {
		c.t.Fatal(err)
	}
	english := func(s string) mmdbtype.Map {
		return mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(s)}}
	}
	country := english("Germany")
	country["iso_code"] = mmdbtype.String("DE")
	_, network, err := net.ParseCIDR("203.0.113.0/24")
	if err != nil {
		c.t.Fatal(err)
	}
	record := mmdbtype.Map{
		"country": country, "city": english("Hannover"),
		"location": mmdbtype.Map{"latitude": mmdbtype.Float64(52.37), "longitude": mmdbtype.Float64(9.73)},
		"traits": mmdbtype.Map{
			"autonomous_system_number": mmdbtype.Uint32(64500), "autonomous_system_organization": mmdbtype.String("Example Net"),
		},
	}
	if err := tree.Insert(network, record); err != nil {
		c.t.Fatal(err)
	}
	file, err := os.Create(c.path("test.mmdb"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer file.Close()
	if _, err := tree.WriteTo(file); err != nil {
		c.t.Fatal(err)
	}
	return file.Name()
}

func TestGeo(t *testing.T) {
	c := newConsole(t)
	c.configure("geo: {databases: [" + c.writeMMDB() + "]}\n")
	c.expect("geo 203.0.113.9 192.0.2.1 10.0.0.1", outcome{stdout: `203.0.113.9: Hannover, Germany (DE), AS64500 Example Net, at 52.3700 9.7300
  test.mmdb of 2026-01-02  203.0.113.0/24  Hannover, Germany (DE), AS64500 Example Net, at 52.3700 9.7300
  IANA                     203.0.113.0/24  documentation address

192.0.2.1: documentation address
  test.mmdb of 2026-01-02  -             unknown
  IANA                     192.0.2.0/24  documentation address

10.0.0.1: private address
  test.mmdb of 2026-01-02  -           unknown
  IANA                     10.0.0.0/8  private address
`})
	c.contains("geo 8.8.8.8", 0, "8.8.8.8: United States (US)\n", "built-in of ", "/")

	got := c.run("geo", "--json", "203.0.113.9", "64:ff9b::a00:1")
	var doc geoReport
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("%v in %+v", err, got)
	}
	if doc.Schema != 1 || len(doc.Addresses) != 2 {
		t.Fatalf("document %+v", doc)
	}
	p := doc.Addresses[0].Place
	if p.CountryISO != "DE" || p.Country != "Germany" || p.City != "Hannover" || p.ASNumber != 64500 || p.ASName != "Example Net" ||
		p.Location == nil || p.Location.Lat != 52.37 || p.Database != "test.mmdb" {
		t.Errorf("place %+v", p)
	}
	a := doc.Addresses[0].Answers[0]
	if a.Database != "test.mmdb" || a.Network != "203.0.113.0/24" || !a.Built.Equal(testNow.Truncate(time.Second)) || a.Path == "" {
		t.Errorf("answer %+v", a)
	}
	if special := doc.Addresses[1].Place.Special; special != "private" {
		t.Errorf("special use %q", special)
	}
}

// TestGeoTrouble answers with what there is, says what there is not, and
// fails.
func TestGeoTrouble(t *testing.T) {
	c := newConsole(t)
	c.write("corrupt.mmdb", strings.Repeat("no database", 1000))
	c.write("key", "not a key\n")
	c.configure("geo: {databases: [" + c.path("corrupt.mmdb") + ", " + c.path("none.mmdb") + "], ipstack_key_file: " + c.path("key") + "}\n")
	got := c.run("geo", "192.0.2.1")
	if got.code != 1 || !strings.HasPrefix(got.stdout, "192.0.2.1: documentation address\n") {
		t.Errorf("outcome %+v", got)
	}
	for _, text := range []string{
		`open database "$DIR/corrupt.mmdb": not an intact MMDB file`, `open database "$DIR/none.mmdb": no such file or directory`,
		`read ipstack key file "$DIR/key"`,
	} {
		if !strings.Contains(got.stderr, text) {
			t.Errorf("no %q in %q", text, got.stderr)
		}
	}
	if strings.Contains(got.stderr, "not a key\n") {
		t.Errorf("the key is shown: %q", got.stderr)
	}
	c.expect("geo", refused(2, "geo: expected addresses", "usage: denmap geo ADDR..."))
	if got := c.run("geo", "192.0.2.1", "example.org"); got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, "example.org") {
		t.Errorf("a name: %+v", got)
	}
}

func TestVersionAttribution(t *testing.T) {
	c := newConsole(t)
	c.contains("version", 0, "denmap ", "built-in country database: ")
	c.contains("version --json", 0, `"attributions": [`, "built-in country database: ")
}
