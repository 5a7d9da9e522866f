// SPDX-License-Identifier: MIT

package main

import "github.com/urfave/cli/v2"

func bansRemoveCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "remove",
		Usage:     "lift bans and forget what their sources did, as unban does",
		ArgsUsage: "ADDR...",
		Flags:     []cli.Flag{confirmFlag(), controlFlag()},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return withHint(usagef("bans remove: expected an address"), "usage: %s", usageLine(c))
			}
			return unban(env, c, c.Args().Slice())
		},
	}
}
