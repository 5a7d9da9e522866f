// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"denmap/userspace/lists"
	"denmap/userspace/units"
)

// listOf returns the list that the path names.
func (s *Server) listOf(r *http.Request) (lists.Kind, string, error) {
	paths := s.opts.Config().Lists
	switch r.PathValue("list") {
	case lists.Allow.String():
		return lists.Allow, paths.Allow, nil
	case lists.Deny.String():
		return lists.Deny, paths.Deny, nil
	}
	return 0, "", &apiError{Status: http.StatusNotFound, Message: "expected the list allow or deny"}
}

// checkWaiting refuses to edit what waits to be confirmed.
func (s *Server) checkWaiting(what string) error {
	if s.opts.Waiting == nil {
		return nil
	}
	if err := s.opts.Waiting(what); err != nil {
		return &apiError{
			Status: http.StatusConflict, Message: err.Error(),
			Hint: "denmap confirm keeps that one, denmap confirm --undo takes it back",
		}
	}
	return nil
}

// editableList is listOf for a request that changes the list.
func (s *Server) editableList(r *http.Request) (lists.Kind, string, error) {
	kind, path, err := s.listOf(r)
	if err == nil {
		err = s.checkWaiting(kind.String())
	}
	return kind, path, err
}

type entryRequest struct {
	Addresses string `json:"addresses"` // separated by white space or commas
	Comment   string `json:"comment"`
	For       string `json:"for"` // a duration; empty: no end
	Watch     bool   `json:"watch"`
	Force     bool   `json:"force"`
}

// maxAdded bounds how many addresses one request adds; more are an import.
const maxAdded = 1000

// entries reads a request as "denmap lists add" reads its arguments.
func (s *Server) entries(req entryRequest, kind lists.Kind) ([]lists.Entry, error) {
	words := strings.FieldsFunc(req.Addresses, func(c rune) bool { return strings.ContainsRune(" \t\r\n,;", c) })
	if len(words) == 0 {
		return nil, badValue("addresses", errors.New("expected an address or network, such as 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32"))
	}
	if len(words) > maxAdded {
		return nil, badValue("addresses", fmt.Errorf("expected at most %d addresses; import a file instead", maxAdded))
	}
	pattern, err := s.pattern(req.Comment, req.For, req.Watch, kind)
	if err != nil {
		return nil, err
	}
	out := make([]lists.Entry, len(words))
	for i, word := range words {
		out[i] = pattern
		if out[i].Prefix, err = lists.ParsePrefix(word); err != nil {
			return nil, badValue("addresses", err)
		}
	}
	return out, nil
}

// pattern is what all entries of a request share.
func (s *Server) pattern(comment, length string, watch bool, kind lists.Kind) (lists.Entry, error) {
	comment = strings.TrimSpace(comment)
	if err := lists.CheckComment(comment); err != nil {
		return lists.Entry{}, badValue("comment", err)
	}
	e := lists.Entry{Comment: comment, Watch: watch}
	if length = strings.TrimSpace(length); length != "" {
		d, err := units.ParseDuration(length)
		if err != nil {
			return e, badValue("for", err)
		}
		e.Until = s.opts.Now().Add(d).UTC()
	}
	if watch && kind != lists.Allow {
		return e, badValue("watch", errors.New("watch is for the allow list: what the deny list names is dropped"))
	}
	return e, nil
}

// listEdit is a request to add entries to a list.
type listEdit struct {
	kind    lists.Kind
	path    string
	entries []lists.Entry
	force   bool
}

func (s *Server) readEdit(r *http.Request) (listEdit, error) {
	kind, path, err := s.listOf(r)
	if err != nil {
		return listEdit{}, err
	}
	var req entryRequest
	if err := readBody(r, &req); err != nil {
		return listEdit{}, err
	}
	entries, err := s.entries(req, kind)
	return listEdit{kind, path, entries, req.Force}, err
}

// addToList is "denmap lists add".
func (s *Server) addToList(_ http.ResponseWriter, r *http.Request) (any, error) {
	edit, err := s.readEdit(r)
	if err != nil {
		return nil, err
	}
	kind, path := edit.kind, edit.path
	if err := s.checkWaiting(kind.String()); err != nil {
		return nil, err
	}
	opts := lists.AddOptions{Now: s.opts.Now(), Force: edit.force}
	var precious []Precious
	if kind == lists.Deny && !edit.force {
		if precious, err = s.opts.Precious(); err != nil {
			return nil, fmt.Errorf("look at the host's addresses: %w", err)
		}
		opts.Protected = prefixesOf(precious, false)
	}
	before, err := lists.LoadWithComments(path, kind)
	if err != nil {
		return nil, explainList(err, nil)
	}
	result, err := lists.Add(r.Context(), path, kind, edit.entries, opts)
	if err != nil {
		return nil, explainList(err, precious)
	}
	answer := done{Message: tellEdit(kind, result), Notes: notesOf(kind, result)}
	if result.Count(lists.Added, lists.Updated) == 0 {
		return answer, nil
	}
	answer.Undo, err = s.undos.keep(fmt.Sprintf("the %s list is as before", kind), func(ctx context.Context) error {
		return s.undoAdd(ctx, kind, path, result, before)
	})
	return answer, err
}

