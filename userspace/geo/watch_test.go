// SPDX-License-Identifier: MIT

package geo

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter/mmdbtype"
	"golang.org/x/sys/unix"

	"denmap/userspace/event"
)

func countryMMDB(t testing.TB, code string) []byte {
	return mustMMDB(t, "country", 6, records{
		"192.0.2.0/24": mmdbtype.Map{"country_code": mmdbtype.String(code)}})
}

func country(l *Locator) string { return l.Locate(addr("192.0.2.1")).CountryISO }

func TestReplacedFiles(t *testing.T) {
	for _, row := range []struct {
		name     string
		cacheDir string
		replace  func(t *testing.T, path string, content []byte)
	}{
		{"renamed, mapped itself", "", rename},
		{"renamed, copied", t.TempDir(), rename},
		{"overwritten in place, copied", t.TempDir(), overwrite},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			path := mustWrite(t, dir, "test.mmdb", countryMMDB(t, "GB"))
			l, reports := mustOpen(t, Options{Databases: []string{path}, CacheDir: row.cacheDir})
			if got := country(l); got != "GB" {
				t.Fatalf("%q, want GB", got)
			}
			if row.cacheDir != "" {
				if left, err := os.ReadDir(row.cacheDir); err != nil || len(left) != 0 {
					t.Errorf("the copy has a name: %v, %v", left, err)
				}
			}
			row.replace(t, path, countryMMDB(t, "DE"))
			l.poll()
			if got := country(l); got != "GB" {
				t.Errorf("%q as soon as the file changed, want GB until it has settled", got)
			}
			l.poll()
			if got := country(l); got != "DE" {
				t.Errorf("%q, want DE", got)
			}
			if got := reports.take(); len(got) != 1 || !strings.Contains(got[0], "loaded database") {
				t.Errorf("reported %q", got)
			}

			// Half a file, growing as a slow copy does, then the rest.
			whole := countryMMDB(t, "FR")
			for part := 1; part < 5; part++ {
				row.replace(t, path, whole[:part*len(whole)/5])
				for range 3 {
					l.poll()
					if got := country(l); got != "DE" {
						t.Errorf("%q from a part of a file, want DE", got)
					}
				}
			}
			if got := reports.take(); len(got) != 1 || !strings.Contains(got[0], "last good version stays in use") {
				t.Errorf("reported %q, want one complaint", got)
			}
			row.replace(t, path, whole)
			l.poll()
			l.poll()
			if got := country(l); got != "FR" {
				t.Errorf("%q, want FR", got)
			}
			if got := reports.take(); len(got) != 1 {
				t.Errorf("reported %q", got)
			}

			// Gone: the data stays, one line says so.
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				l.poll()
			}
			if got := country(l); got != "FR" {
				t.Errorf("%q after the file went, want FR", got)
			}
			if got := reports.take(); len(got) != 1 || !strings.Contains(got[0], "no such file") {
				t.Errorf("reported %q", got)
			}
			for range 3 {
				l.poll()
			}
			if got := reports.take(); len(got) != 0 {
				t.Errorf("reported again: %q", got)
			}
		})
	}
}

func rename(t *testing.T, path string, content []byte) {
	t.Helper()
	mustWrite(t, filepath.Dir(path), filepath.Base(path), content)
}

func overwrite(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestBrokenFilesAtStart(t *testing.T) {
	dir := t.TempDir()
	good := mustWrite(t, dir, "good.mmdb", countryMMDB(t, "GB"))
	whole := countryMMDB(t, "DE")
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := []string{
		filepath.Join(dir, "missing.mmdb"),
		mustWrite(t, dir, "empty.mmdb", nil),
		mustWrite(t, dir, "text.mmdb", []byte("not a database\n")),
		mustWrite(t, dir, "half.mmdb", whole[:len(whole)/2]),
		dir, fifo,
	}
	var got lines
	l, err := Open(Options{Databases: append(append([]string{}, bad...), good), Poll: -1, Report: got.add})
	//lint:ignore SA5001 there is a Locator with an error too
	defer l.Close()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("%v, want a joined error", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(bad) || len(joined.Unwrap()) != len(bad) {
		t.Fatalf("%d lines, want %d:\n%v", len(lines), len(bad), err)
	}
	for i, path := range bad {
		if !strings.HasPrefix(lines[i], `open database "`+path+`": `) {
			t.Errorf("%q does not name %s", lines[i], path)
		}
	}
	if got := country(l); got != "GB" {
		t.Errorf("%q from the good one, want GB", got)
	}
	for range 3 {
		l.poll()
	}
	if got := got.take(); len(got) != 0 {
		t.Errorf("reported what Open had returned: %q", got)
	}
	mustWrite(t, dir, "missing.mmdb", whole)
	if err := l.Reload(); err == nil || strings.Contains(err.Error(), "missing.mmdb") {
		t.Errorf("reload: %v", err)
	}
	if got := country(l); got != "DE" {
		t.Errorf("%q once the first one is there, want DE", got)
	}
}

func TestWatching(t *testing.T) {
	path := mustWrite(t, t.TempDir(), "test.mmdb", countryMMDB(t, "GB"))
	l, _ := mustOpen(t, Options{Databases: []string{path}, Poll: time.Millisecond})
	mustWrite(t, filepath.Dir(path), "test.mmdb", countryMMDB(t, "DE"))
	waitFor(t, "new data", func() bool { return country(l) == "DE" })
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if got := country(l); got != "DE" {
		t.Errorf("%q after Close, want DE", got)
	}
}

// Look-ups go on while files are replaced under them.
func TestConcurrentReplacement(t *testing.T) {
	path := mustWrite(t, t.TempDir(), "test.mmdb", countryMMDB(t, "GB"))
	l, _ := mustOpen(t, Options{Databases: []string{path}})
	versions := [][]byte{countryMMDB(t, "DE"), countryMMDB(t, "GB")}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for !stop.Load() {
				if got := country(l); got != "GB" && got != "DE" {
					t.Errorf("%q, want one of the two", got)
					return
				}
			}
		})
	}
	for i := range 100 {
		rename(t, path, versions[i%2])
		if err := l.Reload(); err != nil {
			t.Error(err)
		}
	}
	stop.Store(true)
	wg.Wait()
}

