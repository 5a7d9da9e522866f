// SPDX-License-Identifier: MIT

package dashboard

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

// TestHost refuses names that are not this host's own, whatever they
// resolve to.
func TestHost(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	port := b.url[strings.LastIndexByte(b.url, ':'):]
	for _, name := range []string{"127.0.0.1" + port, "localhost" + port, "[::1]" + port, "LocalHost" + port} {
		c.do("GET", "/api/v1/now", nil, host(name)).want(http.StatusOK)
	}
	for _, name := range []string{
		"rebind.example" + port, "127.0.0.1", "localhost", "127.0.0.1:1", "localhost.example" + port, "127.0.0.1.example" + port,
		"0.0.0.0" + port, "192.0.2.10" + port, "127.0.0.1" + port + ".", "", "127.0.0.2" + port,
	} {
		if name == "" {
			continue // the client sends none, which HTTP/1.1 forbids
		}
		r := c.do("GET", "/api/v1/now", nil, host(name)).want(http.StatusMisdirectedRequest)
		if strings.Contains(strings.ToLower(r.body), "denmap") {
			t.Errorf("host %q learns %q", name, r.body)
		}
		c.do("GET", "/sign-in", nil, host(name)).want(http.StatusMisdirectedRequest)
		c.do("POST", "/api/v1/bans", map[string]any{"source": "198.51.100.9"}, host(name)).want(http.StatusMisdirectedRequest)
	}
	if bans, _ := b.kernel.Bans(); len(bans) > 0 {
		t.Errorf("a foreign host banned %v", bans)
	}
}

// TestOrigin refuses requests that a browser sends for another site.
func TestOrigin(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	ban := map[string]any{"source": "198.51.100.9"}
	for _, origin := range []string{"http://rebind.example", "https://127.0.0.1", "null", "http://127.0.0.1:1", "http://localhost", b.url + ".example", strings.Replace(b.url, "http", "https", 1)} {
		c.do("POST", "/api/v1/bans", ban, header("Origin", origin)).want(http.StatusForbidden)
		c.do("GET", "/api/v1/now", nil, header("Origin", origin)).want(http.StatusForbidden)
		c.do("POST", "/api/v1/sign-in", map[string]any{"token": b.token()}, header("Origin", origin)).want(http.StatusForbidden)
	}
	two := func(r *http.Request) { r.Header["Origin"] = []string{b.url, b.url} }
	c.do("POST", "/api/v1/bans", ban, two).want(http.StatusForbidden)
	for _, site := range []string{"cross-site", "same-site", "none"} {
		c.do("POST", "/api/v1/bans", ban, header("Sec-Fetch-Site", site)).want(http.StatusForbidden)
		c.do("DELETE", "/api/v1/bans?source=198.51.100.9", nil, header("Sec-Fetch-Site", site)).want(http.StatusForbidden)
	}
	for _, site := range []string{"cross-site", "same-site"} {
		c.do("GET", "/api/v1/now", nil, header("Sec-Fetch-Site", site)).want(http.StatusForbidden)
		c.do("GET", "/assets/page.css", nil, header("Sec-Fetch-Site", site)).want(http.StatusForbidden)
		c.do("GET", "/", nil, header("Sec-Fetch-Site", site), header("Sec-Fetch-Mode", "no-cors"), header("Sec-Fetch-Dest", "iframe")).want(http.StatusForbidden)
		// A link on another site may lead to the page, but to nothing else.
		c.do("GET", "/", nil, header("Sec-Fetch-Site", site), header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Dest", "document")).want(http.StatusOK)
		c.do("GET", "/api/v1/now", nil, header("Sec-Fetch-Site", site), header("Sec-Fetch-Mode", "navigate"), header("Sec-Fetch-Dest", "document")).want(http.StatusForbidden)
	}
	if bans, _ := b.kernel.Bans(); len(bans) > 0 {
		t.Fatalf("another site banned %v", bans)
	}
	c.do("POST", "/api/v1/bans", ban, header("Origin", b.url), header("Sec-Fetch-Site", "same-origin")).want(http.StatusOK)
	c.do("GET", "/", nil, header("Sec-Fetch-Site", "none")).want(http.StatusOK)
}

// TestStranger: who has not signed in gets the sign-in page, the same for
// every path, and learns nothing else.
func TestStranger(t *testing.T) {
	b := newBench(t)
	b.demo(5)
	stranger := &client{b: b}
	page := stranger.do("GET", "/sign-in", nil).want(http.StatusOK, "<title>Sign in</title>").body
	for _, path := range []string{"/", "/map", "/settings", "/source?address=203.0.113.7", "/no-such-page", "/assets/page.css", "/assets/world.json", "/assets/", "/metrics"} {
		if r := stranger.do("GET", path, nil).want(http.StatusUnauthorized); r.body != page {
			t.Errorf("GET %s is not the sign-in page: %.200s", path, r.body)
		}
	}
	for _, r := range b.api() {
		if r.path == signInAPIPath {
			continue
		}
		path := strings.ReplaceAll(r.path, "{list}", "allow")
		got := stranger.do(r.method, path, map[string]any{}).want(http.StatusUnauthorized)
		if got.body != `{"error":"sign in first"}`+"\n" {
			t.Errorf("%s %s tells %q", r.method, path, got.body)
		}
	}
	stranger.do("GET", "/api/v1/no-such", nil).want(http.StatusUnauthorized)
	stranger.do("POST", "/", nil).want(http.StatusUnauthorized)
	for _, path := range []string{"/assets/signin.css", "/assets/signin.js", "/assets/icon.svg"} {
		stranger.do("GET", path, nil).want(http.StatusOK)
	}
	for _, secret := range []string{b.opts.Version, b.opts.Hostname, "denmap.yaml", "eth0", "203.0.113"} {
		if strings.Contains(page, secret) {
			t.Errorf("the sign-in page tells %q", secret)
		}
	}
	r := stranger.do("GET", "/", nil)
	if got := r.Header.Get("Server"); got != "" {
		t.Errorf("Server: %q", got)
	}
}

// TestKey: the cookie alone, which other ports of this host get to see, is
// worth nothing for the API, and neither is the key alone.
func TestKey(t *testing.T) {
	b := newBench(t)
	c, other := b.signIn(), b.signIn()
	for name, wrong := range map[string]*client{
		"no key":             {b: b, cookie: c.cookie},
		"no cookie":          {b: b, key: c.key},
		"another's key":      {b: b, cookie: c.cookie, key: other.key},
		"the cookie as key":  {b: b, cookie: c.cookie, key: c.cookie.Value},
		"a key that is part": {b: b, cookie: c.cookie, key: c.key[:20]},
	} {
		for _, r := range b.api() {
			if r.path == signInAPIPath {
				continue
			}
			path := strings.ReplaceAll(r.path, "{list}", "allow")
			if got := wrong.do(r.method, path, map[string]any{}); got.status != http.StatusUnauthorized {
				t.Errorf("%s: %s %s: %d %s", name, r.method, path, got.status, got.body)
			}
		}
	}
	// Somebody else on this host has set a cookie of the same name.
	c.do("GET", "/api/v1/now", nil, func(r *http.Request) { r.AddCookie(&http.Cookie{Name: cookieName, Value: "planted"}) }).want(http.StatusUnauthorized)
	c.do("GET", "/api/v1/now", nil).want(http.StatusOK)
}

// TestHeaders holds for every answer, refusals included.
func TestHeaders(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	answers := []reply{
		c.do("GET", "/", nil), c.do("GET", "/assets/now.js", nil), c.do("GET", "/api/v1/now", nil), c.do("GET", "/api/v1/none", nil),
		(&client{b: b}).do("GET", "/", nil), (&client{b: b}).do("GET", "/sign-in", nil), c.do("GET", "/", nil, host("rebind.example")),
	}
	for _, r := range answers {
		h := r.Header
		csp := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: no %q in the policy %q", r.Request.URL.Path, part, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") || strings.Contains(csp, "*") {
			t.Errorf("%s: policy %q", r.Request.URL.Path, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", r.Request.URL.Path, name, got, want)
			}
		}
		if cache := h.Get("Cache-Control"); cache != "no-store" && cache != "private, no-cache" {
			t.Errorf("%s: Cache-Control: %q", r.Request.URL.Path, cache)
		}
		if got := h.Get("Access-Control-Allow-Origin"); got != "" {
			t.Errorf("%s: Access-Control-Allow-Origin: %q", r.Request.URL.Path, got)
		}
	}
}

