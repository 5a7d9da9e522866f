// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"io"
	"log"
	"net/http"
	"strings"
)

// keyHeader carries the session's key. No form can send it, and no other
// origin may: that is what keeps forged requests out.
const keyHeader = "X-DenMap-Key"

// unattendedHeader says that a page asked by itself, with nobody there.
const unattendedHeader = "X-DenMap-Unattended"

// policy is the Content-Security-Policy of every answer. With trusted
// types, not even our own script can turn a text into markup.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

// setHeaders says what holds for every answer.
func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
}

// handler is the guard with everything behind it.
func (s *Server) handler() http.Handler {
	inside := s.routes()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		setHeaders(w.Header())
		if !s.allowedHost(strings.ToLower(r.Host)) {
			http.Error(w, "no such host here", http.StatusMisdirectedRequest)
			return
		}
		if !sameOrigin(r) {
			http.Error(w, "requests from other sites are refused", http.StatusForbidden)
			return
		}
		if !allowedMethod(r) {
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
			return
		}
		if s.serveOpen(w, r) {
			return
		}
		found := s.admit(w, r)
		if found == nil {
			return
		}
		inside.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), sessionKey{}, found)))
	})
}

type sessionKey struct{}

// sessionOf returns the session that the guard found.
func sessionOf(r *http.Request) *session {
	found, _ := r.Context().Value(sessionKey{}).(*session)
	return found
}

// sameOrigin reports whether the browser says that the request comes from
// this page, or from the user. Programs that are no browser say nothing.
func sameOrigin(r *http.Request) bool {
	if origin := r.Header.Values("Origin"); len(origin) > 1 ||
		len(origin) == 1 && !strings.EqualFold(origin[0], "http://"+r.Host) {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin":
		return true
	case "none": // typed in, or a bookmark
		return safe(r.Method)
	}
	// A link on another site may lead here: without the cookie, which is
	// SameSite=Strict, that shows the sign-in page.
	return r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" &&
		r.Header.Get("Sec-Fetch-Dest") == "document" && !isAPI(r)
}

// allowedMethod leaves out what nothing here needs. A HEAD of the stream
// would be one that never ends and sends nothing.
func allowedMethod(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
		return true
	}
	return r.Method == http.MethodHead && !isAPI(r)
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

func isAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// admit returns the session of the request, or answers it and returns nil:
// with the sign-in page, the same for every path.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) *session {
	// What a page that is left open asks by itself keeps no session alive.
	use := r.URL.Path != streamPath && r.URL.Path != healthPath && r.Header.Get(unattendedHeader) == ""
	found := s.sessions.find(cookieOf(r), use)
	switch {
	case found == nil && isAPI(r):
		writeError(w, &apiError{Status: http.StatusUnauthorized, Message: "sign in first"})
		return nil
	case found == nil && safe(r.Method):
		s.signInPage(w, http.StatusUnauthorized)
		return nil
	case found == nil:
		http.Error(w, "sign in first", http.StatusUnauthorized)
		return nil
	case isAPI(r) && !found.opens(r.Header.Get(keyHeader)):
		writeError(w, &apiError{Status: http.StatusUnauthorized, Message: "the header " + keyHeader + " is missing or wrong: sign in first"})
		return nil
	}
	return found
}

// nowhere is where net/http may complain about its clients.
func nowhere() *log.Logger { return log.New(io.Discard, "", 0) }
