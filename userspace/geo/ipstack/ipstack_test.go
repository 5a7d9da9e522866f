// SPDX-License-Identifier: MIT

package ipstack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"denmap/userspace/event"
)

var known = event.Place{
	CountryISO: "US", Country: "United States", City: "Los Angeles",
	Latitude: 34.0453, Longitude: -118.2413, HasCoordinates: true,
	ASNumber: 64500, ASName: "Example Networks",
}

func TestAsk(t *testing.T) {
	srv := newServer(t)
	s, _, _ := mustNew(t, srv)
	for _, addr := range []string{"192.0.2.7", "2001:db8::7%eth0"} {
		place, err := s.Ask(t.Context(), mustAddr(addr))
		if err != nil || place != known {
			t.Errorf("%s: %+v, %v, want %+v", addr, place, err, known)
		}
	}
	if want := []string{"/192.0.2.7", "/2001:db8::7"}; !reflect.DeepEqual(srv.asked(), want) {
		t.Errorf("asked %v, want %v", srv.asked(), want)
	}
	if srv.keys[0] != testKey {
		t.Errorf("key %q was sent", srv.keys[0])
	}
}

func TestGetQueuesOnce(t *testing.T) {
	srv := newServer(t)
	s, c, _ := mustNew(t, srv)
	if _, ok := s.Get(mustAddr("192.0.2.7")); ok {
		t.Fatal("an answer before anybody asked")
	}
	s.Get(mustAddr("192.0.2.7"))
	s.Get(mustAddr("2001:db8::1"))
	s.Get(mustAddr("2001:db8::2")) // same /64
	if got := len(s.queue); got != 2 {
		t.Fatalf("%d questions queued, want 2", got)
	}
	run(t, s)
	waitFor(t, "two answers", func() bool {
		_, ok := s.Get(mustAddr("2001:db8::3"))
		return ok
	})
	if place, ok := s.Get(mustAddr("192.0.2.7")); !ok || place != known {
		t.Errorf("%+v, %v, want %+v", place, ok, known)
	}
	if got := len(srv.asked()); got != 2 {
		t.Errorf("%d requests, want 2", got)
	}
	c.Advance(answerTTL)
	if _, ok := s.Get(mustAddr("192.0.2.7")); ok {
		t.Error("an answer was kept past its time")
	}
}

