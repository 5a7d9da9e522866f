// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/pending"
)

// recoverPause is how often the daemon looks for a change whose time to be
// confirmed is over.
const recoverPause = time.Second

// recovery takes changes back that were not confirmed, on the part of the
// daemon: whoever made one may have been killed.
type recovery struct {
	env    *environment
	c      *cli.Context
	report func(string)
	reload chan<- os.Signal // has this daemon read its configuration again
	// stateDir is where a change would be noted; empty: as configured. It
	// spares a daemon the reading of its configuration every second.
	stateDir string

	last string // what was said of the latest failure
}

// look takes back what is overdue.
func (r *recovery) look(ctx context.Context) {
	if err := r.try(ctx); err == nil {
		r.last = ""
	} else if text := oneLine(err); text != r.last {
		r.last = text
		r.report(text)
	}
}

func (r *recovery) try(ctx context.Context) error {
	if r.stateDir != "" {
		change, now, err := pending.In(r.stateDir, nil).Read()
		if errors.Is(err, pending.ErrNone) || err == nil && !change.Overdue(now) {
			return nil
		}
	}
	cfg, _, err := r.env.salvageConfig(r.c)
	if err != nil {
		return err
	}
	u := newUndoer(r.env, r.c, cfg)
	u.follows, u.reload = true, r.ask
	undone, ok, err := u.undo(ctx, pending.Never)
	if ok && err == nil {
		r.report(fmt.Sprintf("not confirmed in time, taken back: %s", undone.Text))
	}
	return err
}

// ask has the daemon reload; one that was asked already need not be.
func (r *recovery) ask() error {
	select {
	case r.reload <- syscall.SIGHUP:
	default:
	}
	return nil
}

// run looks every second, until the returned function is called.
func (r *recovery) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		ticker := time.NewTicker(recoverPause)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				r.look(ctx)
			}
		}
	})
	return func() {
		cancel()
		done.Wait()
	}
}
