// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"net/netip"

	"github.com/urfave/cli/v2"

	"denmap/userspace/lists"
)

// entryFlags describe the entries that add and import make.
func entryFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "for", Usage: "keep the entry for `DURATION`, such as 8h or 2w, and not for good"},
		&cli.StringFlag{Name: "comment", Usage: "note `TEXT` beside the entry"},
		&cli.BoolFlag{Name: "watch", Usage: "allow list: log what the source does, but never ban it"},
		forceFlag(),
	}
}

func forceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force", Usage: "also what could cut this host off: own, protected and other special addresses"}
}

func listsAddCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "add",
		Usage:     "add addresses and networks to a list, all or none",
		ArgsUsage: listUsage + " ADDR...",
		Flags:     append(entryFlags(), confirmFlag(), controlFlag()),
		Action: func(c *cli.Context) error {
			kind, args, err := listArgument(c, "an address or a network")
			if err != nil {
				return err
			}
			entries, err := newEntries(env, c, kind, args)
			if err != nil {
				return err
			}
			cfg, state, err := env.open(c, env.loadConfig)
			if err != nil {
				return err
			}
			defer state.Close()
			opts := lists.AddOptions{Now: env.Now(), Force: c.Bool("force")}
			var precious preciousAddrs
			if kind == lists.Deny && !opts.Force {
				if precious, err = env.vital(state); err != nil {
					return err
				}
				opts.Protected = precious.prefixes()
			}
			path := listPath(cfg, kind)
			if kind == lists.Deny {
				if err := env.tellAllowed(cfg, networks(entries), "the deny list"); err != nil {
					return err
				}
			}
			trial, err := env.newTrial(c, cfg, kind.String())
			if err != nil {
				return err
			}
			return trial.runFile(path, "additions to the "+kind.String()+" list", func() (bool, error) {
				result, err := lists.Add(background(c), path, kind, entries, opts)
				if err != nil {
					return false, explainEdit(err, precious)
				}
				env.tellEdit(kind, result)
				edits := changed(result)
				return len(edits) > 0, env.enforceList(c, state, kind, path, edits)
			})
		},
	}
}

// newEntries reads the arguments and options of add.
func newEntries(env *environment, c *cli.Context, kind lists.Kind, args []string) ([]lists.Entry, error) {
	addrs, err := prefixes(args)
	if err != nil {
		return nil, err
	}
	until, err := env.expiry(c)
	if err != nil {
		return nil, err
	}
	if err := lists.CheckComment(c.String("comment")); err != nil {
		return nil, usagef("option --comment: %v", err)
	}
	if c.Bool("watch") && kind != lists.Allow {
		return nil, usagef("option --watch is for the allow list: what the deny list names is dropped")
	}
	entries := make([]lists.Entry, len(addrs))
	for i, p := range addrs {
		entries[i] = lists.Entry{Prefix: p, Until: until, Comment: c.String("comment"), Watch: c.Bool("watch")}
	}
	return entries, nil
}

// networks returns what the entries name.
func networks(entries []lists.Entry) []netip.Prefix {
	out := make([]netip.Prefix, len(entries))
	for i, e := range entries {
		out[i] = e.Prefix
	}
	return out
}

// explainEdit says why an address is protected and how a refused file is
// to be looked at.
func explainEdit(err error, precious preciousAddrs) error {
	var protected *lists.ProtectedError
	if errors.As(err, &protected) {
		return precious.refuse("deny", protected.Prefix, protected.Protected)
	}
	var refused *lists.RefusedError
	if errors.As(err, &refused) {
		return withHint(err, "denmap lists check shows all bad lines")
	}
	return err
}

// tellEdit says what became of the file.
func (e *environment) tellEdit(kind lists.Kind, r *lists.EditResult) {
	for _, change := range r.Changes {
		prefix := lists.FormatPrefix(change.Entry.Prefix)
		switch change.Action {
		case lists.Unchanged:
			e.say("%s is on the %s list already", prefix, kind)
		case lists.Added:
			if change.Covering.Prefix.IsValid() {
				e.say("%s lies in %s, which is on the %s list already", prefix, lists.FormatPrefix(change.Covering.Prefix), kind)
			}
		}
	}
	e.say("%s list: %d added, %d updated, %d removed; %s", kind,
		r.Count(lists.Added), r.Count(lists.Updated), r.Count(lists.Removed), plural(r.Total, "entry", "entries"))
}

// changed returns the networks whose entries changed.
func changed(r *lists.EditResult) []lists.Entry {
	var out []lists.Entry
	for _, change := range r.Changes {
		if change.Action != lists.Unchanged {
			out = append(out, change.Entry)
		}
	}
	return out
}
