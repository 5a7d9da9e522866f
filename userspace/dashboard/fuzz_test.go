// SPDX-License-Identifier: MIT

package dashboard

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

// FuzzRequests sends any request, signed in or not. Nobody gets in without
// a session, nothing that must not be lost is banned or denied unless
// forced, no request breaks the page, and every answer is guarded.
func FuzzRequests(f *testing.F) {
	b := newBench(f)
	c := b.signIn()
	handler := b.handler()
	for _, r := range b.api() {
		target := strings.Replace(r.path, "{list}", "deny", 1)
		for _, signed := range []bool{true, false} {
			f.Add(signed, r.method, target, "Content-Type: application/json", `{}`)
		}
	}
	for _, seed := range [][3]string{
		{"GET", "/api/v1/source?address=203.0.113.7&span=hour", ""},
		{"GET", "/api/v1/source/capture?address=2001:db8::7", ""},
		{"GET", "/api/v1/scans?span=week&kind=syn&limit=5&after=x&country=GB&action=source-banned", ""},
		{"GET", "/api/v1/lists/allow?search=192&page=2", ""},
		{"POST", "/api/v1/bans", `{"source":"203.0.113.7","for":"2h","reason":"why","force":false}`},
		{"DELETE", "/api/v1/bans?source=203.0.113.7", ""},
		{"POST", "/api/v1/lists/deny", `{"addresses":"198.51.100.0/24, 2001:db8::/32","comment":"c","for":"1d"}`},
		{"POST", "/api/v1/lists/deny", `{"addresses":"192.0.2.0/24","force":true}`},
		{"DELETE", "/api/v1/lists/deny?address=198.51.100.0/24", ""},
		{"POST", "/api/v1/lists/allow/check", `{"addresses":"198.51.100.7","watch":true}`},
		{"POST", "/api/v1/lists/deny/import?comment=feed&dry=1", "198.51.100.0/24 x\n10.0.0.0/8\n"},
		{"POST", "/api/v1/settings/check", `{"changes":{"detect.ban_score":"9","mode":null,"mail.to":["a@example.org"]}}`},
		{"PUT", "/api/v1/settings", `{"changes":{"detect.ban_score":"9"},"password":"secret","confirm":"x"}`},
		{"GET", "/assets/page.js", ""}, {"GET", "/lists", ""}, {"HEAD", "/", ""}, {"POST", "/sign-in", ""},
	} {
		f.Add(true, seed[0], seed[1], "Content-Type: application/json\r\nSec-Fetch-Site: same-origin", seed[2])
	}
	f.Fuzz(func(t *testing.T, signed bool, method, target, header, body string) {
		b.t = t // one after the other: workers are processes
		text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n%s\r\n\r\n%s",
			method, target, strings.TrimPrefix(b.url, "http://"), len(body), header, body)
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			return // net/http answers by itself
		}
		b.kernel.set(nil, []event.Ban{{Source: prefix("203.0.113.9"), Until: time.Now().Add(time.Hour)}})
		if signed {
			if b.sessions.find(c.cookie.Value, true) == nil {
				c = b.signIn() // it has signed itself out
			}
			r.AddCookie(c.cookie)
			r.Header.Set(keyHeader, c.key)
		}
		if r.URL.Path == streamPath {
			gone, cancel := context.WithCancel(r.Context())
			cancel() // it would last
			r = r.WithContext(gone)
		}
		w := &recorder{httptest.NewRecorder()}
		handler.ServeHTTP(w, r)
		b.checkAnswer(t, w.ResponseRecorder, r, signed)
		b.checkUnhurt(t, r, signed, body)
	})
}

// recorder has the time limits that a connection has.
type recorder struct{ *httptest.ResponseRecorder }

func (*recorder) SetReadDeadline(time.Time) error  { return nil }
func (*recorder) SetWriteDeadline(time.Time) error { return nil }

func (b *bench) checkAnswer(t *testing.T, w *httptest.ResponseRecorder, r *http.Request, signed bool) {
	h := w.Header()
	if h.Get("Content-Security-Policy") != policy || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%s %s: an answer without a guard: %v", r.Method, r.URL, h)
	}
	if w.Code == http.StatusInternalServerError {
		t.Errorf("%s %s: %d %s", r.Method, r.URL, w.Code, w.Body)
	}
	if h.Get("Content-Type") == "application/json" && !json.Valid(w.Body.Bytes()) {
		t.Errorf("%s %s: not JSON: %s", r.Method, r.URL, w.Body)
	}
	if !signed && w.Code < 300 && !(r.URL.Path == signInPath || openAssets[r.URL.Path]) {
		t.Errorf("%s %s: %d without a session: %s", r.Method, r.URL, w.Code, w.Body)
	}
}

// checkUnhurt looks at what a request left behind, and takes it away.
func (b *bench) checkUnhurt(t *testing.T, r *http.Request, signed bool, body string) {
	bans, err := b.kernel.Bans()
	if err != nil {
		t.Fatal(err)
	}
	deny := b.read("deny.list")
	left := deny + b.read("allow.list") + b.read("conf.d/"+PageFile) + b.read("state/"+PasswordFile)
	if !signed && (len(bans) != 1 || left != "") {
		t.Errorf("%s %s without a session: bans %+v, files %q", r.Method, r.URL, bans, left)
	}
	var forced struct {
		Force bool `json:"force"`
	}
	// What is no JSON forces nothing.
	_ = json.Unmarshal([]byte(body), &forced)
	if forced.Force = forced.Force || r.URL.Query().Has("force"); !forced.Force {
		for _, p := range b.precious {
			if slices.ContainsFunc(bans, func(ban event.Ban) bool { return ban.Source.Contains(p.Addr) }) || strings.Contains(deny, p.Addr.String()) {
				t.Errorf("%s %s %s: %s is cut off: bans %+v, deny list %q", r.Method, r.URL, body, p.Addr, bans, deny)
			}
		}
	}
	if left == "" {
		return
	}
	for _, name := range []string{"deny.list", "allow.list", "conf.d/" + PageFile, "state/" + PasswordFile} {
		if err := os.Remove(b.path(name)); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := b.load(); err != nil {
		t.Fatal(err)
	}
}
