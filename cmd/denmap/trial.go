// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"net/netip"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/pending"
	"denmap/userspace/store"
	"denmap/userspace/units"
)

const (
	// trialPoll is how often the command that waits looks for the answer.
	trialPoll = 100 * time.Millisecond
	// makeLimit is how much longer a change may wait while it is being
	// made: a long list takes its time. The wait proper begins when it is.
	makeLimit = 2 * time.Minute
)

func confirmFlag() cli.Flag {
	return &cli.StringFlag{
		Name:  "confirm",
		Usage: "take the change back unless denmap confirm is run within `DURATION`, such as 60s",
	}
}

// trial is one change of something that may have to be confirmed.
type trial struct {
	undoer
	what string        // the What of a pending.Change
	wait time.Duration // for a confirmation; 0: the change needs none
}

// newTrial reads --confirm. First it takes back a change that nobody was
// left to take back; then it refuses to touch what waits to be confirmed
// already, since taking that back would undo this too.
func (e *environment) newTrial(c *cli.Context, cfg config.Config, what string) (*trial, error) {
	t := &trial{undoer: newUndoer(e, c, cfg), what: what}
	var err error
	if t.wait, err = duration(c, "confirm"); err != nil {
		return nil, err
	}
	if t.wait > pending.MaxWait {
		return nil, usagef("option --confirm: %q: expected at most %s", c.String("confirm"), units.FormatDuration(pending.MaxWait))
	}
	if err := t.settle(); err != nil {
		return nil, err
	}
	last, left, err := waitingChange(cfg)
	if err != nil {
		return nil, err
	}
	if left > 0 && (t.wait > 0 || last.What == what && what != whatBans) {
		return nil, withHint(pendingError(last, left), "denmap confirm keeps that one, denmap confirm --undo takes it back")
	}
	return t, nil
}

// run makes a change with make, which reports whether there was anything to
// change, and waits for its confirmation if that is asked for. What could
// not be made whole is taken back.
func (t *trial) run(change pending.Change, before []byte, make func() (bool, error)) error {
	if t.wait == 0 {
		_, err := make()
		return err
	}
	change.What = t.what
	change, err := t.journal.Begin(background(t.c), change, before, t.wait+makeLimit)
	if err != nil {
		return err
	}
	changed, err := make()
	switch {
	case err != nil:
		return errors.Join(err, t.takeBack(change))
	case !changed:
		_, err := t.journal.Confirm(background(t.c), change.ID)
		return err
	}
	after := ""
	if change.Path != "" {
		data, _, err := pending.Load(change.Path)
		if err != nil {
			return errors.Join(err, t.takeBack(change))
		}
		after = pending.Sum(data)
	}
	if err := t.journal.Made(background(t.c), change.ID, after, t.wait); errors.Is(err, pending.ErrNone) {
		return t.ended(change)
	} else if err != nil {
		return errors.Join(err, t.takeBack(change))
	}
	return t.await(change)
}

// runFile is run for a change of the file at path.
func (t *trial) runFile(path, text string, make func() (bool, error)) error {
	if t.wait == 0 {
		return t.run(pending.Change{}, nil, make)
	}
	before, existed, err := pending.Load(path)
	if err != nil {
		return err
	}
	return t.run(pending.Change{Text: text, Path: path, Existed: existed}, before, make)
}

// runBans is run for a change that gives bans to sources, or lifts those
// that concerned tells.
func (t *trial) runBans(text string, state *loader.State, sources []netip.Prefix, concerned func(event.Ban) bool, make func() (bool, error)) error {
	if t.wait == 0 {
		return t.run(pending.Change{}, nil, make)
	}
	bans, err := t.env.readBans(t.cfg, state)
	if err != nil {
		return err
	}
	bans = slices.DeleteFunc(bans, func(b event.Ban) bool { return !concerned(b) })
	before, err := store.EncodeBans(bans)
	if err != nil {
		return err
	}
	return t.run(pending.Change{Text: text, Sources: sources}, before, make)
}

// await waits until the change is confirmed or taken back. A terminal that
// goes away, as that of somebody who has just cut himself off, does not end
// the wait; an interrupt takes the change back at once.
func (t *trial) await(change pending.Change) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	t.env.say("in a new session, run denmap confirm within %s to keep this; else it is taken back", units.FormatDuration(t.wait))
	ticker := time.NewTicker(trialPoll)
	defer ticker.Stop()
	for {
		last, now, err := t.journal.Read()
		switch {
		case err != nil:
			return errors.Join(err, t.takeBack(change))
		case last.ID != change.ID || last.State != pending.Waiting:
			return t.ended(change)
		case last.Overdue(now):
			if err := t.settle(); err != nil {
				return err
			}
			return errNotConfirmed
		}
		select {
		case <-ticker.C:
		case <-t.c.Context.Done():
			if err := t.takeBack(change); err != nil {
				return err
			}
			return errors.New("interrupted: the change is taken back")
		}
	}
}

var errNotConfirmed = errors.New("not confirmed: the change is taken back")

// ended says what became of a change that waits no longer.
func (t *trial) ended(change pending.Change) error {
	if err := t.settle(); err != nil {
		return err
	}
	last, _, err := t.journal.Read()
	switch {
	case err != nil:
		return err
	case last.ID != change.ID:
		return errors.New("another change has begun meanwhile: look whether this one is in force")
	case last.State == pending.Undone:
		return errNotConfirmed
	}
	t.env.say("confirmed")
	return nil
}

// takeBack takes one change back at once, if it waits.
func (t *trial) takeBack(change pending.Change) error {
	_, _, err := t.undo(context.WithoutCancel(t.c.Context), func(c pending.Change) bool { return c.ID == change.ID })
	return err
}

// settle takes back what is overdue, and says so.
func (t *trial) settle() error {
	undone, ok, err := t.undo(background(t.c), pending.Never)
	if ok && err == nil {
		t.env.say("not confirmed in time, taken back: %s", undone.Text)
	}
	return err
}
