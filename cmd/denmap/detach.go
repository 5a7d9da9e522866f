// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/daemon"
	"denmap/userspace/daemon/control"
	"denmap/userspace/event"
	"denmap/userspace/store"
)

// detachWait is how long the daemon may take to end: its last mail
// included.
const detachWait = 60 * time.Second

func detachCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "detach",
		Usage:     "end the protection of some interfaces, or of all",
		ArgsUsage: "[IFACE...]",
		Description: "Without an argument, removes every program and all kernel state, and ends the daemon\n" +
			"if one runs; bans are kept for the next attach. An interface that is named stays detached\n" +
			"until the daemon reads its configuration again.",
		Flags: []cli.Flag{controlFlag()},
		Action: func(c *cli.Context) error {
			names := c.Args().Slice()
			if slices.Contains(names, "") {
				return usagef("detach: expected an interface, got an empty argument")
			}
			if err := needCapabilities("detach"); err != nil {
				return err
			}
			return detach(env, c, names)
		},
	}
}

func detach(env *environment, c *cli.Context, names []string) error {
	ctx, cancel := context.WithTimeout(c.Context, detachWait)
	defer cancel()
	resp, err := control.Call(ctx, c.String("control"), control.Request{Command: daemon.CommandDetach, Args: names})
	switch {
	case errors.Is(err, control.ErrNoDaemon):
		return explainDetach(detachHere(env, c, names))
	case err != nil:
		return err
	case resp.Error != "":
		return errors.New(resp.Error)
	}
	env.sayDetached(names)
	return nil
}

func (e *environment) sayDetached(names []string) {
	if len(names) == 0 {
		e.say("detached: nothing is protected any more")
	}
	for _, name := range names {
		e.say("detached %s", name)
	}
}

func explainDetach(err error) error {
	if errors.Is(err, loader.ErrRunning) {
		return withHint(err, "it does not listen for requests: end it with systemctl stop denmap, or SIGTERM")
	}
	return err
}

// detachHere does it without a daemon.
func detachHere(env *environment, c *cli.Context, names []string) error {
	state, err := loader.OpenState(env.PinDir)
	switch {
	case errors.Is(err, loader.ErrNotAttached) && len(names) == 0:
		env.say("nothing is attached")
		return nil
	case errors.Is(err, loader.ErrLayout) && len(names) == 0:
		keepBans(env, c, func() ([]event.Ban, error) { return loader.StrandedBans(env.PinDir) })
		return removeState(env, names)
	case err != nil:
		return err
	}
	defer state.Close()
	if state.DaemonRunning() {
		return loader.ErrRunning
	}
	if len(names) > 0 {
		left, err := detachSome(env, state, names)
		if err != nil || left > 0 {
			return err
		}
	}
	keepBans(env, c, state.Bans)
	return removeState(env, names)
}

func removeState(env *environment, names []string) error {
	if err := loader.Remove(env.PinDir); err != nil {
		return err
	}
	env.sayDetached(names)
	return nil
}

// detachSome lets go of the named interfaces and returns how many are left.
func detachSome(env *environment, state *loader.State, names []string) (left int, err error) {
	rules, err := state.Rules()
	if err != nil {
		return 0, err
	}
	k, err := loader.Open(loader.Options{Dir: env.PinDir, Settings: loader.Settings{
		AlertScore: rules.AlertScore, BanScore: rules.BanScore,
		UDPAlert: rules.UDPAlert, UDPBan: rules.UDPBan,
		Decay: rules.Decay, IPv6Prefix: rules.IPv6Prefix, BanDuration: rules.BanDuration,
	}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, k.Close(true)) }()
	indexes, err := indexesOf(env, k.Attached(), names)
	if err != nil {
		return 0, err
	}
	for _, index := range indexes {
		if err := k.Detach(index); err != nil {
			return 0, err
		}
	}
	left = len(k.Attached())
	if left > 0 {
		env.sayDetached(names)
	}
	return left, nil
}

// indexesOf finds interfaces by the name they have now, or had when their
// daemon last saw them. All must be attached.
func indexesOf(env *environment, attached []loader.Interface, names []string) ([]int, error) {
	host, err := env.Network()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	byName := make(map[string]int)
	for _, i := range attached {
		byName[i.Name] = i.Index
		for _, dev := range host.Interfaces {
			if dev.Index == i.Index {
				byName[dev.Name] = i.Index
			}
		}
	}
	var indexes []int
	for _, name := range names {
		index, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("detach %q: it is not protected", name)
		}
		indexes = append(indexes, index)
	}
	return indexes, nil
}

// keepBans saves the bans that read returns. Who detaches wants to get rid
// of it, whatever the disk says.
func keepBans(env *environment, c *cli.Context, read func() ([]event.Ban, error)) {
	bans, err := read()
	if err == nil {
		err = saveBans(env, c, bans)
	}
	if err != nil {
		env.say("warning: %v: bans that are not there are lost", err)
	}
}

// saveBans writes the kernel's bans to the state directory, before they
// go, with the reasons that are noted there.
func saveBans(env *environment, c *cli.Context, bans []event.Ban) error {
	cfg, err := env.configAnyway(c)
	if err != nil {
		return err
	}
	err = env.banFile(cfg).Update(c.Context, func(old []event.Ban) []event.Ban {
		store.AddReasons(bans, old)
		return bans
	})
	if errors.Is(err, store.ErrCorrupt) {
		env.say("%v", err)
		return nil
	}
	return err
}
