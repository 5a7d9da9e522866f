// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/lists"
	"denmap/userspace/units"
)

// done is what a change answers.
type done struct {
	Message  string   `json:"message"`
	Notes    []string `json:"notes,omitempty"` // what else there is to know
	Undo     string   `json:"undo,omitempty"`  // for POST /api/v1/undo, for ten minutes
	Warnings []string `json:"warnings,omitempty"`
}

type banRequest struct {
	Source string `json:"source"`
	For    string `json:"for"`    // a duration; empty: ban.duration
	Reason string `json:"reason"` // one line
	Force  bool   `json:"force"`
}

// addBan is "denmap bans add".
func (s *Server) addBan(_ http.ResponseWriter, r *http.Request) (any, error) {
	var req banRequest
	if err := readBody(r, &req); err != nil {
		return nil, err
	}
	ban, err := s.newBan(req)
	if err != nil {
		return nil, err
	}
	if !req.Force {
		if err := s.checkPrecious("ban", ban.Source); err != nil {
			return nil, err
		}
	}
	before, err := s.bansIn(ban.Source)
	if err != nil {
		return nil, err
	}
	answer := done{Message: fmt.Sprintf("banned %s for %s", lists.FormatPrefix(ban.Source), units.FormatDuration(ban.Until.Sub(ban.Since)))}
	answer.Notes = s.allowNote(ban.Source)
	if err := s.opts.Kernel.AddBan(r.Context(), ban); err != nil {
		return nil, err
	}
	s.hub.nudge()
	answer.Undo, err = s.undos.keep(fmt.Sprintf("%s is as it was before the ban", lists.FormatPrefix(ban.Source)), func(ctx context.Context) error {
		if _, _, err := s.opts.Kernel.Unban(ctx, ban.Source); err != nil {
			return err
		}
		return s.putBack(ctx, before)
	})
	return answer, err
}

func (s *Server) newBan(req banRequest) (event.Ban, error) {
	source, err := lists.ParseBan(req.Source, s.opts.Config().Detect.IPv6Prefix)
	var wide *lists.WideError
	if errors.As(err, &wide) {
		err = fmt.Errorf("%w; the deny list keeps a whole network out", err)
	}
	if err != nil {
		return event.Ban{}, badValue("source", err)
	}
	length := s.opts.Config().Ban.Duration
	if req.For != "" {
		if length, err = units.ParseDuration(req.For); err != nil {
			return event.Ban{}, badValue("for", err)
		}
	}
	if err := lists.CheckComment(req.Reason); err != nil {
		return event.Ban{}, badValue("reason", err)
	}
	now := s.opts.Now()
	return event.Ban{Source: source, Grade: event.Manual, Since: now, Until: now.Add(length), Reason: req.Reason}, nil
}

// checkPrecious refuses to cut off this host or its administrator.
func (s *Server) checkPrecious(verb string, p netip.Prefix) error {
	all, err := s.opts.Precious()
	if err != nil {
		return fmt.Errorf("look at the host's addresses: %w", err)
	}
	for _, a := range all {
		if p.Contains(a.Addr.WithZone("")) {
			return preciousError(verb, p, a)
		}
	}
	return nil
}

func preciousError(verb string, p netip.Prefix, a Precious) error {
	text := fmt.Sprintf("%s %q: it is %s", verb, lists.FormatPrefix(p), a.What)
	if !p.IsSingleIP() {
		text = fmt.Sprintf("%s %q: it contains %s, %s", verb, lists.FormatPrefix(p), a.Addr, a.What)
	}
	return &apiError{Status: http.StatusConflict, Message: text, Field: "source", Force: true}
}

// allowNote says that the allow list takes the effect from a ban.
func (s *Server) allowNote(p netip.Prefix) []string {
	path := s.opts.Config().Lists.Allow
	list, err := lists.Load(path, lists.Allow)
	if err != nil {
		return []string{"the allow list cannot be read: " + err.Error()}
	}
	if e, ok := list.Lookup(p, s.opts.Now()); ok {
		return []string{fmt.Sprintf("%s is on the allow list (%s, line %d), which beats the ban", lists.FormatPrefix(p), path, e.Line)}
	}
	return nil
}

// removeBan is "denmap unban".
func (s *Server) removeBan(_ http.ResponseWriter, r *http.Request) (any, error) {
	text := r.URL.Query().Get("source")
	p, err := lists.ParsePrefix(text)
	if err != nil {
		return nil, badValue("source", err)
	}
	lifted, known, err := s.opts.Kernel.Unban(r.Context(), p)
	if err != nil {
		return nil, err
	}
	s.hub.nudge()
	name := lists.FormatPrefix(p)
	switch {
	case !known:
		return nil, &apiError{Status: http.StatusNotFound, Message: fmt.Sprintf("%q is not banned and has no score", name), Field: "source"}
	case len(lifted) == 0:
		return done{Message: fmt.Sprintf("forgot the score of %s, which was not banned", name)}, nil
	}
	answer := done{Message: "unbanned " + name}
	answer.Undo, err = s.undos.keep(name+" is banned again", func(ctx context.Context) error { return s.putBack(ctx, lifted) })
	return answer, err
}

// bansIn returns the bans of p, and inside it, that are in force.
func (s *Server) bansIn(p netip.Prefix) ([]event.Ban, error) {
	all, err := s.opts.Kernel.Bans()
	if err != nil {
		return nil, err
	}
	var in []event.Ban
	for _, b := range all {
		if p.Overlaps(b.Source) {
			in = append(in, b)
		}
	}
	return in, nil
}

// putBack gives bans again that have not ended meanwhile.
func (s *Server) putBack(ctx context.Context, bans []event.Ban) error {
	var failed error
	for _, b := range bans {
		if b.Until.IsZero() || b.Until.After(s.opts.Now()) {
			failed = errors.Join(failed, s.opts.Kernel.AddBan(ctx, b))
		}
	}
	return failed
}

// undoLife is how long a change can be taken back.
const undoLife = 10 * time.Minute
