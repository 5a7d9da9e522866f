// SPDX-License-Identifier: MIT

package geo

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter/mmdbtype"

	"denmap/userspace/event"
)

// A real address for what only the built-in database answers: RIPE NCC's
// own. Nothing is sent to it.
const ripe = "193.0.6.139"

func TestNoSetUp(t *testing.T) {
	l, _ := mustOpen(t, Options{})
	for address, want := range map[string]event.Place{
		ripe:                   {CountryISO: "NL", Country: "Netherlands", Database: BuiltIn},
		"64:ff9b::193.0.6.139": {CountryISO: "NL", Country: "Netherlands", Database: BuiltIn},
		"2002:c100:68b::1":     {CountryISO: "NL", Country: "Netherlands", Database: BuiltIn},
		"192.0.2.1":            {Special: "documentation", Database: IANA},
		"2001:db8::1":          {Special: "documentation", Database: IANA},
		"64:ff9b::192.168.0.1": {Special: "private", Database: IANA},
		"fe80::1%eth0":         {Special: "link-local", Database: IANA},
		"100.64.0.1":           {Special: "shared", Database: IANA},
	} {
		if got := l.Locate(addr(address)); got != want {
			t.Errorf("%s: %+v, want %+v", address, got, want)
		}
	}
	if got := l.Locate(netip.Addr{}); got != (event.Place{}) {
		t.Errorf("no address: %+v", got)
	}
}

func TestSeveralFiles(t *testing.T) {
	dir := t.TempDir()
	city := mustWrite(t, dir, "city.mmdb", mustMMDB(t, "GeoLite2-City", 6, records{
		"192.0.2.0/24":    cityRecord("GB", "United Kingdom", "London", 51.5, -0.125),
		"198.51.100.0/25": mmdbtype.Map{"country": with(names("United Kingdom"), "iso_code", "GB")},
		"10.0.0.0/8":      cityRecord("DE", "Germany", "Berlin", 52.5, 13.4),
	}))
	as := mustWrite(t, dir, "as.mmdb", mustMMDB(t, "GeoLite2-ASN", 6, records{
		"192.0.2.0/24":   asRecord(64500, "Example Networks"),
		"203.0.113.0/24": asRecord(64501, "Other Networks"),
		"192.168.0.0/16": asRecord(64502, "Ours"),
	}))
	other := mustWrite(t, dir, "other.mmdb", mustMMDB(t, "city", 6, records{
		"192.0.2.0/24":     cityRecord("FR", "France", "Paris", 48.9, 2.4),
		"198.51.100.0/26":  cityRecord("GB", "United Kingdom", "Leeds", 53.8, -1.5),
		"198.51.100.64/26": cityRecord("FR", "France", "Paris", 48.9, 2.4),
		"193.0.0.0/20":     asRecord(64503, "Registry"),
	}))
	l, _ := mustOpen(t, Options{Databases: []string{city, as, other}})
	for address, want := range map[string]event.Place{
		"192.0.2.1": {CountryISO: "GB", Country: "United Kingdom", City: "London",
			Latitude: 51.5, Longitude: -0.125, HasCoordinates: true,
			ASNumber: 64500, ASName: "Example Networks", Database: "city.mmdb, as.mmdb"},
		"198.51.100.1": {CountryISO: "GB", Country: "United Kingdom", City: "Leeds",
			Latitude: 53.8, Longitude: -1.5, HasCoordinates: true, Database: "city.mmdb, other.mmdb"},
		"198.51.100.65": {CountryISO: "GB", Country: "United Kingdom", Database: "city.mmdb"},
		"10.1.2.3": {CountryISO: "DE", Country: "Germany", City: "Berlin",
			Latitude: 52.5, Longitude: 13.4, HasCoordinates: true, Database: "city.mmdb"},
		"203.0.113.1": {ASNumber: 64501, ASName: "Other Networks",
			Special: "documentation", Database: "as.mmdb, IANA"},
		"192.168.1.1": {ASNumber: 64502, ASName: "Ours", Special: "private", Database: "as.mmdb, IANA"},
		ripe: {CountryISO: "NL", Country: "Netherlands", ASNumber: 64503, ASName: "Registry",
			Database: "other.mmdb, built-in"},
	} {
		if got := l.Locate(addr(address)); got != want {
			t.Errorf("%s:\n%+v, want\n%+v", address, got, want)
		}
	}
}

