// SPDX-License-Identifier: MIT

package main

import (
	"github.com/urfave/cli/v2"

	"denmap/userspace/pending"
)

func confirmCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "confirm",
		Usage: "keep a change that was made with --confirm",
		Description: "Run it in a session that was opened after the change: that proves that you can still get in.\n" +
			"Who waits too long finds the change taken back, even if daemon and command were killed meanwhile:\n" +
			"the next of them to start does it.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "undo", Usage: "take the change back at once instead"},
			controlFlag(),
		},
		Action: func(c *cli.Context) error {
			cfg, err := withoutArguments(c, env.configAnyway)
			if err != nil {
				return err
			}
			t := &trial{undoer: newUndoer(env, c, cfg)}
			if err := t.settle(); err != nil {
				return err
			}
			if c.Bool("undo") {
				return t.undoNow()
			}
			change, err := t.journal.Confirm(background(c), "")
			if err != nil {
				return err
			}
			env.say("confirmed: %s", change.Text)
			return nil
		},
	}
}

func (t *trial) undoNow() error {
	change, undone, err := t.undo(background(t.c), func(pending.Change) bool { return true })
	switch {
	case err != nil:
		return err
	case !undone:
		return pending.ErrNone
	}
	t.env.say("taken back: %s", change.Text)
	return nil
}
