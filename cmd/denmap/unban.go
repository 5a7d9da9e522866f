// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

func unbanCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "unban",
		Usage:     "lift a ban and forget score, ports and escalation of its source",
		ArgsUsage: "ADDR...|--all",
		Description: "A ban of the IPv6 network around the address is lifted too, and with a network, that of\n" +
			"every address in it. Who goes on scanning is banned again: lists add allow prevents that.",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "all", Usage: "everybody"}, confirmFlag(), controlFlag()},
		Action: func(c *cli.Context) error {
			if c.Bool("all") != (c.NArg() == 0) {
				return withHint(usagef("unban: expected an address or --all"), "usage: %s", usageLine(c))
			}
			return unban(env, c, c.Args().Slice())
		},
	}
}

// unban frees the sources that args name, or everybody if there are none.
func unban(env *environment, c *cli.Context, args []string) error {
	wanted, err := prefixes(args)
	if err != nil {
		return err
	}
	cfg, state, err := env.open(c, env.configAnyway)
	if err != nil {
		return err
	}
	defer state.Close()
	trial, err := env.newTrial(c, cfg, whatBans)
	if err != nil {
		return err
	}
	return trial.runBans("lifted bans", state, nil, overlapping(wanted), func() (bool, error) {
		freed, err := env.free(c, cfg, state, wanted)
		if err != nil {
			return false, err
		}
		return len(freed) > 0, env.tellUnban(wanted, freed)
	})
}

// free takes bans out of the file and the kernel, both under the file's
// lock, as giveBans puts them in. It returns the sources of which something
// was known.
func (e *environment) free(c *cli.Context, cfg config.Config, state *loader.State, wanted []netip.Prefix) (map[netip.Prefix]bool, error) {
	freed := make(map[netip.Prefix]bool)
	hit := func(p netip.Prefix) bool { return overlapping(wanted)(event.Ban{Source: p}) }
	if state == nil {
		// Without anything to lift, no file is made.
		saved, err := e.loadBanFile(cfg)
		if err != nil || len(saved) == 0 {
			return freed, err
		}
	}
	var failed error
	err := e.updateBanFile(c, cfg, func(saved []event.Ban) []event.Ban {
		if state != nil {
			if failed = freeSources(state, wanted, hit, freed); failed != nil {
				return saved
			}
		}
		return slices.DeleteFunc(saved, func(b event.Ban) bool {
			if hit(b.Source) {
				freed[b.Source] = true
			}
			return hit(b.Source)
		})
	})
	return freed, errors.Join(err, failed)
}

// overlapping tells the bans that an unban of the wanted networks lifts; of
// none, that is everybody.
func overlapping(wanted []netip.Prefix) func(event.Ban) bool {
	return func(b event.Ban) bool {
		return len(wanted) == 0 || slices.ContainsFunc(wanted, b.Source.Overlaps)
	}
}

// freeSources lifts bans and erases scores in the kernel, and notes whom
// that concerned.
func freeSources(state *loader.State, wanted []netip.Prefix, hit func(netip.Prefix) bool, freed map[netip.Prefix]bool) error {
	bans, err := state.Bans()
	if err != nil {
		return err
	}
	for _, b := range bans {
		if hit(b.Source) {
			freed[b.Source] = true
		}
	}
	sources, err := state.Sources()
	if err != nil {
		return err
	}
	for _, s := range sources {
		if hit(s.Prefix) {
			freed[s.Prefix] = true
		}
	}
	// What was asked for goes too: a source whose score decayed to nothing
	// still has ports in memory, and one IPv6 address may be known as
	// another of its network.
	for _, p := range wanted {
		_, known, err := state.Source(p.Addr())
		if err != nil {
			return err
		}
		if known {
			freed[p] = true
		}
	}
	targets := slices.Clone(wanted)
	for p := range freed {
		targets = append(targets, p)
	}
	for _, p := range targets {
		if _, err := state.RemoveBan(p); err != nil {
			return err
		}
	}
	return nil
}

// tellUnban fails for what was asked for and is not known at all.
func (e *environment) tellUnban(wanted []netip.Prefix, freed map[netip.Prefix]bool) error {
	var missing []string
	for _, p := range wanted {
		found := false
		for f := range freed {
			found = found || f.Overlaps(p)
		}
		if found {
			e.say("unbanned %s", lists.FormatPrefix(p))
		} else {
			missing = append(missing, lists.FormatPrefix(p))
		}
	}
	switch {
	case len(wanted) == 0:
		e.say("unbanned %s", plural(len(freed), "source", "sources"))
	case len(missing) > 0:
		return fmt.Errorf("%s: not banned, and has no score", strings.Join(missing, ", "))
	}
	return nil
}
