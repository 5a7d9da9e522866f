// SPDX-License-Identifier: MIT

package dashboard

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

func mustDial(t *testing.T, b *bench) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (b *bench) try(token string) reply {
	return (&client{b: b}).do("POST", "/api/v1/sign-in", map[string]any{"token": token})
}

func TestSignIn(t *testing.T) {
	b := newBench(t)
	token := b.token()
	if raw, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(raw) < 16 {
		t.Errorf("token %q: %d bytes, %v, want at least 128 bits", token, len(raw), err)
	}
	r := b.try(token).want(http.StatusOK)
	var cookie *http.Cookie
	for _, c := range r.Cookies() {
		cookie = c
	}
	if cookie == nil || !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Fatalf("cookie %+v: want HttpOnly, SameSite=Strict, this host only", cookie)
	}
	if life := time.Duration(cookie.MaxAge) * time.Second; life > sessionLife || life < sessionLife-time.Minute {
		t.Errorf("cookie lives %v", life)
	}
	if strings.Contains(r.body, cookie.Value) || strings.Contains(r.body, token) {
		t.Error("the answer holds the cookie or the token")
	}
	c := &client{b: b, cookie: cookie, key: r.get("key").(string)}
	c.do("GET", "/api/v1/now", nil).want(http.StatusOK)
	c.do("GET", "/", nil).want(http.StatusOK, "<h1>Now</h1>")

	b.try(token).want(http.StatusForbidden, "used already")
	b.try("").want(http.StatusForbidden)
	b.try("x").want(http.StatusForbidden)
}

// TestLinkEnds: a link that nobody used for ten minutes is over, and of
// many links the latest hold.
func TestLinkEnds(t *testing.T) {
	b := newBench(t)
	old, fresh := b.token(), ""
	b.clock.forward(linkLife - time.Second)
	fresh = b.token()
	b.clock.forward(time.Second)
	b.try(old).want(http.StatusForbidden)
	b.try(fresh).want(http.StatusOK)
	first := b.token()
	for range maxLinks {
		fresh = b.token()
		b.clock.forward(time.Millisecond)
	}
	b.try(first).want(http.StatusForbidden)
	b.try(fresh).want(http.StatusOK)
}

// TestSignInRate: after a few wrong tokens there is only "wait", but who
// has a right one is not locked out by who has not.
func TestSignInRate(t *testing.T) {
	b := newBench(t)
	for range signInBurst {
		b.try("wrong").want(http.StatusForbidden)
	}
	r := b.try("wrong").want(http.StatusTooManyRequests)
	if r.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	b.try(b.token()).want(http.StatusOK)
	b.clock.forward(signInEvery)
	b.try("wrong").want(http.StatusForbidden)
	b.try("wrong").want(http.StatusTooManyRequests)
}

func TestSignOut(t *testing.T) {
	b := newBench(t)
	c, other := b.signIn(), b.signIn()
	c.do("POST", "/api/v1/sign-out", map[string]any{}).want(http.StatusOK)
	c.do("GET", "/api/v1/now", nil).want(http.StatusUnauthorized)
	c.do("GET", "/", nil).want(http.StatusUnauthorized, "Sign in")
	other.do("GET", "/api/v1/now", nil).want(http.StatusOK)
}

// TestSessionEnds: unused for a while, or used for long.
func TestSessionEnds(t *testing.T) {
	b := newBench(t)
	idle, busy := b.signIn(), b.signIn()
	for range int(sessionLife/sessionIdle)*2 - 1 {
		b.clock.forward(sessionIdle / 2)
		busy.do("GET", "/api/v1/settings", nil).want(http.StatusOK)
		// What a page that is left open asks by itself is no use.
		idle.do("GET", healthPath, nil)
		idle.do("GET", "/api/v1/countries", nil, header(unattendedHeader, "1"))
	}
	idle.do("GET", "/api/v1/now", nil).want(http.StatusUnauthorized)
	busy.do("GET", "/api/v1/now", nil).want(http.StatusOK)
	b.clock.forward(sessionIdle/2 + time.Second)
	busy.do("GET", "/api/v1/now", nil).want(http.StatusUnauthorized)
}

// TestManySessions keeps the memory bounded; who is active stays.
func TestManySessions(t *testing.T) {
	b := newBench(t)
	first := b.signIn()
	unused := b.signIn()
	for range maxSessions {
		b.clock.forward(time.Second)
		first.do("GET", "/api/v1/now", nil)
		b.signIn()
	}
	first.do("GET", "/api/v1/now", nil).want(http.StatusOK)
	unused.do("GET", "/api/v1/now", nil).want(http.StatusUnauthorized)
	b.sessions.mu.Lock()
	defer b.sessions.mu.Unlock()
	if n := len(b.sessions.by); n != maxSessions {
		t.Errorf("%d sessions, want %d", n, maxSessions)
	}
}

// TestAgainSignIn: a browser that signs in again leaves no old session
// behind.
func TestAgainSignIn(t *testing.T) {
	b := newBench(t)
	c := b.signIn()
	c.do("POST", "/api/v1/sign-in", map[string]any{"token": b.token()}).want(http.StatusOK)
	c.do("GET", "/api/v1/now", nil).want(http.StatusUnauthorized)
}

// TestHashedAtRest: nothing that the server keeps holds a secret as such.
func TestHashedAtRest(t *testing.T) {
	b := newBench(t)
	token := b.token()
	c := b.signIn()
	kept := fmt.Appendf(nil, "%+v", b.links.ends)
	for id, s := range b.sessions.by {
		kept = fmt.Appendf(kept, "%s %s", id, s.key)
		kept = append(append(kept, id[:]...), s.key[:]...)
	}
	for _, secret := range []string{token, c.key, c.cookie.Value} {
		raw, err := base64.RawURLEncoding.DecodeString(secret)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(kept, []byte(secret)) || bytes.Contains(kept, raw) {
			t.Errorf("%q is kept", secret)
		}
	}
}

func TestLoopbackOnly(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:8790", ":8790", "[::]:8790", "192.0.2.10:8790", "host.example:8790", "8790", "", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:http", "[fe80::1%lo]:1"} {
		_, err := New(Options{Listen: listen})
		if err == nil || !strings.Contains(err.Error(), "ssh -L ") {
			t.Errorf("listen on %q: %v, want a refusal with the ssh line", listen, err)
		}
	}
	if _, err := New(Options{Listen: "192.0.2.10:9000"}); err == nil || !strings.Contains(err.Error(), "ssh -L 9000:127.0.0.1:9000 HOST") {
		t.Errorf("listen elsewhere: %v", err)
	}
	for _, listen := range []string{"127.0.0.1:8790", "localhost:8790", "[::1]:8790", "127.3.2.1:1"} {
		if _, err := loopbackAddress(listen); err != nil {
			t.Errorf("listen on %q: %v", listen, err)
		}
	}
}

// TestLinkIsSecret: no report holds one, and the address does not either.
func TestLinkIsSecret(t *testing.T) {
	b := newBench(t)
	token := b.token()
	b.try("wrong")
	b.try(token)
	b.mu.Lock()
	defer b.mu.Unlock()
	if said := strings.Join(b.reports, "\n"); strings.Contains(said, token) {
		t.Errorf("the token was reported: %s", said)
	}
	if strings.Contains(b.Address(), "#") {
		t.Errorf("Address = %q", b.Address())
	}
}
