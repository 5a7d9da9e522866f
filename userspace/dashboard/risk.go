// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/history"
	"denmap/userspace/units"
)

// lookBack is how much of the history a risk is judged by.
const lookBack = 30 * units.Day

// never is a score that no scan reaches.
const never = math.MaxInt32

// risk is a change that the administrator should think about, with what
// the past says about it.
type risk struct {
	Key      string `json:"key"`
	From     string `json:"from"`
	To       string `json:"to"`
	Text     string `json:"text"`
	Past     string `json:"past"` // a sentence
	Scans    int    `json:"scans"`
	Sources  int    `json:"sources"`
	Examples []Scan `json:"examples"`
}

// risks compares two configurations.
func (s *Server) risks(ctx context.Context, old, c config.Config) []risk {
	out := []risk{}
	add := func(key, from, to, text string, look func(*risk) error) {
		r := risk{Key: key, From: from, To: to, Text: text, Examples: []Scan{}}
		if s.opts.History == nil {
			r.Past = "No history is kept, so nothing is known about the past."
		} else if err := look(&r); err != nil {
			r.Past = "The history cannot be asked: " + err.Error()
			if errors.Is(err, history.ErrUnavailable) {
				r.Past = "The history is not available at the moment."
			}
		}
		out = append(out, r)
	}
	in := history.Range{Since: s.opts.Now().Add(-lookBack)}
	impact := func(score, udpScore int, what string) func(*risk) error {
		return func(r *risk) error { return s.lookImpact(ctx, in, score, udpScore, what, r) }
	}
	switch {
	case old.Mode == config.Monitor && c.Mode == config.Enforce:
		add("mode", "monitor", "enforce", "From now on, scanners are banned and not only reported.",
			impact(c.Detect.BanScore, c.Detect.UDPBanScore, "would have been banned"))
	case old.Mode == config.Enforce && c.Mode == config.Monitor:
		add("mode", "enforce", "monitor", "From now on, scanners are only reported. Nobody is banned but by hand and by the deny list.",
			func(r *risk) error { return s.lookBans(ctx, in, r) })
	}
	for _, t := range []struct {
		key      string
		from, to int
		text     string
		what     string
	}{
		{"detect.ban_score", old.Detect.BanScore, c.Detect.BanScore, "Sources are banned after fewer failed probes.", "would have been banned, but were not"},
		{"detect.udp_ban_score", old.Detect.UDPBanScore, c.Detect.UDPBanScore, "Sources are banned after fewer failed UDP probes.", "would have been banned, but were not"},
		{"detect.alert_score", old.Detect.AlertScore, c.Detect.AlertScore, "Scans are reported after fewer failed probes: there will be more alerts and mails.", ""},
		{"detect.udp_alert_score", old.Detect.UDPAlertScore, c.Detect.UDPAlertScore, "Scans are reported after fewer failed UDP probes: there will be more alerts and mails.", ""},
	} {
		if t.to >= t.from {
			continue
		}
		var look func(*risk) error
		switch t.key {
		case "detect.ban_score":
			look = impact(t.to, never, t.what)
		case "detect.udp_ban_score":
			look = impact(never, t.to, t.what)
		default:
			look = func(r *risk) error { return s.lookAlerts(ctx, in, r) }
		}
		add(t.key, fmt.Sprint(t.from), fmt.Sprint(t.to), t.text, look)
	}
	if c.Detect.Decay > old.Detect.Decay {
		add("detect.decay", units.FormatDuration(old.Detect.Decay), units.FormatDuration(c.Detect.Decay),
			"Failed probes are remembered for longer, so rare failures of a client may add up to a ban.",
			impact(c.Detect.BanScore-1, c.Detect.UDPBanScore-1, "came within one point of a ban"))
	}
	return out
}

// lookImpact tells who reached a score, or in UDP the other, without being
// banned.
func (s *Server) lookImpact(ctx context.Context, in history.Range, score, udpScore int, what string, r *risk) error {
	found, err := s.opts.History.Impact(ctx, in, score, udpScore)
	if err != nil {
		return err
	}
	r.Scans, r.Sources = found.Scans, found.Sources
	for _, e := range found.Examples {
		r.Examples = append(r.Examples, scanOf(e))
	}
	if found.Scans == 0 {
		r.Past = fmt.Sprintf("In the last %d days, no scan that was not banned reached %s.", lookBack/(24*time.Hour), scoreText(score, udpScore))
		return nil
	}
	r.Past = fmt.Sprintf("In the last %d days, %s in about %s %s. Watched and protected sources, which are never banned, are among them.",
		lookBack/(24*time.Hour), plural(found.Sources, "source", "sources"), plural(found.Scans, "scan", "scans"), what)
	return nil
}

// scoreText names the scores that are not out of reach.
func scoreText(score, udpScore int) string {
	switch {
	case score == never:
		return fmt.Sprintf("a UDP score of %d", udpScore)
	case udpScore == never:
		return fmt.Sprintf("a score of %d", score)
	}
	return fmt.Sprintf("a score of %d, or of %d in UDP", score, udpScore)
}

// lookAlerts can only count what was above the threshold so far: what is
// below it is not stored.
func (s *Server) lookAlerts(ctx context.Context, in history.Range, r *risk) error {
	totals, err := s.opts.History.Countries(ctx, in)
	if err != nil {
		return err
	}
	for _, t := range totals {
		r.Scans += t.Scans
		r.Sources += t.Sources
	}
	r.Past = fmt.Sprintf("In the last %d days, %s reported. What stays below the score is not stored, so how many more there will be is not known.",
		lookBack/(24*time.Hour), plural(r.Scans, "scan was", "scans were"))
	return nil
}

// lookBans counts the bans that there would not have been.
func (s *Server) lookBans(ctx context.Context, in history.Range, r *risk) error {
	totals, err := s.opts.History.Countries(ctx, in)
	if err != nil {
		return err
	}
	for _, t := range totals {
		r.Scans += t.Banned
	}
	page, err := s.opts.History.Scans(ctx, history.Filter{Range: in, Action: history.Banned, Limit: 5})
	if err != nil {
		return err
	}
	for _, e := range page.Scans {
		r.Examples = append(r.Examples, scanOf(e))
	}
	r.Past = fmt.Sprintf("In the last %d days, %s ended in a ban that there would not have been.", lookBack/(24*time.Hour), plural(r.Scans, "scan", "scans"))
	return nil
}