// undoAdd takes off what was added, and puts back what it was before.
func (s *Server) undoAdd(ctx context.Context, kind lists.Kind, path string, result *lists.EditResult, before *lists.List) error {
	if err := s.checkWaiting(kind.String()); err != nil {
		return err
	}
	var added []netip.Prefix
	old := make(map[netip.Prefix]lists.Entry)
	for _, e := range before.Entries {
		old[e.Prefix] = e
	}
	var updated []lists.Entry
	for _, c := range result.Changes {
		switch c.Action {
		case lists.Added:
			added = append(added, c.Entry.Prefix)
		case lists.Updated:
			updated = append(updated, old[c.Entry.Prefix])
		}
	}
	if len(added) > 0 {
		if _, err := lists.Remove(ctx, path, kind, added); err != nil {
			return explainList(err, nil)
		}
	}
	if len(updated) > 0 {
		if _, err := lists.Add(ctx, path, kind, updated, lists.AddOptions{Now: s.opts.Now(), Force: true}); err != nil {
			return explainList(err, nil)
		}
	}
	return nil
}

// removeFromList is "denmap lists remove".
func (s *Server) removeFromList(_ http.ResponseWriter, r *http.Request) (any, error) {
	kind, path, err := s.editableList(r)
	if err != nil {
		return nil, err
	}
	p, err := lists.ParsePrefix(r.URL.Query().Get("address"))
	if err != nil {
		return nil, badValue("address", err)
	}
	before, err := lists.LoadWithComments(path, kind)
	if err != nil {
		return nil, explainList(err, nil)
	}
	result, err := lists.Remove(r.Context(), path, kind, []netip.Prefix{p})
	if err != nil {
		return nil, explainList(err, nil)
	}
	answer := done{Message: tellEdit(kind, result)}
	var gone []lists.Entry
	for _, e := range before.Entries {
		if e.Prefix == p && !e.Expired(s.opts.Now()) {
			gone = append(gone, e)
		}
	}
	if len(gone) == 0 {
		return answer, nil
	}
	answer.Undo, err = s.undos.keep(fmt.Sprintf("%s is on the %s list again", lists.FormatPrefix(p), kind), func(ctx context.Context) error {
		if err := s.checkWaiting(kind.String()); err != nil {
			return err
		}
		_, err := lists.Add(ctx, path, kind, gone, lists.AddOptions{Now: s.opts.Now(), Force: true})
		return explainList(err, nil)
	})
	return answer, err
}

// prefixesOf returns the addresses as networks, or this host's own only.
func prefixesOf(all []Precious, own bool) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range all {
		if !own || a.Own {
			addr := a.Addr.WithZone("")
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
		}
	}
	return out
}

// explainList makes an error of package lists one for the page.
func explainList(err error, precious []Precious) error {
	var protected *lists.ProtectedError
	var refused *lists.RefusedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &protected):
		for _, a := range precious {
			if a.Addr.WithZone("") == protected.Protected.Addr() {
				e := preciousError("deny", protected.Prefix, a).(*apiError)
				e.Field = "addresses"
				return e
			}
		}
		return &apiError{Status: http.StatusConflict, Message: err.Error(), Field: "addresses", Force: true}
	case errors.As(err, &refused):
		lines := make([]string, len(refused.Lines))
		for i, l := range refused.Lines {
			lines[i] = l.Error()
		}
		return &apiError{Status: http.StatusConflict, Message: err.Error(), Hint: "the last good list stays in force; correct the file first", Details: lines}
	case errors.Is(err, lists.ErrNotListed):
		return &apiError{Status: http.StatusNotFound, Message: err.Error(), Field: "address"}
	}
	return err
}

// tellEdit sums up an edit in the words of the command line.
func tellEdit(kind lists.Kind, r *lists.EditResult) string {
	return fmt.Sprintf("%s list: %d added, %d updated, %d removed; %s", kind,
		r.Count(lists.Added), r.Count(lists.Updated), r.Count(lists.Removed), plural(r.Total, "entry", "entries"))
}

func notesOf(kind lists.Kind, r *lists.EditResult) []string {
	var notes []string
	for _, c := range r.Changes {
		name := lists.FormatPrefix(c.Entry.Prefix)
		switch {
		case c.Action == lists.Unchanged:
			notes = append(notes, fmt.Sprintf("%s is on the %s list already", name, kind))
		case c.Action == lists.Added && c.Covering.Prefix.IsValid():
			notes = append(notes, fmt.Sprintf("%s lies in %s, which is on the %s list already", name, lists.FormatPrefix(c.Covering.Prefix), kind))
		}
	}
	return notes
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// stamp leaves out times that say nothing.
func stamp(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}