func TestDescribe(t *testing.T) {
	path := mustWrite(t, t.TempDir(), "as.mmdb", mustMMDB(t, "GeoLite2-ASN", 6, records{
		"192.0.2.0/25": asRecord(64500, "Example Networks"),
	}))
	l, _ := mustOpen(t, Options{Databases: []string{path}})
	got := l.Describe(t.Context(), addr("64:ff9b::192.0.2.1"))
	if len(got) != 2 {
		t.Fatalf("%d answers, want 2: %+v", len(got), got)
	}
	file, iana := got[0], got[1]
	if file.Database != "as.mmdb" || file.Path != path || file.Type != "GeoLite2-ASN" ||
		file.Built.Unix() != testEpoch || file.Network.String() != "192.0.2.0/25" ||
		file.Address != addr("192.0.2.1") || file.Place.ASNumber != 64500 || file.Err != nil {
		t.Errorf("the file says %+v", file)
	}
	if iana.Database != IANA || iana.Network.String() != "192.0.2.0/24" || iana.Place.Special != "documentation" {
		t.Errorf("the registry says %+v", iana)
	}
	got = l.Describe(t.Context(), addr(ripe))
	if len(got) != 2 {
		t.Fatalf("%d answers, want 2: %+v", len(got), got)
	}
	if got[0].Place != (event.Place{}) || got[0].Err != nil {
		t.Errorf("the file says %+v", got[0])
	}
	if b := got[1]; b.Database != BuiltIn || b.Place.CountryISO != "NL" || b.Built.IsZero() || !b.Network.Contains(addr(ripe)) {
		t.Errorf("the built-in database says %+v", b)
	}
	if got := l.Describe(t.Context(), netip.Addr{}); got != nil {
		t.Errorf("no address: %+v", got)
	}
}

// slowSource hangs until released, like a file on a disk that does.
type slowSource struct {
	entered chan struct{}
	release chan struct{}
}

func (s *slowSource) describe() Answer { return Answer{Database: "slow"} }

func (s *slowSource) lookup(netip.Addr) (event.Place, netip.Prefix, error) {
	s.entered <- struct{}{}
	<-s.release
	return event.Place{CountryISO: "GB", Country: "United Kingdom"}, netip.Prefix{}, nil
}

// brokenSource fails every look-up.
type brokenSource struct{}

func (brokenSource) describe() Answer { return Answer{Database: "broken"} }

func (brokenSource) lookup(netip.Addr) (event.Place, netip.Prefix, error) {
	return event.Place{CountryISO: "GB"}, netip.Prefix{}, errors.New("broken")
}

func TestSlowFilesAreLeftOut(t *testing.T) {
	l, reports := mustOpen(t, Options{Budget: time.Millisecond})
	slow := &slowSource{entered: make(chan struct{}, 100), release: make(chan struct{})}
	l.files.Store(&[]source{slow})
	for range 100 {
		if got := l.Locate(addr("192.0.2.1")); got.CountryISO != "" || got.Special != "documentation" {
			t.Fatalf("%+v, want what needs no file", got)
		}
	}
	if got := l.Locate(addr(ripe)); got.CountryISO != "NL" {
		t.Errorf("%+v, want the built-in answer", got)
	}
	// One look-up hangs; no second one was begun beside it.
	waitFor(t, "look-up in the slow file", func() bool { return len(slow.entered) > 0 })
	if got := len(slow.entered); got != 1 {
		t.Errorf("%d look-ups under way, want 1", got)
	}
	if got := reports.take(); len(got) != 1 || !strings.Contains(got[0], "longer than 1ms") {
		t.Errorf("reported %q, want one line", got)
	}
	close(slow.release)
	waitFor(t, "end of the slow look-up", func() bool { return l.stuck.Load() == 0 })
	l.opts.Budget = 10 * time.Second
	if got := l.Locate(addr("192.0.2.1")); got.CountryISO != "GB" {
		t.Errorf("%+v after the disk came back, want GB", got)
	}
}

func TestBrokenFileIsLeftOut(t *testing.T) {
	l, _ := mustOpen(t, Options{})
	l.files.Store(&[]source{brokenSource{}})
	if got := l.Locate(addr("192.0.2.1")); got.CountryISO != "" || got.Special != "documentation" {
		t.Errorf("%+v, want what needs no file", got)
	}
	got := l.Describe(t.Context(), addr("192.0.2.1"))
	if len(got) != 2 || got[0].Err == nil {
		t.Errorf("%+v, want the error first", got)
	}
}

func BenchmarkLocate(b *testing.B) {
	path := mustWrite(b, b.TempDir(), "city.mmdb", mustMMDB(b, "GeoLite2-City", 6, records{
		"192.0.2.0/24": cityRecord("GB", "United Kingdom", "London", 51.5, -0.125)}))
	for name, databases := range map[string][]string{"built-in": nil, "file": {path}} {
		b.Run(name, func(b *testing.B) {
			l, _ := mustOpen(b, Options{Databases: databases})
			for b.Loop() {
				l.Locate(addr("192.0.2.1"))
				l.Locate(addr(ripe))
			}
		})
	}
}
