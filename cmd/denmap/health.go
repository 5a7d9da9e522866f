// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
)

// verdict is what health exits with, as monitoring systems in the Nagios
// tradition read it.
type verdict int

const (
	healthy verdict = iota
	warning
	critical
	unknown
)

func (v verdict) String() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[v]
}

// fullPercent is the fill of a table from which on health warns.
const fullPercent = 90

func healthCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "health",
		Usage: "say in one line and an exit code whether protection works, for monitoring systems",
		Description: "Exit codes: 0 all is well, 1 warning (no daemon, paused, events lost, a log, list or\n" +
			"configuration that is refused, a table nearly full),\n" +
			"2 critical (an interface is not protected, or nothing is; dead_man lets all pass), 3 unknown.",
		Flags: []cli.Flag{controlFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			h := &healthReport{Schema: schema, Problems: []string{}}
			if err := h.examine(env, c); err != nil {
				h.fail(env, err)
			}
			h.Status, h.Code = h.worst.String(), int(h.worst)
			var err error
			if c.Bool("json") {
				err = env.writeJSON(h)
			} else {
				err = env.writeText(h.line())
			}
			if err == nil && h.worst != healthy {
				err = exitCode(h.worst)
			}
			return err
		},
	}
}

// healthReport is the JSON document of health.
type healthReport struct {
	Schema      int      `json:"schema"`
	Status      string   `json:"status"` // OK, WARNING, CRITICAL or UNKNOWN
	Code        int      `json:"code"`   // the exit code
	Problems    []string `json:"problems"`
	Interfaces  int      `json:"interfaces"` // protected ones
	Unprotected int      `json:"unprotected"`
	Bans        int      `json:"bans"`
	Sources     int      `json:"sources"`
	Dropped     uint64   `json:"dropped"`      // packets
	Lost        uint64   `json:"lost"`         // events and table entries
	FillPercent int      `json:"fill_percent"` // of the fullest table

	Unconfirmed *unconfirmed `json:"unconfirmed,omitempty"` // no problem by itself

	worst     verdict
	protected []string
}

func (h *healthReport) add(v verdict, format string, args ...any) {
	// A known failure is not hidden by something unknown besides it.
	if v != unknown || h.worst != critical {
		h.worst = max(h.worst, v)
	}
	h.Problems = append(h.Problems, printable(fmt.Sprintf(format, args...)))
}

// fail is for what keeps health from finding out.
func (h *healthReport) fail(env *environment, err error) {
	switch {
	case errors.Is(err, fs.ErrPermission) && !env.Root:
		h.add(unknown, "health needs root")
	case errors.Is(err, loader.ErrNotAttached):
		h.add(critical, "%v: %s", err, env.whyNotAttached())
	default:
		h.add(unknown, "%s", oneLine(err))
	}
}

func (h *healthReport) examine(env *environment, c *cli.Context) error {
	state, err := env.openState()
	if err != nil {
		return err
	}
	defer state.Close()
	if err := h.examineInterfaces(env, c, state); err != nil {
		return err
	}
	if state.DaemonRunning() {
		h.examineDaemon(env, c)
	} else {
		h.add(warning, "the daemon is not running: the kernel protects, nothing is logged")
	}
	silent, err := state.Silent()
	if err != nil {
		return err
	}
	if silent {
		h.add(critical, "the daemon is silent for longer than dead_man allows: every packet passes")
	}
	paused, err := state.Paused()
	if err != nil {
		return err
	}
	if !paused.IsZero() {
		h.add(warning, "paused for %v more: every packet passes", paused.Sub(env.Now()).Round(time.Second))
	}
	return h.examineTables(state)
}

func (h *healthReport) examineInterfaces(env *environment, c *cli.Context, state *loader.State) error {
	found, err := state.Protections()
	if err != nil {
		return err
	}
	good := make(map[string]bool)
	for _, p := range found {
		if p.Problem != "" {
			h.Unprotected++
			h.add(critical, "%s is unprotected: %s", p.Name, p.Problem)
			continue
		}
		h.Interfaces++
		good[p.Name] = true
		h.protected = append(h.protected, fmt.Sprintf("%s %s", p.Name, p.Hook))
	}
	if len(found) == 0 {
		h.add(critical, "no interface is protected")
	}
	cfg, bad, err := env.salvageConfig(c)
	if err != nil {
		return err
	}
	if bad != nil {
		h.add(warning, "configuration refused: %s", oneLine(bad))
	}
	h.Unconfirmed = readUnconfirmed(cfg)
	wanted, err := wantedInterfaces(env, cfg)
	if err != nil {
		return err
	}
	for _, name := range wanted {
		if !good[name] && !named(found, name) {
			h.Unprotected++
			h.add(critical, "%s is unprotected: the configuration names it", name)
		}
	}
	return nil
}

func named(found []loader.Protection, name string) bool {
	for _, p := range found {
		if p.Name == name {
			return true
		}
	}
	return false
}

// wantedInterfaces returns the names that the configuration asks to
// protect: those it spells out, and those that exist and match a pattern.
func wantedInterfaces(env *environment, cfg config.Config) ([]string, error) {
	var names []string
	patterns := false
	for _, i := range cfg.Interfaces {
		if i.IsGlob() {
			patterns = true
		} else {
			names = append(names, i.Name)
		}
	}
	if !patterns {
		return names, nil
	}
	host, err := env.Network()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	for _, dev := range host.Interfaces {
		if i, ok := cfg.For(dev.Name); ok && i.IsGlob() {
			names = append(names, dev.Name)
		}
	}
	return names, nil
}

func (h *healthReport) examineTables(state *loader.State) error {
	counters, err := state.Counters()
	if err != nil {
		return err
	}
	for _, c := range counters {
		switch c.Verdict {
		case "drop":
			h.Dropped += c.Count
		case "lost":
			h.Lost += c.Count
		}
	}
	if h.Lost > 0 {
		h.add(warning, "%d events or table entries lost", h.Lost)
	}
	fills, err := state.Fills()
	if err != nil {
		return err
	}
	for _, f := range fills {
		switch f.Table {
		case "bans", "blind_bans":
			h.Bans += f.Entries
		case "sources":
			h.Sources = f.Entries
		}
		full := tableStatus{Entries: f.Entries, Capacity: f.Capacity}.percent()
		h.FillPercent = max(h.FillPercent, full)
		if full >= fullPercent {
			h.add(warning, "table %s is %d%% full", f.Table, full)
		}
	}
	return nil
}

// line is the text and the performance data of the plugin guidelines.
func (h *healthReport) line() string {
	text := strings.Join(h.Problems, "; ")
	if text == "" {
		text = "protecting " + strings.Join(h.protected, ", ")
	}
	if h.Unconfirmed != nil {
		text += "; " + printable(h.Unconfirmed.text())
	}
	// A bar would begin the performance data.
	text = strings.ReplaceAll(text, "|", "/")
	return fmt.Sprintf("DENMAP %v - %s | interfaces=%d unprotected=%d;;0 bans=%d sources=%d dropped=%dc lost=%dc fill=%d%%;%d\n",
		h.worst, text, h.Interfaces, h.Unprotected, h.Bans, h.Sources, h.Dropped, h.Lost, h.FillPercent, fullPercent)
}
