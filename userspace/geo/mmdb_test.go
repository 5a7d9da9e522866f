// SPDX-License-Identifier: MIT

package geo

import (
	"bytes"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

const testEpoch = 1_767_312_000 // 2026-01-02

type records map[string]mmdbtype.DataType

func names(en string) mmdbtype.Map {
	return mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(en), "de": mmdbtype.String("falsch")}}
}

func with(m mmdbtype.Map, key, value string) mmdbtype.Map {
	m[mmdbtype.String(key)] = mmdbtype.String(value)
	return m
}

// cityRecord is the layout of GeoLite2-City, GeoIP2-City and DB-IP.
func cityRecord(code, country, city string, lat, lng float64) mmdbtype.Map {
	return mmdbtype.Map{
		"continent": with(names("Europe"), "code", "EU"),
		"country":   with(names(country), "iso_code", code),
		"city":      names(city),
		"location":  mmdbtype.Map{"latitude": mmdbtype.Float64(lat), "longitude": mmdbtype.Float64(lng)},
	}
}

// asRecord is the layout of GeoLite2-ASN, DB-IP ASN and ip-location-db.
func asRecord(number uint32, name string) mmdbtype.Map {
	return mmdbtype.Map{
		"autonomous_system_number":       mmdbtype.Uint32(number),
		"autonomous_system_organization": mmdbtype.String(name),
	}
}

func mustMMDB(t testing.TB, kind string, ipVersion int, all records) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: kind, IPVersion: ipVersion, BuildEpoch: testEpoch,
		IncludeReservedNetworks: true, // documentation prefixes are reserved
	})
	if err != nil {
		t.Fatal(err)
	}
	for prefix, record := range all {
		_, network, err := net.ParseCIDR(prefix)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, record); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if _, err := tree.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// mustWrite puts content into dir/name by renaming, as updaters do.
func mustWrite(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines collects reports.
type lines struct {
	mu  sync.Mutex
	got []string
}

func (l *lines) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, s)
}

// take returns the reports since the last call.
func (l *lines) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.got
	l.got = nil
	return got
}

// mustOpen opens a Locator that does not watch by itself.
func mustOpen(t testing.TB, o Options) (*Locator, *lines) {
	t.Helper()
	l := &lines{}
	o.Report = l.add
	if o.Poll == 0 {
		o.Poll = -1
	}
	if o.Budget == 0 {
		o.Budget = 10 * time.Second // a slow machine is not what these tests are about
	}
	locator, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := locator.Close(); err != nil {
			t.Error(err)
		}
	})
	return locator, l
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within 10 s", what)
		}
	}
}
