// SPDX-License-Identifier: MIT

package main

import (
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/lists"
)

func listsShowCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "print a list, or both",
		ArgsUsage: "[" + listUsage + "]",
		Flags:     []cli.Flag{jsonFlag()},
		Action:    func(c *cli.Context) error { return showLists(env, c) },
	}
}

// listDocument is one list in the JSON of lists show.
type listDocument struct {
	List    string         `json:"list"`
	Path    string         `json:"path"`
	Entries []listedPrefix `json:"entries"`
}

type listedPrefix struct {
	Prefix  string    `json:"prefix"`
	Until   time.Time `json:"until,omitzero"`
	Expired bool      `json:"expired,omitempty"`
	Watch   bool      `json:"watch,omitempty"`
	Comment string    `json:"comment,omitempty"`
	Line    int       `json:"line"`
}

func showLists(env *environment, c *cli.Context) error {
	kinds, err := someLists(c)
	if err != nil {
		return err
	}
	cfg, err := env.configAnyway(c)
	if err != nil {
		return err
	}
	documents := []listDocument{}
	var rows [][]string
	for _, kind := range kinds {
		list, err := lists.LoadWithComments(listPath(cfg, kind), kind)
		if err != nil {
			return err
		}
		doc := listDocument{List: kind.String(), Path: list.Path, Entries: []listedPrefix{}}
		for _, e := range list.Entries {
			doc.Entries = append(doc.Entries, listedPrefix{
				Prefix: lists.FormatPrefix(e.Prefix), Until: e.Until, Expired: e.Expired(env.Now()),
				Watch: e.Watch, Comment: e.Comment, Line: e.Line,
			})
			rows = append(rows, []string{kind.String(), lists.FormatPrefix(e.Prefix), env.validity(e), e.Comment})
		}
		if len(list.Entries) == 0 {
			env.say("the %s list is empty (%s)", kind, list.Path)
		}
		documents = append(documents, doc)
	}
	if c.Bool("json") {
		return env.writeJSON(struct {
			Schema int            `json:"schema"`
			Lists  []listDocument `json:"lists"`
		}{schema, documents})
	}
	if len(rows) == 0 {
		return nil
	}
	return env.writeTable([]string{"LIST", "ADDRESS", "VALID", "COMMENT"}, rows)
}

// validity says how long an entry counts, and whether it only watches.
func (e *environment) validity(entry lists.Entry) string {
	var parts []string
	switch {
	case entry.Expired(e.Now()):
		parts = append(parts, "expired")
	case !entry.Until.IsZero():
		parts = append(parts, "until "+e.clock(entry.Until))
	}
	if entry.Watch {
		parts = append(parts, "watch")
	}
	return dash(strings.Join(parts, ", "))
}
