// SPDX-License-Identifier: MIT

package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"denmap/userspace/lists"
)

// maxShown bounds the entries of one answer.
const maxShown = 500

// listAnswer is a part of a list.
type listAnswer struct {
	List     string      `json:"list"`
	Path     string      `json:"path"`
	Missing  bool        `json:"missing,omitempty"` // the file does not exist
	Total    int         `json:"total"`             // entries in the file
	Matching int         `json:"matching"`          // entries that fit the search
	Entries  []listEntry `json:"entries"`
	Warnings []string    `json:"warnings"` // the first few
	Refused  []string    `json:"refused,omitempty"`
}

type listEntry struct {
	Address string    `json:"address"`
	Until   time.Time `json:"until,omitzero"`
	Expired bool      `json:"expired,omitempty"`
	Watch   bool      `json:"watch,omitempty"`
	Comment string    `json:"comment,omitempty"`
	Line    int       `json:"line"`
}

// maxWarnings bounds the warnings of one answer.
const maxWarnings = 20

// showList is "denmap lists show" and "check", a page at a time.
func (s *Server) showList(_ http.ResponseWriter, r *http.Request) (any, error) {
	kind, path, err := s.listOf(r)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	limit, err := number(query.Get("limit"), 100, maxShown)
	if err != nil {
		return nil, badValue("limit", err)
	}
	offset, err := number(query.Get("offset"), 0, lists.MaxEntries)
	if err != nil {
		return nil, badValue("offset", err)
	}
	answer := listAnswer{List: kind.String(), Path: path, Entries: []listEntry{}, Warnings: []string{}}
	list, err := lists.LoadWithComments(path, kind)
	var refused *lists.RefusedError
	if errors.As(err, &refused) {
		for _, l := range refused.Lines[:min(len(refused.Lines), maxWarnings)] {
			answer.Refused = append(answer.Refused, l.Error())
		}
		return answer, nil
	}
	if err != nil {
		return nil, err
	}
	now := s.opts.Now()
	answer.Missing, answer.Total = list.Missing, len(list.Entries)
	fits := matcher(query.Get("search"))
	for i := len(list.Entries) - 1; i >= 0; i-- { // the newest first
		e := list.Entries[i]
		if !fits(e) {
			continue
		}
		if answer.Matching++; answer.Matching > offset && len(answer.Entries) < limit {
			answer.Entries = append(answer.Entries, listEntry{
				Address: lists.FormatPrefix(e.Prefix), Until: stamp(e.Until), Expired: e.Expired(now),
				Watch: e.Watch, Comment: e.Comment, Line: e.Line,
			})
		}
	}
	warnings := list.Warnings(now)
	for _, w := range warnings[:min(len(warnings), maxWarnings)] {
		answer.Warnings = append(answer.Warnings, w.String())
	}
	if more := len(warnings) - maxWarnings; more > 0 {
		answer.Warnings = append(answer.Warnings, fmt.Sprintf("and %d more", more))
	}
	return answer, nil
}

// matcher returns what decides whether an entry fits a search: an address
// also finds the networks that it is in, anything else parts of texts.
func matcher(search string) func(lists.Entry) bool {
	search = strings.ToLower(strings.TrimSpace(search))
	if search == "" {
		return func(lists.Entry) bool { return true }
	}
	within, err := lists.ParsePrefix(search)
	if err != nil {
		within = netip.Prefix{}
	}
	return func(e lists.Entry) bool {
		return within.IsValid() && within.Overlaps(e.Prefix) ||
			strings.Contains(lists.FormatPrefix(e.Prefix), search) ||
			strings.Contains(strings.ToLower(e.Comment), search)
	}
}

// number reads a whole number of the address line.
func number(text string, otherwise, most int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("%q: expected a whole number from 0 to %d", text, most)
	}
	return n, nil
}

// checkEntry says what is wrong with entries before they are added.
func (s *Server) checkEntry(_ http.ResponseWriter, r *http.Request) (any, error) {
	edit, err := s.readEdit(r)
	if err != nil {
		return nil, err
	}
	answer := done{Message: plural(len(edit.entries), "address", "addresses") + " to add"}
	if edit.kind == lists.Deny && !edit.force {
		for _, e := range edit.entries {
			if err := s.checkPrecious("deny", e.Prefix); err != nil {
				var refused *apiError
				if errors.As(err, &refused) {
					refused.Field = "addresses"
				}
				return nil, err
			}
		}
	}
	list, err := lists.Load(edit.path, edit.kind)
	if err != nil {
		return nil, explainList(err, nil)
	}
	if len(edit.entries) > 20 {
		return answer, nil // each look-up reads the whole list
	}
	for _, e := range edit.entries {
		have, ok := list.Lookup(e.Prefix, s.opts.Now())
		switch {
		case ok && have.Prefix == e.Prefix:
			answer.Notes = append(answer.Notes, fmt.Sprintf("%s is on the %s list already (line %d)", lists.FormatPrefix(e.Prefix), edit.kind, have.Line))
		case ok:
			answer.Notes = append(answer.Notes, fmt.Sprintf("%s lies in %s, which is on the %s list already (line %d)",
				lists.FormatPrefix(e.Prefix), lists.FormatPrefix(have.Prefix), edit.kind, have.Line))
		}
	}
	return answer, nil
}
