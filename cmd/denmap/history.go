// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/history"
)

func historyCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "history",
		Usage: "list the scans of the last weeks, from the daemon's database",
		Description: "One line for each scan, the latest last. Times are how long ago, such as 90m or 2d, or points in\n" +
			"time such as 2026-01-02T15:04:05Z, \"2026-01-02 15:04\" or 2026-01-02.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "since", Usage: "only scans that went on after `TIME`"},
			&cli.StringFlag{Name: "until", Usage: "only scans that had begun before `TIME`"},
			&cli.StringFlag{Name: "source", Usage: "only scans by `ADDR`, an address or a network"},
			&cli.StringFlag{Name: "country", Usage: "only scans from the country `CODE`, such as NL; - stands for none that is known"},
			&cli.StringSliceFlag{Name: "kind", Usage: "only scans of `KIND`, such as syn or fin,xmas; may be repeated"},
			&cli.StringFlag{Name: "action", Usage: "only scans that were `ACTION`: " + choices(historyActions())},
			&cli.IntFlag{Name: "lines", Aliases: []string{"n"}, Usage: "of what there is, only the last `N` that fit", DefaultText: fmt.Sprint(history.MaxLimit)},
			jsonFlag(),
			&cli.BoolFlag{Name: "csv", Usage: "print comma-separated values"},
		},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			filter, err := historyFilter(env, c)
			if err != nil {
				return err
			}
			switch {
			case c.Bool("json") && c.Bool("csv"):
				return usagef("history: --json or --csv, not both")
			case c.IsSet("lines") && c.Int("lines") < 1:
				return usagef("option -n: %d: expected at least 1", c.Int("lines"))
			}
			cfg, err := env.loadConfig(c)
			if err != nil {
				return err
			}
			reader, err := env.openHistory(cfg)
			if err != nil {
				return err
			}
			defer reader.Close()
			return env.history(c, reader, filter)
		},
	}
}

// openHistory opens the daemon's database for reading.
func (e *environment) openHistory(cfg config.Config) (*history.Reader, error) {
	r, err := history.OpenReader(filepath.Join(cfg.StateDir, "history.db"), e.Now)
	if errors.Is(err, history.ErrNoHistory) {
		return nil, withHint(err, "denmap attach begins one; state_dir of the configuration says where")
	}
	return r, err
}

func historyActions() []string {
	var names []string
	for _, a := range history.Actions() {
		names = append(names, string(a))
	}
	return names
}

func historyFilter(env *environment, c *cli.Context) (f history.Filter, err error) {
	if f.Since, f.Until, err = periodOptions(env, c); err != nil {
		return f, err
	}
	if f.Source, err = sourceOption(c); err != nil {
		return f, err
	}
	if c.IsSet("country") {
		if f.Country, err = countryCode(c.String("country")); err != nil {
			return f, err
		}
	}
	if f.Kinds, err = kindOptions(c); err != nil {
		return f, err
	}
	if c.IsSet("action") {
		name := c.String("action")
		if !slices.Contains(historyActions(), name) {
			return f, unknownValue("action", name, historyActions())
		}
		f.Action = history.Action(name)
	}
	return f, nil
}

func countryCode(text string) (string, error) {
	code := strings.ToUpper(text)
	if code == history.NoCountry || len(code) == 2 && strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "" {
		return code, nil
	}
	return "", usagef("option --country: %q: expected two letters such as NL, or - for none", text)
}

// history prints what fits in the form that is asked for. A table is
// bounded, because it is made as a whole.
func (e *environment) history(c *cli.Context, r *history.Reader, f history.Filter) error {
	last := c.Int("lines")
	switch {
	case c.Bool("json"):
		gaps, err := historyGaps(c.Context, r, f.Range)
		if err != nil {
			return err
		}
		return e.historyJSON(e.eachScan(c.Context, r, f, last), gaps)
	case c.Bool("csv"):
		return e.historyCSV(e.eachScan(c.Context, r, f, last))
	case last == 0:
		return e.historyTable(c.Context, r, f, history.MaxLimit)
	}
	return e.historyTable(c.Context, r, f, last)
}

// historyGaps returns the times that the history says nothing about, the
// latest thousand of them, oldest first.
func historyGaps(ctx context.Context, r *history.Reader, in history.Range) ([]history.Note, error) {
	notes, err := r.Notes(ctx, in, history.MaxLimit)
	gaps := slices.DeleteFunc(notes, func(n history.Note) bool {
		return n.Action != history.DaemonDown && n.Action != event.EventsLost
	})
	slices.Reverse(gaps)
	return gaps, err
}

// scanSource hands scans on, one by one, oldest first.
type scanSource func(each func(history.Scan) error) error

// eachScan reads the last scans, all if last is 0. All are read page by
// page, so that a slow reader of the output holds up no daemon.
func (e *environment) eachScan(ctx context.Context, r *history.Reader, f history.Filter, last int) scanSource {
	return func(each func(history.Scan) error) error {
		if last > 0 {
			scans, _, err := lastScans(ctx, r, f, last)
			for _, s := range scans {
				if err == nil {
					err = each(s)
				}
			}
			return err
		}
		f.Oldest, f.Limit = true, history.MaxLimit
		for {
			page, err := r.Scans(ctx, f)
			if err != nil {
				return err
			}
			for _, s := range page.Scans {
				if err := each(s); err != nil {
					return err
				}
			}
			if f.After = page.Next; f.After == "" {
				return nil
			}
		}
	}
}

// lastScans returns the n latest scans, the latest last, and whether there
// are more.
func lastScans(ctx context.Context, r *history.Reader, f history.Filter, n int) (scans []history.Scan, more bool, err error) {
	for {
		f.Limit = min(n-len(scans), history.MaxLimit)
		page, err := r.Scans(ctx, f)
		if err != nil {
			return nil, false, err
		}
		scans = append(scans, page.Scans...)
		f.After = page.Next
		if len(scans) >= n || f.After == "" {
			slices.Reverse(scans)
			return scans, f.After != "", nil
		}
	}
}