// Cutting a mapped file short makes reading it fault; that must stay an
// error of the look-up.
func TestFileCutShortWhileMapped(t *testing.T) {
	all := records{"192.0.2.0/24": mmdbtype.Map{"country_code": mmdbtype.String("GB")}}
	for i := range 256 { // several pages
		all[fmt.Sprintf("2001:db8:%x::/48", i)] = mmdbtype.Map{"country_code": mmdbtype.String("DE")}
	}
	path := mustWrite(t, t.TempDir(), "test.mmdb", mustMMDB(t, "country", 6, all))
	l, reports := mustOpen(t, Options{Databases: []string{path}})
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		want := event.Place{Special: "documentation", Database: IANA}
		if got := l.Locate(addr("192.0.2.1")); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if got := reports.take(); len(got) != 1 || !strings.Contains(got[0], "unreadable") {
		t.Errorf("reported %q, want one line", got)
	}
}

func TestIPStack(t *testing.T) {
	var asked []string
	var mu sync.Mutex
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.URL.Path)
		mu.Unlock()
		_, _ = w.Write([]byte(`{"country_code":"NL","country_name":"Netherlands","city":"Amster\u001bdam",
			"latitude":52.4,"longitude":4.9,"connection":{"asn":3333,"isp":"RIPE NCC"}}`))
	}))
	defer srv.Close()
	dir := t.TempDir()
	key := mustWrite(t, dir, "key", []byte("0123456789abcdef\n"))
	path := mustWrite(t, dir, "city.mmdb", mustMMDB(t, "GeoLite2-City", 6, records{
		"193.0.0.0/24": cityRecord("NL", "Netherlands", "Utrecht", 52.1, 5.1)}))
	l, reports := mustOpen(t, Options{Databases: []string{path}, IPStackKeyFile: key, Endpoint: srv.URL, HTTPClient: srv.Client()})

	if got := l.Locate(addr(ripe)); got.City != "" || got.CountryISO != "NL" || got.Database != BuiltIn {
		t.Errorf("at first: %+v, want the built-in answer", got)
	}
	want := event.Place{CountryISO: "NL", Country: "Netherlands", City: "Amsterdam", Latitude: 52.4, Longitude: 4.9,
		HasCoordinates: true, ASNumber: 3333, ASName: "RIPE NCC", Database: IPStack}
	waitFor(t, "online answer", func() bool { return l.Locate(addr(ripe)) == want })

	// Neither what a file knows nor special addresses are sent anywhere.
	l.Locate(addr("193.0.0.1"))
	l.Locate(addr("10.0.0.1"))
	l.Locate(addr("192.0.2.1"))
	answers := l.Describe(t.Context(), addr(ripe))
	if len(answers) != 3 || answers[1].Database != IPStack || answers[1].Place.City != "Amsterdam" || answers[1].Err != nil {
		t.Errorf("%+v", answers)
	}
	mu.Lock()
	defer mu.Unlock()
	if want := []string{"/" + ripe}; !reflect.DeepEqual(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
	if got := reports.take(); len(got) != 0 {
		t.Errorf("reported %q", got)
	}
}

func TestIPStackKeyFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	var got lines
	l, err := Open(Options{IPStackKeyFile: path, Endpoint: "http://192.0.2.1:9", Report: got.add})
	//lint:ignore SA5001 there is a Locator with an error too
	defer l.Close()
	if err == nil || !strings.Contains(err.Error(), "no such file") || l.online.Load() != nil {
		t.Errorf("missing key: %v", err)
	}
	if err := os.WriteFile(path, []byte("secret1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err != nil || l.online.Load() == nil {
		t.Errorf("reload: %v", err)
	}
	first := l.online.Load()
	if lines := got.take(); len(lines) != 1 || !strings.Contains(lines[0], "chmod") || strings.Contains(lines[0], "secret1") {
		t.Errorf("reported %q", lines)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(); err != nil || l.online.Load() != first {
		t.Errorf("reload with the same key: %v, or its memory was lost", err)
	}
	mustWrite(t, dir, "key", []byte("secret2"))
	if err := l.Reload(); err != nil || l.online.Load() == first {
		t.Errorf("reload with a new key: %v, or the old one stays", err)
	}
}
