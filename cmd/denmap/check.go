// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
)

func checkCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:        "check",
		Usage:       "say what would happen to a source now, and why",
		ArgsUsage:   "ADDR",
		Description: "Looks in the order of the kernel program: paused, allow list, deny list, ban, protected, score.",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			addr, err := oneAddress(c)
			if err != nil {
				return err
			}
			cfg, state, err := env.open(c, env.configAnyway)
			if err != nil {
				return err
			}
			defer state.Close()
			x := &examination{env: env, cfg: cfg, state: state, addr: addr}
			if err := x.run(); err != nil {
				return err
			}
			if c.Bool("json") {
				return env.writeJSON(x.document())
			}
			return env.writeText(x.text())
		},
	}
}

// fact is one thing known of a source.
type fact struct {
	Check string `json:"check"` // paused, silent, allow, deny, ban, protected, score or not-attached
	Drop  bool   `json:"-"`
	// Passive facts are told, but do not decide.
	Passive bool   `json:"-"`
	Text    string `json:"text"`

	List    *listedPrefix   `json:"list,omitempty"`
	Ban     *banDocument    `json:"ban,omitempty"`
	Source  *sourceDocument `json:"source,omitempty"`
	Until   time.Time       `json:"until,omitzero"` // of the pause
	Decides bool            `json:"decides"`
}

// checkDocument is the JSON document of check.
type checkDocument struct {
	Schema  int    `json:"schema"`
	Address string `json:"address"`
	Verdict string `json:"verdict"` // pass or drop
	Reason  string `json:"reason"`  // the check that decides, or nothing-known
	Facts   []fact `json:"facts"`
}

// decide marks the first fact that settles the verdict, as the program
// takes the first check that does.
func (x *examination) decide() *fact {
	for i := range x.facts {
		if f := &x.facts[i]; !f.Passive {
			f.Decides = true
			return f
		}
	}
	return nil
}

func (x *examination) document() checkDocument {
	doc := checkDocument{Schema: schema, Address: x.addr.String(), Verdict: "pass", Reason: "nothing-known"}
	if f := x.decide(); f != nil {
		doc.Reason = f.Check
		if f.Drop {
			doc.Verdict = "drop"
		}
	}
	doc.Facts = append([]fact{}, x.facts...)
	return doc
}

func (x *examination) text() string {
	var text strings.Builder
	f := x.decide()
	switch {
	case f == nil:
		fmt.Fprintf(&text, "%s passes: nothing is known against it\n", x.addr)
	case f.Drop:
		fmt.Fprintf(&text, "%s is dropped: %s\n", x.addr, printable(f.Text))
	default:
		fmt.Fprintf(&text, "%s passes: %s\n", x.addr, printable(f.Text))
	}
	for _, other := range x.facts {
		if !other.Decides {
			fmt.Fprintf(&text, "also: %s\n", printable(other.Text))
		}
	}
	return text.String()
}
