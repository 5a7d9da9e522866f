// SPDX-License-Identifier: MIT

package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/lists"
)

// sourceAnswer is everything about one source.
type sourceAnswer struct {
	Source   string       `json:"source"`
	Place    Place        `json:"place"`
	Special  string       `json:"precious,omitempty"` // why it must not be lost
	Live     *Row         `json:"live,omitempty"`     // missing: neither score nor ban now
	Scores   scores       `json:"scores"`
	Listed   []listedBy   `json:"listed"`
	Past     *pastSummary `json:"past,omitempty"` // missing: nothing is stored
	Scans    []Scan       `json:"scans"`          // the latest
	Bans     []pastBan    `json:"bans"`           // the latest
	Probes   []Probe      `json:"probes"`
	Proof    []uint16     `json:"handshakes"`
	Capture  bool         `json:"capture"` // there is something to download
	Problems []string     `json:"problems"`
}

type listedBy struct {
	List string `json:"list"`
	listEntry
}

type pastSummary struct {
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Scans    int       `json:"scans"`
	Bans     int       `json:"bans"`
	Kinds    []string  `json:"kinds"`
	Tools    []string  `json:"tools"`
	MaxScore int       `json:"max_score"`
	Probes   uint64    `json:"probes"`
	Dropped  uint64    `json:"dropped"`
	Ports    []uint16  `json:"ports"`
}

