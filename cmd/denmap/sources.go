// SPDX-License-Identifier: MIT

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

func sourcesCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "sources",
		Usage: "show the sources that have a score now",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			state, err := env.openState()
			if err != nil {
				return err
			}
			defer state.Close()
			rules, err := state.Rules()
			if err != nil {
				return err
			}
			found, err := state.Sources()
			if err != nil {
				return err
			}
			slices.SortFunc(found, func(a, b event.Source) int {
				return cmp.Or(cmp.Compare(max(b.Score, b.UDPScore), max(a.Score, a.UDPScore)), a.Prefix.Compare(b.Prefix))
			})
			if c.Bool("json") {
				return env.sourcesJSON(found, rules)
			}
			if len(found) == 0 {
				env.say("no source has a score")
				return nil
			}
			return env.sourceTable(found, rules)
		},
	}
}

// sourceDocument is one source in JSON.
type sourceDocument struct {
	Source     string    `json:"source"`
	Score      int       `json:"score"`
	UDPScore   int       `json:"udp_score"`
	Scan       []string  `json:"scan"`
	Tool       string    `json:"tool"`
	Confidence string    `json:"tool_confidence"`
	Distinct   int       `json:"distinct"`
	Ports      []uint16  `json:"ports"` // the latest
	First      time.Time `json:"first"`
	Last       time.Time `json:"last"`
}

func newSourceDocument(s event.Source) sourceDocument {
	return sourceDocument{
		Source: lists.FormatPrefix(s.Prefix), Score: s.Score, UDPScore: s.UDPScore, Scan: s.Kinds.Names(),
		Tool: s.Tool.String(), Confidence: s.Confidence.String(), Distinct: s.Distinct,
		Ports: append([]uint16{}, s.Ports...), First: stamp(s.First), Last: stamp(s.Last),
	}
}

func (e *environment) sourcesJSON(found []event.Source, rules loader.Rules) error {
	documents := make([]sourceDocument, len(found))
	for i, s := range found {
		documents[i] = newSourceDocument(s)
	}
	return e.writeJSON(struct {
		Schema        int              `json:"schema"`
		AlertScore    int              `json:"alert_score"`
		BanScore      int              `json:"ban_score"`
		UDPAlertScore int              `json:"udp_alert_score"`
		UDPBanScore   int              `json:"udp_ban_score"`
		Sources       []sourceDocument `json:"sources"`
	}{schema, rules.AlertScore, rules.BanScore, rules.UDPAlert, rules.UDPBan, documents})
}

// scoreText writes the scores of a source against what bans it. UDP has a
// score of its own.
func scoreText(s event.Source, rules loader.Rules) string {
	tcp := fmt.Sprintf("%d of %d", s.Score, rules.BanScore)
	if s.UDPScore == 0 {
		return tcp
	}
	udp := fmt.Sprintf("udp %d of %d", s.UDPScore, rules.UDPBan)
	if s.Score == 0 {
		return udp
	}
	return tcp + ", " + udp
}

func (e *environment) sourceTable(found []event.Source, rules loader.Rules) error {
	rows := make([][]string, len(found))
	for i, s := range found {
		rows[i] = []string{
			lists.FormatPrefix(s.Prefix), scoreText(s, rules),
			strings.Join(s.Kinds.Names(), ","), toolWord(s.Tool), e.clock(s.Last), portSample(s.Distinct, s.Ports),
		}
	}
	return e.writeTable([]string{"SOURCE", "SCORE", "SCAN", "TOOL", "LAST", "PORTS"}, rows)
}

// portSample names a few ports and how many there are.
func portSample(distinct int, ports []uint16) string {
	const shown = 4
	var parts []string
	for _, p := range ports[:min(len(ports), shown)] {
		parts = append(parts, fmt.Sprint(p))
	}
	text := strings.Join(parts, ",")
	if more := distinct - len(parts); more > 0 {
		text += fmt.Sprintf(" +%d", more)
	}
	return dash(text)
}
