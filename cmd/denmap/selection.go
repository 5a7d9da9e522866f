// SPDX-License-Identifier: MIT

package main

import (
	"net/netip"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/event"
	"denmap/userspace/lists"
	"denmap/userspace/units"
)

// periodOptions reads --since and --until; what is not given is zero.
func periodOptions(env *environment, c *cli.Context) (since, until time.Time, err error) {
	if since, err = moment(env, c, "since"); err != nil {
		return since, until, err
	}
	until, err = moment(env, c, "until")
	return since, until, err
}

// sourceOption reads --source; the zero prefix stands for any.
func sourceOption(c *cli.Context) (netip.Prefix, error) {
	if !c.IsSet("source") {
		return netip.Prefix{}, nil
	}
	source, err := lists.ParsePrefix(c.String("source"))
	if err != nil {
		return netip.Prefix{}, usagef("option --source: %v", err)
	}
	return source, nil
}

// kindOptions reads every --kind; none stands for all.
func kindOptions(c *cli.Context) (event.Kinds, error) {
	var kinds event.Kinds
	for _, name := range commas(c.StringSlice("kind")) {
		kind, ok := event.ParseKind(strings.ToLower(name))
		if !ok {
			return kinds, unknownValue("kind", name, event.KindNames())
		}
		kinds = kinds.With(kind)
	}
	return kinds, nil
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
