// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/units"
)

func statusCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show interfaces, counters, tables and lost events",
		Flags: []cli.Flag{controlFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			cfg, err := withoutArguments(c, env.configAnyway)
			if err != nil {
				return err
			}
			report := statusReport{Schema: schema, Log: cfg.Log.Path, Interfaces: []interfaceStatus{}, Counters: []counterStatus{}, Tables: []tableStatus{}, Troubles: []daemon.Trouble{}}
			report.readNotify(cfg)
			report.Unconfirmed = readUnconfirmed(cfg)
			state, err := env.openState()
			if errors.Is(err, loader.ErrNotAttached) && c.Bool("json") {
				return errors.Join(env.writeJSON(report), err)
			}
			if err != nil {
				return err
			}
			defer state.Close()
			if err := report.read(state); err != nil {
				return err
			}
			if report.Daemon {
				report.Troubles = askTroubles(c)
			}
			if c.Bool("json") {
				return env.writeJSON(report)
			}
			return env.writeText(report.text(env))
		},
	}
}

// statusReport is the JSON document of status.
type statusReport struct {
	Schema      int               `json:"schema"`
	Attached    bool              `json:"attached"`
	Daemon      bool              `json:"daemon"` // false: the kernel acts on its own
	PausedUntil time.Time         `json:"paused_until,omitzero"`
	Silent      bool              `json:"silent"` // the dead man's switch has let go: every packet passes
	Unconfirmed *unconfirmed      `json:"unconfirmed,omitempty"`
	Interfaces  []interfaceStatus `json:"interfaces"`
	Rules       *ruleStatus       `json:"rules,omitempty"`
	Counters    []counterStatus   `json:"counters"`
	Lost        map[string]uint64 `json:"lost"` // by what: event, source, ban
	Tables      []tableStatus     `json:"tables"`
	Memory      uint64            `json:"memory_bytes"` // of all tables in the kernel
	Log         string            `json:"log"`
	Troubles    []daemon.Trouble  `json:"troubles"`         // what the daemon says is wrong
	Notify      *notifyStatus     `json:"notify,omitempty"` // unless nobody is to be told
}

// unconfirmed is a change that denmap confirm keeps.
type unconfirmed struct {
	What    string `json:"what"`         // allow, deny, config or bans
	Text    string `json:"text"`         // for people
	Seconds int64  `json:"left_seconds"` // until it is taken back
}

// readUnconfirmed returns nil if nothing waits, or if that cannot be told:
// who may not read the state is told so elsewhere.
func readUnconfirmed(cfg config.Config) *unconfirmed {
	change, left, err := waitingChange(cfg)
	if err != nil || left <= 0 {
		return nil
	}
	return &unconfirmed{change.What, change.Text, int64(left.Seconds())}
}

func (u *unconfirmed) text() string {
	left := units.FormatDuration(max(time.Duration(u.Seconds)*time.Second, time.Second))
	return fmt.Sprintf("%s: taken back in %s, unless denmap confirm is run", u.Text, left)
}

type interfaceStatus struct {
	Name      string    `json:"name"`
	Index     int       `json:"index"`
	Hook      string    `json:"hook"` // native or generic
	Mode      string    `json:"mode"` // enforce or monitor
	Frags     bool      `json:"frags"`
	Since     time.Time `json:"since"`
	Protected bool      `json:"protected"`
	Problem   string    `json:"problem,omitempty"` // why it is not
}

type ruleStatus struct {
	AlertScore    int   `json:"alert_score"`
	BanScore      int   `json:"ban_score"`
	UDPAlertScore int   `json:"udp_alert_score"`
	UDPBanScore   int   `json:"udp_ban_score"`
	DecaySeconds  int64 `json:"decay_seconds"`
	BanSeconds    int64 `json:"ban_seconds"`
	IPv6Prefix    int   `json:"ipv6_prefix"`
}

type counterStatus struct {
	Interface string `json:"interface"`
	Verdict   string `json:"verdict"` // pass or drop
	Reason    string `json:"reason"`
	Packets   uint64 `json:"packets"`
}

type tableStatus struct {
	Name     string `json:"name"`
	Entries  int    `json:"entries"`
	Capacity int    `json:"capacity"`
	Bytes    uint64 `json:"bytes"`
}

