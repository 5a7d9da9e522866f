// SPDX-License-Identifier: MIT

package dashboard

import "net/http"

// The paths that a page asks without anybody there.
const (
	streamPath = "/api/v1/stream"
	healthPath = "/api/v1/health"
)

// route is one line of the API. docs/api.md describes each; a test holds
// the two together.
type route struct {
	method, path string
	do           action
	body         int64
}

func (s *Server) api() []route {
	return []route{
		{"POST", signInAPIPath, s.signIn, smallBody},
		{"POST", "/api/v1/sign-out", s.signOut, smallBody},

		{"GET", streamPath, s.stream, 0},
		{"GET", "/api/v1/now", s.now, 0},
		{"GET", healthPath, s.health, 0},

		{"GET", "/api/v1/source", s.source, 0},
		{"GET", "/api/v1/source/capture", s.capture, 0},
		{"GET", "/api/v1/scans", s.scans, 0},
		{"GET", "/api/v1/timeline", s.timeline, 0},
		{"GET", "/api/v1/countries", s.countries, 0},

		{"POST", "/api/v1/bans", s.addBan, smallBody},
		{"DELETE", "/api/v1/bans", s.removeBan, smallBody},
		{"POST", "/api/v1/undo", s.undo, smallBody},

		{"GET", "/api/v1/lists/{list}", s.showList, 0},
		{"POST", "/api/v1/lists/{list}", s.addToList, smallBody},
		{"DELETE", "/api/v1/lists/{list}", s.removeFromList, smallBody},
		{"POST", "/api/v1/lists/{list}/check", s.checkEntry, smallBody},
		{"POST", "/api/v1/lists/{list}/import", s.importList, importBody},

		{"GET", "/api/v1/settings", s.showSettings, 0},
		{"POST", "/api/v1/settings/check", s.checkSettings, smallBody},
		{"PUT", "/api/v1/settings", s.saveSettings, smallBody},
		{"POST", "/api/v1/mail/test", s.testMail, smallBody},
	}
}

// routes is everything behind the guard.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.api() {
		mux.HandleFunc(r.method+" "+r.path, endpoint(r.do, r.body))
	}
	mux.HandleFunc("GET /assets/", s.assets.serve)
	for path, page := range s.assets.pages {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			// A client that is gone needs no page.
			_, _ = w.Write(page)
		})
	}
	mux.HandleFunc("/api/", endpoint(func(http.ResponseWriter, *http.Request) (any, error) {
		return nil, &apiError{Status: http.StatusNotFound, Message: "no such request; see docs/api.md"}
	}, 0))
	return mux
}
