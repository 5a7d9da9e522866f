// SPDX-License-Identifier: MIT

package dashboard

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Lives of what lets somebody in.
const (
	linkLife    = 10 * time.Minute // of a link that nobody has used
	sessionIdle = 4 * time.Hour    // of a session that nobody uses; an open stream is no use
	sessionLife = 24 * time.Hour   // of any session
)

const (
	maxLinks    = 16
	maxSessions = 64

	secretBytes = 32 // of a token, a cookie and a key: 256 bits
)

// secret is a random text that is kept as its hash only: whoever reads the
// daemon's memory or a core file learns nothing to sign in with.
type secret [sha256.Size]byte

func newSecret() (string, secret, error) {
	raw := make([]byte, secretBytes)
	if _, err := rand.Read(raw); err != nil {
		return "", secret{}, fmt.Errorf("make a secret: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	return text, sha256.Sum256([]byte(text)), nil
}

func hashed(text string) secret { return sha256.Sum256([]byte(text)) }

// links are the one-time links that were issued.
type links struct {
	now func() time.Time

	mu   sync.Mutex
	ends map[secret]time.Time
}

func newLinks(now func() time.Time) *links {
	return &links{now: now, ends: make(map[secret]time.Time)}
}

// issue returns a new token. Beyond maxLinks the oldest link ends.
func (l *links) issue() (string, error) {
	text, hash, err := newSecret()
	if err != nil {
		return "", err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	var oldest secret
	for h, end := range l.ends {
		if !now.Before(end) {
			delete(l.ends, h)
		} else if o, ok := l.ends[oldest]; !ok || end.Before(o) {
			oldest = h
		}
	}
	if len(l.ends) >= maxLinks {
		delete(l.ends, oldest)
	}
	l.ends[hash] = now.Add(linkLife)
	return text, nil
}

// take reports whether token is that of a link, which it ends. Comparing
// hashes of it takes no time that would say anything about the token.
func (l *links) take(token string) bool {
	hash := hashed(token)
	l.mu.Lock()
	defer l.mu.Unlock()
	end, ok := l.ends[hash]
	delete(l.ends, hash)
	return ok && l.now().Before(end)
}

// session is one browser that has signed in.
type session struct {
	key  secret
	ends time.Time // whatever happens
	used time.Time
	gone chan struct{} // closed when it ends
}

// sessions are those in force, by the hash of their cookie.
type sessions struct {
	now func() time.Time

	mu sync.Mutex
	by map[secret]*session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, by: make(map[secret]*session)}
}

// begin returns the cookie and the key of a new session. Beyond
// maxSessions the one that was not used for longest ends.
func (s *sessions) begin() (cookie, key string, ends time.Time, err error) {
	cookie, id, err := newSecret()
	if err != nil {
		return "", "", ends, err
	}
	key, keyHash, err := newSecret()
	if err != nil {
		return "", "", ends, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.sweep(now)
	if len(s.by) >= maxSessions {
		var stalest secret
		for h, have := range s.by {
			if o, ok := s.by[stalest]; !ok || have.used.Before(o.used) {
				stalest = h
			}
		}
		s.drop(stalest)
	}
	ends = now.Add(sessionLife)
	s.by[id] = &session{key: keyHash, ends: ends, used: now, gone: make(chan struct{})}
	return cookie, key, ends, nil
}

// find returns the session of a cookie, or nil. use says that somebody is
// there, and not only a page left open.
func (s *sessions) find(cookie string, use bool) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.sweep(now)
	found := s.by[hashed(cookie)]
	if found != nil && use {
		found.used = now
	}
	return found
}

// opens reports whether key is the session's.
func (s *session) opens(key string) bool {
	hash := hashed(key)
	return subtle.ConstantTimeCompare(hash[:], s.key[:]) == 1
}

func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(hashed(cookie))
}

// tidy ends the sessions whose time has come, and with them their streams.
func (s *sessions) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(s.now())
}

func (s *sessions) sweep(now time.Time) {
	for h, have := range s.by {
		if !now.Before(have.ends) || now.Sub(have.used) >= sessionIdle {
			s.drop(h)
		}
	}
}

func (s *sessions) drop(h secret) {
	if have := s.by[h]; have != nil {
		close(have.gone)
		delete(s.by, h)
	}
}

const cookieName = "denmap_session"

// setCookie makes the browser keep the session, or forget it when value is
// empty. It is not marked Secure: loopback has no TLS, and browsers differ
// in whether they take such a cookie over http.
func setCookie(w http.ResponseWriter, value string, ends time.Time, now time.Time) {
	c := &http.Cookie{Name: cookieName, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode}
	if value == "" {
		c.MaxAge = -1
	} else {
		c.MaxAge = int(ends.Sub(now).Seconds())
	}
	http.SetCookie(w, c)
}

// cookieOf returns the session's cookie, or "" if there is none or more
// than one: somebody else on this host set the other.
func cookieOf(r *http.Request) string {
	found := ""
	for _, c := range r.Cookies() {
		if c.Name == cookieName {
			if found != "" {
				return ""
			}
			found = c.Value
		}
	}
	return found
}