// TestMethods: what changes something is no GET, and other methods are
// refused.
func TestMethods(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	for _, method := range []string{"OPTIONS", "TRACE", "PATCH", "CONNECT", "HEAD"} {
		c.do(method, "/api/v1/now", nil).want(http.StatusMethodNotAllowed)
	}
	c.do("HEAD", "/", nil).want(http.StatusOK)
	for _, r := range b.api() {
		if r.method == "GET" || r.path == "/api/v1/settings" || r.path == "/api/v1/lists/{list}" {
			continue
		}
		path := strings.ReplaceAll(r.path, "{list}", "deny")
		if got := c.do("GET", path+"?source=198.51.100.1&address=198.51.100.1", nil); got.status != http.StatusNotFound {
			t.Errorf("GET %s: %d %s", path, got.status, got.body)
		}
	}
	if b.read("deny.list") != "" {
		t.Error("a GET changed the deny list")
	}
}

// TestBodies bounds what requests hold, and wants JSON said to be JSON: a
// form of another site can send neither.
func TestBodies(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	big := strings.NewReader(`{"source":"` + strings.Repeat("x", smallBody) + `"}`)
	c.do("POST", "/api/v1/bans", big, header("Content-Type", "application/json")).want(http.StatusRequestEntityTooLarge)
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""} {
		c.do("POST", "/api/v1/bans", strings.NewReader(`{"source":"198.51.100.9"}`), header("Content-Type", kind)).want(http.StatusUnsupportedMediaType)
	}
	for _, text := range []string{``, `[]`, `{`, `{"source":1}`, `{"no_such":1}`, `{} {}`, `null x`} {
		c.do("POST", "/api/v1/bans", strings.NewReader(text), header("Content-Type", "application/json")).want(http.StatusBadRequest, "read request")
	}
	if bans, _ := b.kernel.Bans(); len(bans) > 0 {
		t.Errorf("nonsense banned %v", bans)
	}
}

// TestSlow ends a client that does not come to the point.
func TestSlow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	conn := mustDial(t, b)
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: 127.")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(headerLimit + 5*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection is still open: %v", err)
	}
}