type pastBan struct {
	Source    string    `json:"source"`
	Grade     string    `json:"grade"`
	Since     time.Time `json:"since"`
	Until     time.Time `json:"until,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	Reason    string    `json:"reason"`
	EndReason string    `json:"end_reason,omitempty"`
	Dropped   uint64    `json:"dropped"`
}

// sourceScans is how many scans and bans the page of a source shows.
const sourceScans = 100

func sourceParameter(r *http.Request) (netip.Prefix, error) {
	p, err := lists.ParsePrefix(r.URL.Query().Get("address"))
	if err != nil {
		return p, badValue("address", err)
	}
	return p, nil
}

// source puts together what the kernel, the lists, the history and the
// evidence say. What cannot be asked is a problem on the page, no error.
func (s *Server) source(_ http.ResponseWriter, r *http.Request) (any, error) {
	p, err := sourceParameter(r)
	if err != nil {
		return nil, err
	}
	c := s.opts.Config()
	a := &sourceAnswer{
		Source: lists.FormatPrefix(p), Listed: []listedBy{}, Scans: []Scan{}, Bans: []pastBan{}, Probes: []Probe{}, Proof: []uint16{}, Problems: []string{},
		Scores: scores{c.Detect.AlertScore, c.Detect.BanScore, c.Detect.UDPAlertScore, c.Detect.UDPBanScore},
	}
	if s.opts.Locate != nil {
		a.Place = placeOf(s.opts.Locate(p.Addr()))
	}
	for _, step := range []func(*http.Request, netip.Prefix, *sourceAnswer) error{s.sourceNow, s.sourceLists, s.sourcePast, s.sourceProbes} {
		if err := step(r, p, a); err != nil {
			a.Problems = append(a.Problems, err.Error())
		}
	}
	return a, nil
}

func (s *Server) sourceNow(_ *http.Request, p netip.Prefix, a *sourceAnswer) error {
	row, ok := s.hub.row(p)
	if ok {
		a.Live = &row
		if (a.Place == Place{}) {
			a.Place = row.Place
		}
	}
	var precious *apiError
	if err := s.checkPrecious("ban", p); errors.As(err, &precious) {
		_, a.Special, _ = strings.Cut(precious.Message, ": it ")
		a.Special = "it " + a.Special
	} else if err != nil {
		return err
	}
	return nil
}

// row returns what is live about a source, or the widest network that is
// scored with it.
func (h *hub) row(p netip.Prefix) (Row, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fresh()
	h.live.patience = time.Now().Add(locateLimit)
	best, found := netip.Prefix{}, (*facts)(nil)
	for q, f := range h.live.facts {
		if q.Contains(p.Addr()) && q.Bits() <= p.Bits() && (found == nil || q.Bits() > best.Bits()) {
			best, found = q, f
		}
	}
	if found == nil {
		return Row{}, false
	}
	return found.row(best, h.live.placeOf(best.Addr()), h.opts.Now()), true
}

func (s *Server) sourceLists(_ *http.Request, p netip.Prefix, a *sourceAnswer) error {
	paths := s.opts.Config().Lists
	var failed error
	for _, of := range []struct {
		kind lists.Kind
		path string
	}{{lists.Allow, paths.Allow}, {lists.Deny, paths.Deny}} {
		list, err := lists.LoadWithComments(of.path, of.kind)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		if e, ok := list.Lookup(p, s.opts.Now()); ok {
			a.Listed = append(a.Listed, listedBy{of.kind.String(), listEntry{
				Address: lists.FormatPrefix(e.Prefix), Until: stamp(e.Until), Watch: e.Watch, Comment: e.Comment, Line: e.Line,
			}})
		}
	}
	return failed
}

func (s *Server) sourcePast(r *http.Request, p netip.Prefix, a *sourceAnswer) error {
	h := s.opts.History
	if h == nil {
		return errors.New("no history is kept")
	}
	sum, found, err := h.Source(r.Context(), p)
	if err != nil {
		return err
	}
	if found {
		a.Past = &pastSummary{
			First: stamp(sum.First), Last: stamp(sum.Last), Scans: sum.Scans, Bans: sum.Bans,
			Kinds: sum.Kinds.Names(), Tools: toolNames(sum.Tools), MaxScore: sum.MaxScore,
			Probes: sum.Probes, Dropped: sum.Dropped, Ports: append([]uint16{}, sum.Ports...),
		}
		if (a.Place == Place{}) {
			a.Place = placeOf(sum.Place)
		}
	}
	page, err := h.Scans(r.Context(), history.Filter{Source: p, Limit: sourceScans})
	if err != nil {
		return err
	}
	for _, scan := range page.Scans {
		a.Scans = append(a.Scans, scanOf(scan))
	}
	bans, err := h.Bans(r.Context(), history.Range{}, p, sourceScans)
	if err != nil {
		return err
	}
	for _, b := range bans {
		a.Bans = append(a.Bans, pastBan{
			Source: lists.FormatPrefix(b.Source), Grade: b.Grade.String(), Since: stamp(b.Since), Until: stamp(b.Until),
			Ended: stamp(b.Ended), Reason: b.Reason, EndReason: b.EndReason, Dropped: b.Dropped,
		})
	}
	return nil
}

func toolNames(tools []event.Tool) []string {
	out := []string{}
	for _, t := range tools {
		out = append(out, t.String())
	}
	return out
}

func (s *Server) sourceProbes(r *http.Request, p netip.Prefix, a *sourceAnswer) error {
	if s.opts.Evidence == nil {
		return nil
	}
	proof, err := s.opts.Evidence.Proof(r.Context(), p)
	if errors.Is(err, ErrNoEvidence) {
		return nil
	}
	if err != nil {
		return err
	}
	a.Probes, a.Proof = append(a.Probes, proof.Probes...), append(a.Proof, proof.Handshakes...)
	a.Capture = proof.Packets > 0
	return nil
}

// capture sends packet headers as a file.
func (s *Server) capture(w http.ResponseWriter, r *http.Request) (any, error) {
	p, err := sourceParameter(r)
	if err != nil {
		return nil, err
	}
	if s.opts.Evidence == nil {
		return nil, &apiError{Status: http.StatusNotFound, Message: ErrNoEvidence.Error()}
	}
	// An address has no character that means anything in a file name but
	// these two.
	name := strings.NewReplacer(":", "-", "/", "_").Replace(lists.FormatPrefix(p))
	h := w.Header()
	h.Set("Content-Type", "application/vnd.tcpdump.pcap")
	h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "denmap-"+name+".pcap"))
	if err := s.opts.Evidence.Capture(r.Context(), p, w); err != nil {
		h.Del("Content-Disposition")
		if errors.Is(err, ErrNoEvidence) {
			return nil, &apiError{Status: http.StatusNotFound, Message: err.Error()}
		}
		return nil, err
	}
	return nil, nil
}
