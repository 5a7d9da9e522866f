// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/lists"
	"denmap/userspace/units"
)

func bansAddCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "add",
		Usage:     "ban sources by hand",
		ArgsUsage: "ADDR...|-",
		Description: "With -, standard input has one ban a line: ADDR [DURATION] [# REASON].\n" +
			"All are given, or, if one is wrong, none.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "for", Usage: "ban for `DURATION`, such as 1h or 2d", DefaultText: "ban.duration of the configuration"},
			&cli.StringFlag{Name: "reason", Usage: "note `TEXT` beside the ban"},
			forceFlag(),
			confirmFlag(),
			controlFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return withHint(usagef("bans add: expected an address"), "usage: %s", usageLine(c))
			}
			cfg, state, err := env.open(c, env.configAnyway)
			if err != nil {
				return err
			}
			defer state.Close()
			if state != nil {
				rules, err := state.Rules()
				if err != nil {
					return err
				}
				cfg.Ban.Duration = rules.BanDuration // the one in force
			}
			bans, err := newBans(env, c, cfg, state)
			if err != nil {
				return err
			}
			if err := env.admit(c, cfg, state, bans); err != nil {
				return err
			}
			trial, err := env.newTrial(c, cfg, whatBans)
			if err != nil {
				return err
			}
			var sources []netip.Prefix
			for _, b := range bans {
				sources = append(sources, b.Source)
			}
			return trial.runBans(plural(len(bans), "new ban", "new bans"), state, sources,
				func(b event.Ban) bool { return slices.Contains(sources, b.Source) },
				func() (bool, error) { return true, env.giveBans(c, cfg, state, bans) })
		},
	}
}

// newBans reads the bans that the command line asks for.
func newBans(env *environment, c *cli.Context, cfg config.Config, state *loader.State) ([]event.Ban, error) {
	length, err := duration(c, "for")
	if err != nil {
		return nil, err
	}
	if length == 0 {
		length = cfg.Ban.Duration
	}
	if err := lists.CheckComment(c.String("reason")); err != nil {
		return nil, usagef("option --reason: %v", err)
	}
	bits, err := ipv6Prefix(cfg, state)
	if err != nil {
		return nil, err
	}
	now := env.Now()
	pattern := event.Ban{Grade: event.Manual, Since: now, Until: now.Add(length), Reason: c.String("reason")}
	if slices.Equal(c.Args().Slice(), []string{"-"}) {
		return readBanLines(env.Stdin, pattern, bits)
	}
	var bans []event.Ban
	for _, arg := range c.Args().Slice() {
		b := pattern
		if b.Source, err = banSource(arg, bits); err != nil {
			return nil, err
		}
		// Named twice, it is banned once.
		if !slices.ContainsFunc(bans, func(had event.Ban) bool { return had.Source == b.Source }) {
			bans = append(bans, b)
		}
	}
	return bans, nil
}

// admit refuses bans that would cut off this host or its administrator,
// and says which ones the allow list takes the effect from.
func (e *environment) admit(c *cli.Context, cfg config.Config, state *loader.State, bans []event.Ban) error {
	if !c.Bool("force") {
		precious, err := e.vital(state)
		if err != nil {
			return err
		}
		for _, b := range bans {
			if addr, ok := precious.touched(b.Source); ok {
				return precious.refuse("ban", b.Source, netip.PrefixFrom(addr, addr.BitLen()))
			}
		}
	}
	sources := make([]netip.Prefix, len(bans))
	for i, b := range bans {
		sources[i] = b.Source
	}
	return e.tellAllowed(cfg, sources, "the ban")
}

// tellAllowed says which networks the allow list keeps from what is done to
// them.
func (e *environment) tellAllowed(cfg config.Config, prefixes []netip.Prefix, what string) error {
	allow, err := lists.Load(cfg.Lists.Allow, lists.Allow)
	var refused *lists.RefusedError
	if errors.As(err, &refused) {
		e.say("%s", oneLine(err))
		return nil
	}
	if err != nil {
		return err
	}
	for _, p := range prefixes {
		if entry, ok := allow.Lookup(p, e.Now()); ok {
			e.say("%s is on the allow list (%s, line %d), which beats %s", lists.FormatPrefix(p), allow.Path, entry.Line, what)
		}
	}
	return nil
}

// giveBans puts bans into the kernel and into the file, both under the
// file's lock: the daemon, which writes the kernel's bans into the file,
// then finds each of them in both or in none.
func (e *environment) giveBans(c *cli.Context, cfg config.Config, state *loader.State, bans []event.Ban) error {
	var failed error
	err := e.updateBanFile(c, cfg, func(saved []event.Ban) []event.Ban {
		if state != nil {
			bans, failed = enforceBans(state, bans)
		}
		return mergeBans(saved, bans)
	})
	if err != nil && state != nil {
		err = fmt.Errorf("%s in force, but would not outlive a reboot: %w", plural(len(bans), "ban is", "bans are"), err)
	}
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if state == nil {
		e.say("not attached: in force from the next attach on")
	}
	for _, b := range bans[:min(len(bans), bansNamed)] {
		e.say("banned %s for %s", lists.FormatPrefix(b.Source), units.FormatDuration(b.Until.Sub(b.Since)))
	}
	if more := len(bans) - bansNamed; more > 0 {
		e.say("banned %d more", more)
	}
	return nil
}

// bansNamed is how many new bans are told one by one.
const bansNamed = 10

// enforceBans returns the bans that the kernel took.
func enforceBans(state *loader.State, bans []event.Ban) ([]event.Ban, error) {
	for i, b := range bans {
		if err := state.AddBan(b); err != nil {
			return bans[:i], err
		}
	}
	return bans, nil
}

// mergeBans replaces the manual bans of the same sources.
func mergeBans(saved, added []event.Ban) []event.Ban {
	replaced := make(map[netip.Prefix]bool, len(added))
	for _, b := range added {
		replaced[b.Source] = true
	}
	saved = slices.DeleteFunc(saved, func(b event.Ban) bool { return b.Grade == event.Manual && replaced[b.Source] })
	return append(saved, added...)
}
