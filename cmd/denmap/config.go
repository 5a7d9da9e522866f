// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
)

func configCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:        "config",
		Usage:       "check, show and replace the configuration",
		Subcommands: []*cli.Command{configCheckCommand(env), configShowCommand(env), configApplyCommand(env)},
	}
}

func configShowCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "show",
		Usage: "print the configuration in force, defaults included, secrets left out",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			cfg, err := withoutArguments(c, env.loadConfig)
			if err != nil {
				return err
			}
			cfg = cfg.Redacted()
			if c.Bool("json") {
				return env.writeJSON(struct {
					Schema int           `json:"schema"`
					Config config.Config `json:"config"`
				}{schema, cfg})
			}
			text, err := config.Marshal(cfg)
			if err != nil {
				return fmt.Errorf("write configuration: %w", err)
			}
			return env.writeText(string(text))
		},
	}
}

func configCheckCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "look for unknown keys and bad values, by file and line",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			_, err := env.loadConfig(c)
			var bad *config.Error
			if err != nil && !errors.As(err, &bad) {
				return err
			}
			if c.Bool("json") {
				err = env.writeJSON(newConfigCheck(bad))
			} else {
				err = env.tellConfigCheck(bad)
			}
			if err == nil && bad != nil {
				err = exitCode(exitFailed)
			}
			return err
		},
	}
}

// configCheck is the JSON document of config check.
type configCheck struct {
	Schema   int             `json:"schema"`
	OK       bool            `json:"ok"`
	Problems []configProblem `json:"problems"`
	Omitted  int             `json:"omitted"` // further ones
}

type configProblem struct {
	File  string `json:"file"`
	Line  int    `json:"line,omitempty"`
	Key   string `json:"key,omitempty"`
	Value string `json:"value,omitempty"`
	Text  string `json:"text"`
}

func newConfigCheck(bad *config.Error) configCheck {
	check := configCheck{Schema: schema, OK: bad == nil, Problems: []configProblem{}}
	if bad == nil {
		return check
	}
	check.Omitted = bad.Omitted
	for _, p := range bad.Problems {
		check.Problems = append(check.Problems, configProblem{p.File, p.Line, p.Path, p.Value, p.Text})
	}
	return check
}

func (e *environment) tellConfigCheck(bad *config.Error) error {
	if bad == nil {
		e.say("the configuration is good")
		return nil
	}
	for _, p := range bad.Problems {
		fmt.Fprintf(e.Stderr, "denmap: error: %s\n", printable(p.String()))
	}
	if bad.Omitted > 0 {
		fmt.Fprintf(e.Stderr, "denmap: error: %d more problems\n", bad.Omitted)
	}
	return nil
}
