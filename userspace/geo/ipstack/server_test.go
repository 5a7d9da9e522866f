// SPDX-License-Identifier: MIT

package ipstack

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"
)

const testKey = "0123456789abcdef0123456789ABCDEF"

// The bodies follow ipstack's documentation: fields, types and nulls.
const (
	knownBody = `{"ip":"192.0.2.7","hostname":"192.0.2.7","type":"ipv4",
"continent_code":"NA","continent_name":"North America","country_code":"US","country_name":"United States",
"region_code":"CA","region_name":"California","city":"Los Angeles","zip":"90013",
"latitude":34.0453,"longitude":-118.2413,
"location":{"geoname_id":5368361,"capital":"Washington D.C.","languages":[{"code":"en","name":"English","native":"English"}],
"calling_code":"1","is_eu":false},
"time_zone":{"id":"America/Los_Angeles","gmt_offset":-25200},
"connection":{"asn":64500,"isp":"Example Networks"},
"security":{"is_proxy":false,"threat_types":null}}`
	unknownBody = `{"ip":"192.0.2.8","type":"ipv4","continent_code":null,"continent_name":null,
"country_code":null,"country_name":null,"region_code":null,"city":null,"zip":null,
"latitude":null,"longitude":null,"location":{"geoname_id":null,"capital":null}}`
	quotaBody = `{"success":false,"error":{"code":104,"type":"usage_limit_reached",
"info":"Your monthly API request volume has been reached. Please upgrade your plan."}}`
	keyBody = `{"success":false,"error":{"code":101,"type":"invalid_access_key",
"info":"You have not supplied a valid API Access Key ` + testKey + `."}}`
	planBody = `{"success":false,"error":{"code":105,"type":"https_access_restricted",
"info":"Access Restricted - Your current Subscription Plan does not support HTTPS Encryption."}}`
	addressBody = `{"success":false,"error":{"code":106,"type":"invalid_ip_address",
"info":"The IP Address supplied is invalid."}}`
)

// server plays ipstack: it gives the current answer to every question and
// keeps the questions.
type server struct {
	*httptest.Server
	mu    sync.Mutex
	reply http.HandlerFunc
	paths []string
	keys  []string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.answer(200, knownBody)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.paths = append(s.paths, r.URL.Path)
		s.keys = append(s.keys, r.URL.Query().Get("access_key"))
		reply := s.reply
		s.mu.Unlock()
		reply(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) answer(status int, body string) {
	s.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func (s *server) handle(f http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = f
}

func (s *server) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.paths...)
}

// clock is a settable time; sleeping moves it.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	slept time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	c.Advance(d)
	c.mu.Lock()
	c.slept += d
	c.mu.Unlock()
	return ctx.Err()
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

func (l *lines) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string(nil), l.got...)
}

func mustNew(t *testing.T, s *server) (*Source, *clock, *lines) {
	t.Helper()
	c, l := newClock(), &lines{}
	source, err := New(Options{Key: testKey, Endpoint: s.URL, Client: s.Client(), Clock: c.Now, Report: l.add})
	if err != nil {
		t.Fatal(err)
	}
	source.sleep = c.Sleep
	return source, c, l
}

func mustAddr(s string) netip.Addr { return netip.MustParseAddr(s) }
