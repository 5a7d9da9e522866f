// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/event"
	"denmap/userspace/eventlog"
	"denmap/userspace/lists"
	"denmap/userspace/units"
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
	if f.Since, err = moment(env, c, "since"); err != nil {
		return f, err
	}
	if f.Until, err = moment(env, c, "until"); err != nil {
		return f, err
	}
	if c.IsSet("source") {
		if f.Source, err = lists.ParsePrefix(c.String("source")); err != nil {
			return f, usagef("option --source: %v", err)
		}
	}
	for _, name := range commas(c.StringSlice("kind")) {
		kind, ok := event.ParseKind(strings.ToLower(name))
		if !ok {
			return f, unknownValue("kind", name, event.KindNames())
		}
		f.Kinds = f.Kinds.With(kind)
	}
	for _, name := range commas(c.StringSlice("action")) {
		if !slices.Contains(actionNames(), name) {
			return f, unknownValue("action", name, actionNames())
		}
		f.Actions = append(f.Actions, event.Action(name))
	}
	return f, nil
}

// moment reads an option that is a point in time or how long ago it was.
func moment(env *environment, c *cli.Context, name string) (time.Time, error) {
	text := c.String(name)
	if !c.IsSet(name) {
		return time.Time{}, nil
	}
	if ago, err := units.ParseDuration(text); err == nil {
		return env.Now().Add(-ago), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, env.Zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("option --%s: %q: expected a duration such as 2h or a time such as 2026-01-02T15:04:05Z", name, text)
}

func unknownValue(option, value string, names []string) error {
	err := usagef("option --%s: unknown %s %q", option, option, value)
	if near := nearest(value, names); near != "" {
		return withHint(err, "did you mean %s?", near)
	}
	return usagef("%v: expected %s", err, choices(names))
}

// commas splits values at commas: "fin,xmas" is two.
func commas(values []string) []string {
	var out []string
	for _, v := range values {
		for _, part := range strings.Split(v, ",") {
			out = append(out, strings.TrimSpace(part))
		}
	}
	return out
}

func actionNames() []string {
	return []string{
		string(event.ScanDetected), string(event.SourceBanned), string(event.SourceUnbanned), string(event.ScanEnded),
		string(event.ListChanged), string(event.Attached), string(event.Detached), string(event.EventsLost),
	}
}
