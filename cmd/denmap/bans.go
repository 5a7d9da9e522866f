// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/lists"
	"denmap/userspace/store"
)

func bansCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:        "bans",
		Usage:       "show, give and lift bans",
		Description: "Bans end by themselves. What is to stay out for good belongs on the deny list.",
		Subcommands: []*cli.Command{
			bansShowCommand(env),
			bansAddCommand(env),
			bansRemoveCommand(env),
		},
	}
}

// readBans returns the bans in force, sorted by source. Without kernel
// state they are those of the file. The kernel keeps no reasons, so they
// come from the file always.
func (e *environment) readBans(cfg config.Config, state *loader.State) ([]event.Ban, error) {
	saved, err := e.loadBanFile(cfg)
	if err != nil {
		return nil, err
	}
	bans := saved
	if state != nil {
		if bans, err = state.Bans(); err != nil {
			return nil, err
		}
		store.AddReasons(bans, saved)
	}
	slices.SortFunc(bans, func(a, b event.Ban) int { return a.Source.Compare(b.Source) })
	return bans, nil
}

// loadBanFile reads the file of bans; one that is damaged is set aside,
// said so, and taken as empty.
func (e *environment) loadBanFile(cfg config.Config) ([]event.Ban, error) {
	saved, err := e.banFile(cfg).Load()
	if errors.Is(err, store.ErrCorrupt) {
		e.say("%v", err)
		return nil, nil
	}
	return saved, err
}

// updateBanFile edits the file of bans as loadBanFile reads it.
func (e *environment) updateBanFile(c *cli.Context, cfg config.Config, change func([]event.Ban) []event.Ban) error {
	err := e.banFile(cfg).Update(background(c), change)
	if errors.Is(err, store.ErrCorrupt) {
		e.say("%v", err)
		return nil
	}
	return err
}

// banSource reads the address of a ban.
func banSource(arg string, ipv6Prefix int) (netip.Prefix, error) {
	p, err := lists.ParseBan(arg, ipv6Prefix)
	if err == nil {
		return p, nil
	}
	var wide *lists.WideError
	if errors.As(err, &wide) {
		return p, withHint(badValue(err), "denmap lists add deny %s keeps a whole network out", arg)
	}
	return p, badValue(err)
}

// ipv6Prefix returns how many bits of an IPv6 source are scored as one:
// what the kernel was told, else the configuration.
func ipv6Prefix(cfg config.Config, state *loader.State) (int, error) {
	if state == nil {
		return cfg.Detect.IPv6Prefix, nil
	}
	rules, err := state.Rules()
	if err != nil {
		return 0, err
	}
	return rules.IPv6Prefix, nil
}