func (r *statusReport) read(state *loader.State) error {
	r.Attached, r.Daemon = true, state.DaemonRunning()
	paused, err := state.Paused()
	if err != nil {
		return err
	}
	r.PausedUntil = stamp(paused)
	if r.Silent, err = state.Silent(); err != nil {
		return err
	}
	protections, err := state.Protections()
	if err != nil {
		return err
	}
	for _, p := range protections {
		r.Interfaces = append(r.Interfaces, interfaceStatus{
			Name: p.Name, Index: p.Index, Hook: string(p.Hook), Mode: mode(p.Interface), Frags: p.Frags,
			Since: stamp(p.Since), Protected: p.Problem == "", Problem: p.Problem,
		})
	}
	rules, err := state.Rules()
	if err != nil {
		return err
	}
	r.Rules = &ruleStatus{
		AlertScore: rules.AlertScore, BanScore: rules.BanScore,
		UDPAlertScore: rules.UDPAlert, UDPBanScore: rules.UDPBan, IPv6Prefix: rules.IPv6Prefix,
		DecaySeconds: int64(rules.Decay.Seconds()), BanSeconds: int64(rules.BanDuration.Seconds()),
	}
	return r.readCounts(state)
}

func (r *statusReport) readCounts(state *loader.State) error {
	counters, err := state.Counters()
	if err != nil {
		return err
	}
	r.Lost = make(map[string]uint64)
	for _, c := range counters {
		if c.Verdict == "lost" {
			r.Lost[c.Reason] += c.Count
			continue
		}
		r.Counters = append(r.Counters, counterStatus{c.Interface, c.Verdict, c.Reason, c.Count})
	}
	if r.Memory, err = state.Memory(); err != nil {
		return err
	}
	fills, err := state.Fills()
	if err != nil {
		return err
	}
	for _, f := range fills {
		r.Tables = append(r.Tables, tableStatus{f.Table, f.Entries, f.Capacity, f.Bytes})
	}
	return nil
}

func mode(i loader.Interface) string {
	if i.Monitor {
		return "monitor"
	}
	return "enforce"
}

func (r *statusReport) text(env *environment) string {
	var text strings.Builder
	running := "running"
	if !r.Daemon {
		running = "not running: the kernel protects on its own, nothing is logged"
	}
	fmt.Fprintf(&text, "daemon: %s\n", running)
	if r.Silent {
		text.WriteString("dead man: the daemon is silent, every packet passes\n")
	}
	if !r.PausedUntil.IsZero() {
		fmt.Fprintf(&text, "paused: until %s, every packet passes\n", env.clock(r.PausedUntil))
	}
	if r.Unconfirmed != nil {
		fmt.Fprintf(&text, "waits:  %s\n", printable(r.Unconfirmed.text()))
	}
	fmt.Fprintf(&text, "log:    %s\n", printable(r.Log))
	fmt.Fprintf(&text, "memory: %s of kernel memory\n", memory(r.Memory))
	for _, t := range r.Troubles {
		fmt.Fprintf(&text, "wrong:  %s\n", printable(troubleText(env, t)))
	}
	r.Notify.write(&text, env)
	for _, what := range []string{"event", "source", "ban"} {
		if n := r.Lost[what]; n > 0 {
			fmt.Fprintf(&text, "lost:   %d %ss\n", n, what)
		}
	}
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "\nINTERFACE\tHOOK\tMODE\tSINCE\tSTATE\n")
	for _, i := range r.Interfaces {
		state := "protected"
		if !i.Protected {
			state = "UNPROTECTED: " + i.Problem
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(i.Name), i.Hook, i.Mode, env.clock(i.Since), printable(state))
	}
	r.writeCounters(w)
	fmt.Fprint(w, "\nTABLE\tENTRIES\tCAPACITY\tFULL\tMEMORY\n")
	for _, t := range r.Tables {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d%%\t%s\n", t.Name, t.Entries, t.Capacity, t.percent(), memory(t.Bytes))
	}
	// Writing to a strings.Builder cannot fail.
	_ = w.Flush()
	return trimLines(text.String())
}

func (r *statusReport) writeCounters(w *tabwriter.Writer) {
	head := "\nINTERFACE\tVERDICT\tREASON\tPACKETS\n"
	for _, c := range r.Counters {
		if c.Packets > 0 {
			fmt.Fprintf(w, "%s%s\t%s\t%s\t%d\n", head, printable(c.Interface), c.Verdict, c.Reason, c.Packets)
			head = ""
		}
	}
}

func (t tableStatus) percent() int {
	if t.Capacity == 0 {
		return 0
	}
	return t.Entries * 100 / t.Capacity
}

// memory rounds to what people compare: units.FormatSize is exact, which
// for kernel memory means bytes.
func memory(n uint64) string {
	switch {
	case n >= 10<<20:
		return units.FormatSize(int64((n+1<<19)>>20) << 20)
	case n >= 10<<10:
		return fmt.Sprintf("%dKiB", (n+1<<9)>>10)
	}
	return fmt.Sprintf("%dB", n)
}
