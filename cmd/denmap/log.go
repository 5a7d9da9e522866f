// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"denmap/userspace/event"
	"denmap/userspace/eventlog"
)

func logCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:        "log",
		Usage:       "read the event log, rotated files included",
		Description: "Times are how long ago, such as 90m or 2d, or points in time such as 2026-01-02T15:04:05Z,\n\"2026-01-02 15:04\" or 2026-01-02.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "since", Usage: "only events from `TIME` on"},
			&cli.StringFlag{Name: "until", Usage: "only events before `TIME`"},
			&cli.StringFlag{Name: "source", Usage: "only events about `ADDR`, an address or a network"},
			&cli.StringSliceFlag{Name: "kind", Usage: "only scans of `KIND`, such as syn or fin,xmas; may be repeated"},
			&cli.StringSliceFlag{Name: "action", Usage: "only events of `ACTION`, such as source-banned; may be repeated"},
			&cli.IntFlag{Name: "lines", Aliases: []string{"n"}, Usage: "of what there is, only the last `N` that fit"},
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "wait for more"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON lines"},
		},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			filter, err := logFilter(env, c)
			if err != nil {
				return err
			}
			if c.IsSet("lines") && c.Int("lines") < 1 {
				return usagef("option -n: %d: expected at least 1", c.Int("lines"))
			}
			cfg, err := env.configAnyway(c)
			if err != nil {
				return err
			}
			return readLog(env, c, eventlog.ReaderOptions{Path: cfg.Log.Path, Filter: filter, Last: c.Int("lines"), Notes: env.Stderr})
		},
	}
}

func readLog(env *environment, c *cli.Context, o eventlog.ReaderOptions) error {
	found := false
	show := func(r eventlog.Record) error {
		found = true
		if !c.Bool("json") {
			return eventlog.RenderHuman(env.Stdout, r, env.Zone)
		}
		line, err := r.JSON()
		if err != nil {
			return fmt.Errorf("write event: %w", err)
		}
		_, err = env.Stdout.Write(append(line, '\n'))
		return err
	}
	reader := eventlog.NewReader(o)
	if c.Bool("follow") {
		return reader.Follow(c.Context, show)
	}
	err := reader.Read(c.Context, show)
	if errors.Is(err, eventlog.ErrNoLog) {
		return withHint(err, "denmap attach writes one; log.path of the configuration names it")
	}
	if err == nil && !found {
		env.say("no event fits")
	}
	return err
}

func logFilter(env *environment, c *cli.Context) (f eventlog.Filter, err error) {
	if f.Since, f.Until, err = periodOptions(env, c); err != nil {
		return f, err
	}
	if f.Source, err = sourceOption(c); err != nil {
		return f, err
	}
	if f.Kinds, err = kindOptions(c); err != nil {
		return f, err
	}
	for _, name := range commas(c.StringSlice("action")) {
		if !slices.Contains(actionNames(), name) {
			return f, unknownValue("action", name, actionNames())
		}
		f.Actions = append(f.Actions, event.Action(name))
	}
	return f, nil
}

func actionNames() []string {
	return []string{
		string(event.ScanDetected), string(event.SourceBanned), string(event.SourceUnbanned), string(event.ScanEnded),
		string(event.ListChanged), string(event.Attached), string(event.Detached), string(event.EventsLost),
	}
}
