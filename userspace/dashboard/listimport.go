// SPDX-License-Identifier: MIT

package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"denmap/userspace/lists"
	"denmap/userspace/store/safefile"
)

// importLimit is how long an import may take to arrive and to be read.
const importLimit = 2 * time.Minute

type importAnswer struct {
	Message string         `json:"message"`
	Lines   int            `json:"lines"`
	Added   int            `json:"added"`
	Updated int            `json:"updated"`
	Skipped map[string]int `json:"skipped"` // by reason
	Notes   []string       `json:"notes,omitempty"`
	Total   int            `json:"total"`
}

// importList is "denmap lists import" with the request's body as the feed.
func (s *Server) importList(w http.ResponseWriter, r *http.Request) (any, error) {
	kind, path, err := s.editableList(r)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	pattern, err := s.pattern(query.Get("comment"), query.Get("for"), query.Get("watch") == "true", kind)
	if err != nil {
		return nil, err
	}
	control := http.NewResponseController(w)
	end := time.Now().Add(importLimit)
	if err := errors.Join(control.SetReadDeadline(end), control.SetWriteDeadline(end)); err != nil {
		return nil, err
	}
	precious, err := s.opts.Precious()
	if err != nil {
		return nil, fmt.Errorf("look at the host's addresses: %w", err)
	}
	result, err := lists.Import(r.Context(), path, kind, r.Body, lists.ImportOptions{
		Own: prefixesOf(precious, true), Protected: prefixesOf(precious, false), Force: query.Get("force") == "true",
		Until: pattern.Until, Comment: pattern.Comment, Watch: pattern.Watch, Now: s.opts.Now(),
	})
	if errors.Is(err, lists.ErrNoAddresses) {
		return nil, badValue("file", err)
	}
	if errors.Is(err, safefile.ErrTooLarge) {
		return nil, &apiError{Status: http.StatusRequestEntityTooLarge, Message: err.Error(), Field: "file"}
	}
	if err != nil {
		return nil, explainList(err, precious)
	}
	return tellImport(kind, result), nil
}

// tellImport sums up an import in the words of the command line.
func tellImport(kind lists.Kind, r *lists.ImportResult) importAnswer {
	a := importAnswer{Lines: r.Lines, Added: r.Added, Updated: r.Updated, Total: r.Total, Skipped: map[string]int{}}
	skipped := 0
	for _, reason := range lists.Reasons() {
		if n := r.Skipped[reason]; n > 0 {
			skipped += n
			a.Skipped[reason.String()] = n
			a.Notes = append(a.Notes, fmt.Sprintf("skipped %d: %v", n, reason))
		}
	}
	for _, bad := range r.Invalid {
		a.Notes = append(a.Notes, bad.Error())
	}
	if r.Masked > 0 {
		a.Notes = append(a.Notes, plural(r.Masked, "line", "lines")+" had host bits, which were removed")
	}
	a.Message = fmt.Sprintf("%s list: %d added, %d updated, %d skipped of %s; %s", kind,
		r.Added, r.Updated, skipped, plural(r.Lines, "line", "lines"), plural(r.Total, "entry", "entries"))
	return a
}
