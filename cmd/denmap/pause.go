// SPDX-License-Identifier: MIT

package main

import (
	"github.com/urfave/cli/v2"

	"denmap/userspace/units"
)

func pauseCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:        "pause",
		Usage:       "let every packet pass for a while; the state is kept",
		ArgsUsage:   "DURATION",
		Description: "The pause ends by itself, or with denmap resume. A new one replaces it.",
		Action: func(c *cli.Context) error {
			arg, err := oneArgument(c, "a duration such as 10m")
			if err != nil {
				return err
			}
			length, err := units.ParseDuration(arg)
			if err != nil {
				return badValue(err)
			}
			state, err := env.openState()
			if err != nil {
				return err
			}
			defer state.Close()
			until := env.Now().Add(length)
			if err := state.Pause(until); err != nil {
				return err
			}
			env.say("paused until %s: every packet passes", env.clock(until))
			return nil
		},
	}
}

func resumeCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "resume",
		Usage: "end a pause",
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			state, err := env.openState()
			if err != nil {
				return err
			}
			defer state.Close()
			paused, err := state.Paused()
			if err != nil {
				return err
			}
			if err := state.Resume(); err != nil {
				return err
			}
			if paused.IsZero() {
				env.say("was not paused")
			} else {
				env.say("resumed")
			}
			return nil
		},
	}
}
