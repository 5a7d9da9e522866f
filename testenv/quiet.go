// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/json"
	"slices"
	"time"
)

// The alert scores of the default configuration.
const (
	alertScore    = 4
	udpAlertScore = 8
)

// Silence is how one benign twin fared: what it scored at most, and how
// many lines the log has about it.
type Silence struct {
	Group, Name     string
	Like            string // the kind of scan that it resembles
	Score, UDPScore int
	Lines           int
	Err             error // it was not served as it should be
}

// Kept reports whether the twin was served and nobody was flagged.
func (s Silence) Kept() bool {
	return s.Err == nil && s.Lines == 0 && s.Score < alertScore && s.UDPScore < udpAlertScore
}

// TwinGroups names the groups of benign twins.
func TwinGroups() (names []string) {
	for _, g := range twinGroups {
		names = append(names, g.name)
	}
	return names
}

// RunTwins runs a group of benign twins against a protected host, by IP
// version 4 or 6, in a lab of their own.
func RunTwins(t T, group string, version int) (out []Silence) {
	t.Helper()
	i := slices.IndexFunc(twinGroups, func(g twinGroup) bool { return g.name == group })
	if i < 0 {
		t.Fatalf("no group of twins %q", group)
	}
	q, err := twinGroups[i].start(t, version)
	if err != nil {
		t.Fatalf("prepare twins %q: %v", group, err)
	}
	for _, twin := range twinGroups[i].twins {
		err := twin.run(q.visit)
		s := q.ask()
		s.Group, s.Name, s.Like, s.Err = group, twin.name, twin.like, err
		out = append(out, s)
	}
	return out
}

// start builds the group's lab and protects the victim.
func (g twinGroup) start(t T, version int) (*quiet, error) {
	t.Helper()
	v := newVisit(New(t, Options{}), version)
	v.victim.ServeHTTP(80, 443)
	if g.prepare != nil {
		if err := g.prepare(v); err != nil {
			return nil, err
		}
	}
	v.victim.Attach()
	return newQuiet(v), nil
}

// quiet watches a victim that nobody should be flagged on.
type quiet struct {
	visit
	lines []LogLine // about sources, as far as they are known
}

func newQuiet(v visit) *quiet { return &quiet{visit: v, lines: v.victim.sourceLog()} }

// sourceLog returns the lines about sources, whoever they are.
func (h *Host) sourceLog() []LogLine {
	h.t.Helper()
	return slices.DeleteFunc(h.Log(), func(l LogLine) bool { return l.Source.IP == "" })
}

// ask tells what came of it since the last call, and has the victim forget
// all scores.
func (q *quiet) ask() (s Silence) {
	q.victim.t.Helper()
	var scored struct {
		Sources []struct {
			Score    int `json:"score"`
			UDPScore int `json:"udp_score"`
		} `json:"sources"`
	}
	out := q.victim.MustDenmap("sources", "--json").Stdout
	if err := json.Unmarshal([]byte(out), &scored); err != nil {
		q.victim.t.Fatalf("read %q: %v", out, err)
	}
	for _, source := range scored.Sources {
		s.Score, s.UDPScore = max(s.Score, source.Score), max(s.UDPScore, source.UDPScore)
	}
	if s.Score >= alertScore || s.UDPScore >= udpAlertScore {
		// The line about it is on its way, and belongs to this twin.
		known := len(q.lines)
		q.victim.Eventually(2*time.Second, func() error {
			if len(q.victim.sourceLog()) == known {
				return errNotYet("alert")
			}
			return nil
		})
	}
	q.victim.Denmap("unban", "--all")
	lines := q.victim.sourceLog()
	s.Lines, q.lines = len(lines)-len(q.lines), lines
	return s
}
