// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/lists"
)

// listUsage is how the lists are named in usage lines.
const listUsage = "allow|deny"

func listsCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "lists",
		Usage: "show and edit the allow and deny lists",
		Description: "Sources on the allow list are never scored and never banned; what the deny list names is dropped.\n" +
			"whitelist and blacklist are other names for them.",
		Subcommands: []*cli.Command{
			listsShowCommand(env),
			listsAddCommand(env),
			listsRemoveCommand(env),
			listsImportCommand(env),
			listsCheckCommand(env),
		},
	}
}

// listPath returns where a list is kept.
func listPath(cfg config.Config, kind lists.Kind) string {
	if kind == lists.Allow {
		return cfg.Lists.Allow
	}
	return cfg.Lists.Deny
}

// background is the context of an edit that must not stop halfway through
// for an interrupt: each takes milliseconds.
func background(c *cli.Context) context.Context { return context.WithoutCancel(c.Context) }

// expiry turns --for into a point in time; zero without it.
func (e *environment) expiry(c *cli.Context) (time.Time, error) {
	d, err := duration(c, "for")
	if err != nil || d == 0 {
		return time.Time{}, err
	}
	return e.Now().Add(d), nil
}

// someLists returns the lists that the arguments of show and check name:
// one, or both.
func someLists(c *cli.Context) ([]lists.Kind, error) {
	switch c.NArg() {
	case 0:
		return []lists.Kind{lists.Allow, lists.Deny}, nil
	case 1:
		kind, err := lists.ParseKind(c.Args().First())
		if err != nil {
			return nil, badValue(err)
		}
		return []lists.Kind{kind}, nil
	}
	return nil, withHint(usagef("%s: unexpected argument %q", words(c), c.Args().Get(1)), "usage: %s", usageLine(c))
}
