// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/daemon/control"
	"denmap/userspace/event"
	"denmap/userspace/lists"
	"denmap/userspace/pending"
	"denmap/userspace/store"
	"denmap/userspace/units"
)

// What a pending.Change may be of, besides the two lists by their names.
const (
	whatBans   = "bans"
	whatConfig = "config"
)

// reloadWait is how long the daemon may take to answer.
const reloadWait = 15 * time.Second

// waitingChange returns the change that waits to be confirmed, and for how
// long it still does; 0: none waits.
func waitingChange(cfg config.Config) (pending.Change, time.Duration, error) {
	change, now, err := pending.In(cfg.StateDir, nil).Read()
	if errors.Is(err, pending.ErrNone) {
		err = nil
	}
	return change, change.Left(now), err
}

func pendingError(change pending.Change, left time.Duration) error {
	return fmt.Errorf("%w for %s more: %s", pending.ErrWaiting, units.FormatDuration(max(left, time.Second)), change.Text)
}

// undoer takes changes back that were not confirmed.
type undoer struct {
	env     *environment
	c       *cli.Context
	cfg     config.Config
	journal *pending.Journal
	// follows: this process is or becomes the daemon, which sees by itself
	// that a list has changed.
	follows bool
	reload  func() error // has the daemon read its configuration again
}

func newUndoer(e *environment, c *cli.Context, cfg config.Config) undoer {
	u := undoer{env: e, c: c, cfg: cfg, journal: pending.In(cfg.StateDir, nil)}
	u.reload = func() error { return askReload(c) }
	return u
}

func (u undoer) undo(ctx context.Context, early func(pending.Change) bool) (pending.Change, bool, error) {
	return u.journal.Undo(ctx, early, func(c pending.Change, before []byte) error { return u.restore(ctx, c, before) })
}

// restore takes one change back. The journal belongs to the service's user,
// and this may be root: it says which file to restore, but only the
// configuration says where that is.
func (u undoer) restore(ctx context.Context, change pending.Change, before []byte) error {
	switch change.What {
	case whatBans:
		return u.restoreBans(change, before)
	case whatConfig:
		if path := u.env.configPath(u.c); change.Path != path {
			return fmt.Errorf("it is of %q, and the configuration is %q", change.Path, path)
		}
		if err := pending.Restore(ctx, change, before); err != nil {
			return err
		}
		return u.reload()
	}
	kind, err := lists.ParseKind(change.What)
	if err != nil {
		return err
	}
	path := listPath(u.cfg, kind)
	if change.Path != path {
		return fmt.Errorf("it is of %q, and the %s list is %q", change.Path, kind, path)
	}
	if err := pending.Restore(ctx, change, before); err != nil || u.follows {
		return err
	}
	state, err := u.env.optionalState()
	if err != nil || state == nil {
		return err
	}
	defer state.Close()
	if state.DaemonRunning() {
		return nil
	}
	return u.env.syncList(u.c, state, kind, path)
}

// restoreBans lifts the bans that the change gave, and gives those that it
// lifted or replaced, in the kernel and in the file.
func (u undoer) restoreBans(change pending.Change, before []byte) error {
	bans, err := store.DecodeBans(before)
	if err != nil {
		return err
	}
	now := u.env.Now()
	bans = slices.DeleteFunc(bans, func(b event.Ban) bool { return !b.Until.IsZero() && !now.Before(b.Until) })
	state, err := u.env.optionalState()
	if err != nil {
		return err
	}
	defer state.Close()
	given := make(map[netip.Prefix]bool, len(change.Sources))
	for _, source := range change.Sources {
		given[source] = true
	}
	var failed error
	err = u.env.updateBanFile(u.c, u.cfg, func(saved []event.Ban) []event.Ban {
		if state != nil {
			for source := range given {
				if _, err := state.RemoveBan(source); err != nil {
					failed = errors.Join(failed, err)
				}
			}
			if _, err := enforceBans(state, bans); err != nil {
				failed = errors.Join(failed, err)
			}
		}
		back := func(b event.Ban) bool {
			return slices.ContainsFunc(bans, func(old event.Ban) bool { return old.Source == b.Source && old.Grade == b.Grade })
		}
		saved = slices.DeleteFunc(saved, func(b event.Ban) bool { return given[b.Source] || back(b) })
		return append(saved, bans...)
	})
	return errors.Join(err, failed)
}

// askReload has a running daemon read its configuration again. No daemon is
// no error: the next one reads it anyway.
func askReload(c *cli.Context) error {
	ctx, cancel := context.WithTimeout(background(c), reloadWait)
	defer cancel()
	resp, err := control.Call(ctx, c.String("control"), control.Request{Command: daemon.CommandReload})
	switch {
	case errors.Is(err, control.ErrNoDaemon):
		return nil
	case err != nil:
		return err
	case resp.Error != "":
		return errors.New(resp.Error)
	}
	return nil
}

// configPath is the file that the command line names, or the usual one.
func (e *environment) configPath(c *cli.Context) string {
	if c.IsSet("config") {
		return c.String("config")
	}
	return e.ConfigPath
}
