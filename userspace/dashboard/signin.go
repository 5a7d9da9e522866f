// SPDX-License-Identifier: MIT

package dashboard

import (
	"net/http"
	"strconv"
	"time"
)

// The paths that are open to everybody.
const (
	signInPath    = "/sign-in"
	signInAPIPath = "/api/v1/sign-in"
)

// openAssets are what the sign-in page needs.
var openAssets = map[string]bool{"/assets/signin.css": true, "/assets/signin.js": true, "/assets/icon.svg": true}

// serveOpen answers what needs no session, and reports whether it did.
func (s *Server) serveOpen(w http.ResponseWriter, r *http.Request) bool {
	switch {
	case r.URL.Path == signInPath && safe(r.Method):
		s.signInPage(w, http.StatusOK)
	case openAssets[r.URL.Path] && safe(r.Method):
		s.assets.serve(w, r)
	case r.URL.Path == signInAPIPath && r.Method == http.MethodPost:
		endpoint(s.signIn, smallBody)(w, r)
	default:
		return false
	}
	return true
}

// signInPage is the same whatever was asked for, and names no version.
func (s *Server) signInPage(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	// A client that is gone needs no page.
	_, _ = w.Write(s.assets.signIn)
}

type signInRequest struct {
	Token string `json:"token"`
}

type signInAnswer struct {
	Key  string    `json:"key"`  // for the header X-DenMap-Key
	Ends time.Time `json:"ends"` // of the session, at the latest
}

// signIn turns the token of a link into a session.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) (any, error) {
	var req signInRequest
	if err := readBody(r, &req); err != nil {
		return nil, err
	}
	if !s.links.take(req.Token) {
		ok, wait := s.attempts.take()
		if !ok {
			w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
			return nil, &apiError{Status: http.StatusTooManyRequests, Message: "too many wrong links; wait a moment"}
		}
		return nil, &apiError{Status: http.StatusForbidden,
			Message: `this link is not valid: it was used already, or is older than ten minutes; "denmap dashboard link" prints a new one`}
	}
	cookie, key, ends, err := s.sessions.begin()
	if err != nil {
		return nil, err
	}
	// An old session of this browser has no use any more.
	if old := cookieOf(r); old != "" {
		s.sessions.end(old)
	}
	setCookie(w, cookie, ends, s.opts.Now())
	return signInAnswer{Key: key, Ends: ends.UTC()}, nil
}

// signOut ends the session.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) (any, error) {
	s.sessions.end(cookieOf(r))
	setCookie(w, "", time.Time{}, s.opts.Now())
	return struct{}{}, nil
}