func TestQueueIsBounded(t *testing.T) {
	s, _, _ := mustNew(t, newServer(t))
	for i := range 10 * maxQueued {
		s.Get(mustAddr(fmt.Sprintf("198.51.100.%d", i%256)))
		s.Get(mustAddr(fmt.Sprintf("203.0.113.%d", i%256)))
	}
	if len(s.queue) != maxQueued || len(s.pending) != maxQueued {
		t.Errorf("%d queued and %d pending, want %d", len(s.queue), len(s.pending), maxQueued)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	s, c, _ := mustNew(t, newServer(t))
	for i := range maxAnswers + 100 {
		s.settle(mustAddr(fmt.Sprintf("2001:db8:%x::1", i)), known, nil)
	}
	if got := len(s.answers); got != maxAnswers {
		t.Errorf("%d answers kept, want %d", got, maxAnswers)
	}
	last := mustAddr(fmt.Sprintf("2001:db8:%x::1", maxAnswers+99))
	if a := s.answers[unit(last)]; a.place != known || !a.expires.After(c.Now()) {
		t.Errorf("the newest answer is %+v", a)
	}
}

func TestRequestsAreASecondApart(t *testing.T) {
	s, c, _ := mustNew(t, newServer(t))
	for i := range 4 {
		if _, err := s.Ask(t.Context(), mustAddr(fmt.Sprintf("192.0.2.%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	if c.slept != 3*interval {
		t.Errorf("waited %v for four requests, want %v", c.slept, 3*interval)
	}
}

func TestNothingKnown(t *testing.T) {
	for name, body := range map[string]string{"nulls": unknownBody, "address refused": addressBody} {
		srv := newServer(t)
		srv.answer(200, body)
		s, c, l := mustNew(t, srv)
		place, _ := s.Ask(t.Context(), mustAddr("192.0.2.8"))
		if place != (event.Place{}) {
			t.Errorf("%s: %+v, want nothing", name, place)
		}
		if place, ok := s.Get(mustAddr("192.0.2.8")); !ok || place != (event.Place{}) {
			t.Errorf("%s: not remembered", name)
		}
		if len(l.all()) != 0 {
			t.Errorf("%s: reported %q", name, l.all())
		}
		c.Advance(nothingTTL)
		if _, ok := s.Get(mustAddr("192.0.2.8")); ok {
			t.Errorf("%s: remembered past its time", name)
		}
	}
}

func TestErrorsPause(t *testing.T) {
	for _, row := range []struct {
		name   string
		status int
		body   string
		want   string
		pauses []time.Duration
	}{
		{"quota", 200, quotaBody, "quota used up: usage_limit_reached (104)",
			[]time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour}},
		{"quota as text", 429, `{"error":{"code":"usage_limit_reached","type":""}}`, "quota used up: usage_limit_reached",
			[]time.Duration{time.Hour, 2 * time.Hour}},
		{"rate", 429, `<html>slow down</html>`, "too many requests: HTTP status 429",
			[]time.Duration{time.Minute, 2 * time.Minute}},
		{"key", 200, keyBody, "key refused: invalid_access_key (101)", []time.Duration{forever}},
		{"plan", 200, planBody, "key refused: https_access_restricted (105)", []time.Duration{forever}},
		{"forbidden", 403, ``, "key refused: HTTP status 403", []time.Duration{forever}},
		{"broken server", 502, `<html>`, "no answer: HTTP status 502",
			[]time.Duration{30 * time.Second, time.Minute, 2 * time.Minute}},
		{"new error", 200, `{"success":false,"error":{"code":999,"type":"We\u001b[31mhave NEWS","info":"x"}}`,
			"no answer: 999", []time.Duration{30 * time.Second}},
		{"error without details", 200, `{"success":false}`, "no answer: HTTP status 200", []time.Duration{30 * time.Second}},
		{"not json", 200, `hello`, "not the JSON", []time.Duration{30 * time.Second}},
		{"cut short", 200, knownBody[:100], "not the JSON", []time.Duration{30 * time.Second}},
		{"wrong types", 200, `{"country_code":7}`, "not the JSON", []time.Duration{30 * time.Second}},
	} {
		t.Run(row.name, func(t *testing.T) {
			srv := newServer(t)
			srv.answer(row.status, row.body)
			s, c, l := mustNew(t, srv)
			for i, pause := range row.pauses {
				_, err := s.Ask(t.Context(), mustAddr("192.0.2.7"))
				if err == nil || !strings.Contains(err.Error(), row.want) {
					t.Fatalf("failure %d: %v, want %q", i, err, row.want)
				}
				c.Advance(pause - 1)
				if _, err := s.Ask(t.Context(), mustAddr("192.0.2.9")); !errors.Is(err, ErrPaused) {
					t.Errorf("failure %d: %v just before its pause of %v ends", i, err, pause)
				}
				if _, ok := s.Get(mustAddr("192.0.2.9")); ok || len(s.queue) != 0 {
					t.Errorf("failure %d: a question was queued during the pause", i)
				}
				c.Advance(1)
			}
			if got := len(srv.asked()); got != len(row.pauses) {
				t.Errorf("%d requests, want %d", got, len(row.pauses))
			}
			if got := l.all(); len(got) != 1 || !strings.Contains(got[0], row.want) {
				t.Errorf("reported %q, want one line with %q", got, row.want)
			}
			for _, line := range l.all() {
				if strings.Contains(line, testKey) || strings.ContainsAny(line, "\x1b\n") {
					t.Errorf("report %q has the key or control characters", line)
				}
			}
			srv.answer(200, knownBody)
			if row.pauses[0] == forever {
				return
			}
			if place, err := s.Ask(t.Context(), mustAddr("192.0.2.7")); err != nil || place != known {
				t.Errorf("after the pause: %+v, %v", place, err)
			}
			if got := l.all(); len(got) != 2 || !strings.Contains(got[1], "answers again") {
				t.Errorf("reported %q, want the recovery as second line", got)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	srv := newServer(t)
	srv.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7200")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	s, c, _ := mustNew(t, srv)
	if _, err := s.Ask(t.Context(), mustAddr("192.0.2.7")); err == nil {
		t.Fatal("no error")
	}
	if want := c.Now().Add(2 * time.Hour); !s.until.Equal(want) {
		t.Errorf("paused until %v, want %v", s.until, want)
	}
}

func TestKeyIsNeverTold(t *testing.T) {
	srv := newServer(t)
	other := newServer(t)
	hang := make(chan struct{})
	defer close(hang)
	for name, reply := range map[string]http.HandlerFunc{
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.String(), http.StatusFound)
		},
		"connection cut": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
		},
		"silence": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		},
	} {
		srv.handle(reply)
		s, _, l := mustNew(t, srv)
		client := *srv.Client()
		client.Timeout = 50 * time.Millisecond
		client.CheckRedirect = s.client.CheckRedirect
		s.client = &client
		_, err := s.Ask(t.Context(), mustAddr("192.0.2.7"))
		if err == nil || len(l.all()) != 1 {
			t.Fatalf("%s: %v, reported %q", name, err, l.all())
		}
		for _, text := range append(l.all(), err.Error(), fmt.Sprintf("%+v %#v", err, err)) {
			if strings.Contains(text, testKey) || strings.Contains(text, "access_key") {
				t.Errorf("%s: %q tells the key", name, text)
			}
		}
	}
	if got := other.asked(); len(got) != 0 {
		t.Errorf("the redirect was followed: %v", got)
	}
}

func TestServerDown(t *testing.T) {
	srv := newServer(t)
	s, _, l := mustNew(t, srv)
	srv.Close()
	if _, err := s.Ask(t.Context(), mustAddr("192.0.2.7")); err == nil || strings.Contains(err.Error(), testKey) {
		t.Errorf("%v", err)
	}
	if got := l.all(); len(got) != 1 || !strings.Contains(got[0], "not asked again for 30s") {
		t.Errorf("reported %q", got)
	}
}

func TestStopWhileAsking(t *testing.T) {
	srv := newServer(t)
	asked := make(chan struct{})
	srv.handle(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})
	s, _, l := mustNew(t, srv)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	s.Get(mustAddr("192.0.2.7"))
	<-asked
	cancel()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("Run goes on")
	}
	if got := l.all(); len(got) != 0 {
		t.Errorf("stopping was reported as a failure: %q", got)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, o := range []Options{
		{}, {Key: "two words"}, {Key: testKey, Endpoint: "api.ipstack.com"},
		{Key: testKey, Endpoint: "file:///etc/passwd"}, {Key: testKey, Endpoint: "http://%zz"},
	} {
		if _, err := New(o); err == nil || strings.Contains(err.Error(), testKey) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestReadKey(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, path, want string
		exposed          bool
		err              string
	}{
		{"private", file("a", testKey+"\n", 0o600), testKey, false, ""},
		{"world-readable", file("b", "\n "+testKey+" \r\n", 0o644), testKey, true, ""},
		{"empty", file("c", "\n", 0o600), "", false, "no key"},
		{"two lines", file("d", testKey+"\n"+testKey, 0o600), "", false, "letters and digits"},
		{"huge", file("e", strings.Repeat("x y", maxKeyFile), 0o600), "", false, "letters and digits"},
		{"missing", filepath.Join(dir, "none"), "", false, "no such file"},
		{"directory", dir, "", false, "not a regular file"},
		{"fifo", fifo, "", false, "not a regular file"},
	} {
		key, exposed, err := ReadKey(row.path)
		if key != row.want || exposed != row.exposed {
			t.Errorf("%s: %q, %v", row.name, key, exposed)
		}
		if (err == nil) != (row.err == "") || err != nil && !strings.Contains(err.Error(), row.err) {
			t.Errorf("%s: %v, want %q", row.name, err, row.err)
		}
		if err != nil && (strings.Contains(err.Error(), testKey) || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: %v tells the key or takes two lines", row.name, err)
		}
	}
}

func run(t *testing.T, s *Source) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s within 10 s", what)
		}
	}
}
