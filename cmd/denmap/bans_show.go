// SPDX-License-Identifier: MIT

package main

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

// banFormats are the forms of bans show, by name.
var banFormats = map[string]func(*environment, []event.Ban) error{
	"table": (*environment).banTable,
	"json":  (*environment).banJSON,
	"csv":   (*environment).banCSV,
	"plain": (*environment).banPlain,
	"nft":   (*environment).banSets,
}

func banFormatNames() []string { return []string{"table", "json", "csv", "plain", "nft"} }

func bansShowCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "show",
		Usage: "print the bans in force",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Value: "table", Usage: "print as `FORM`: " + choices(banFormatNames())},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			form := c.String("format")
			if c.Bool("json") {
				form = "json"
			}
			write, ok := banFormats[form]
			if !ok {
				return usagef("option --format: %q: expected %s", form, choices(banFormatNames()))
			}
			cfg, state, err := env.open(c, env.configAnyway)
			if err != nil {
				return err
			}
			defer state.Close()
			if state == nil {
				env.say("not attached: nothing is enforced; these are the bans for the next attach")
			}
			bans, err := env.readBans(cfg, state)
			if err != nil {
				return err
			}
			if len(bans) == 0 {
				env.say("no bans")
			}
			if err := env.sayIdle(state, bans); err != nil {
				return err
			}
			return write(env, bans)
		},
	}
}

// sayIdle tells of bans that are listed, but do nothing everywhere.
func (e *environment) sayIdle(state *loader.State, bans []event.Ban) error {
	automatic := slices.ContainsFunc(bans, func(b event.Ban) bool { return b.Grade != event.Manual })
	idle, _, err := monitoring(state)
	if automatic && len(idle) > 0 {
		e.say("automatic bans are not enforced on %s, in monitor mode", printable(strings.Join(idle, ", ")))
	}
	return err
}

func (e *environment) banTable(bans []event.Ban) error {
	if len(bans) == 0 {
		return nil
	}
	rows := make([][]string, len(bans))
	for i, b := range bans {
		rows[i] = []string{
			lists.FormatPrefix(b.Source), b.Grade.String(), e.clock(b.Since), e.left(b.Until),
			strconv.FormatUint(b.Dropped, 10), b.Reason,
		}
	}
	return e.writeTable([]string{"SOURCE", "GRADE", "SINCE", "LEFT", "DROPPED", "REASON"}, rows)
}

// banDocument is one ban in JSON.
type banDocument struct {
	Source  string    `json:"source"`
	Grade   string    `json:"grade"`
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"` // missing: no end
	Dropped uint64    `json:"dropped"`
	Reason  string    `json:"reason,omitempty"`
}

func newBanDocument(b event.Ban) banDocument {
	return banDocument{
		Source: lists.FormatPrefix(b.Source), Grade: b.Grade.String(),
		Since: stamp(b.Since), Until: stamp(b.Until), Dropped: b.Dropped, Reason: b.Reason,
	}
}

func (e *environment) banJSON(bans []event.Ban) error {
	documents := make([]banDocument, len(bans))
	for i, b := range bans {
		documents[i] = newBanDocument(b)
	}
	return e.writeJSON(struct {
		Schema int           `json:"schema"`
		Bans   []banDocument `json:"bans"`
	}{schema, documents})
}

func (e *environment) banCSV(bans []event.Ban) error {
	w := csv.NewWriter(e.Stdout)
	rows := [][]string{{"source", "grade", "since", "until", "dropped", "reason"}}
	for _, b := range bans {
		rows = append(rows, []string{
			lists.FormatPrefix(b.Source), b.Grade.String(), csvTime(b.Since), csvTime(b.Until),
			strconv.FormatUint(b.Dropped, 10), b.Reason,
		})
	}
	return w.WriteAll(rows)
}

func csvTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t).Format(time.RFC3339)
}

func (e *environment) banPlain(bans []event.Ban) error {
	var text strings.Builder
	for _, b := range bans {
		fmt.Fprintln(&text, lists.FormatPrefix(b.Source))
	}
	return e.writeText(text.String())
}

// banSets writes a table with two sets that "nft -f" loads, for firewalls
// in front of this host.
func (e *environment) banSets(bans []event.Ban) error {
	var text strings.Builder
	text.WriteString("table inet denmap {\n")
	for _, family := range []struct {
		name, kind string
		is4        bool
	}{{"banned4", "ipv4_addr", true}, {"banned6", "ipv6_addr", false}} {
		fmt.Fprintf(&text, "\tset %s {\n\t\ttype %s\n\t\tflags interval, timeout\n\t\tauto-merge\n", family.name, family.kind)
		var elements []string
		for _, b := range bans {
			if b.Source.Addr().Is4() == family.is4 {
				elements = append(elements, e.setElement(b))
			}
		}
		if len(elements) > 0 {
			fmt.Fprintf(&text, "\t\telements = {\n\t\t\t%s\n\t\t}\n", strings.Join(elements, ",\n\t\t\t"))
		}
		text.WriteString("\t}\n")
	}
	text.WriteString("}\n")
	return e.writeText(text.String())
}

func (e *environment) setElement(b event.Ban) string {
	if b.Until.IsZero() {
		return lists.FormatPrefix(b.Source)
	}
	seconds := max(int64(b.Until.Sub(e.Now())/time.Second), 1)
	return fmt.Sprintf("%s timeout %ds", lists.FormatPrefix(b.Source), seconds)
}
