// SPDX-License-Identifier: MIT

package main

import (
	"errors"

	"github.com/urfave/cli/v2"

	"denmap/userspace/lists"
)

func listsRemoveCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "remove",
		Usage:     "remove addresses and networks from a list, all or none",
		ArgsUsage: listUsage + " ADDR...",
		Flags:     []cli.Flag{forceFlag(), confirmFlag(), controlFlag()},
		Action: func(c *cli.Context) error {
			kind, args, err := listArgument(c, "an address or a network")
			if err != nil {
				return err
			}
			addrs, err := prefixes(args)
			if err != nil {
				return err
			}
			cfg, state, err := env.open(c, env.loadConfig)
			if err != nil {
				return err
			}
			defer state.Close()
			path := listPath(cfg, kind)
			if kind == lists.Allow && !c.Bool("force") {
				if err := env.refuseUncover(cfg, state, addrs); err != nil {
					return err
				}
			}
			trial, err := env.newTrial(c, cfg, kind.String())
			if err != nil {
				return err
			}
			return trial.runFile(path, "removals from the "+kind.String()+" list", func() (bool, error) {
				result, err := lists.Remove(background(c), path, kind, addrs)
				var missing *lists.NotListedError
				if errors.As(err, &missing) && missing.Covering.IsValid() {
					return false, withHint(err, "denmap lists remove %s %s takes the whole network off", kind, missing.Covering)
				}
				if err != nil {
					return false, explainEdit(err, preciousAddrs{})
				}
				env.tellEdit(kind, result)
				return true, env.enforceList(c, state, kind, path, changed(result))
			})
		},
	}
}
