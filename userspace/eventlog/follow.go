// SPDX-License-Identifier: MIT

package eventlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"
)

// maxKnown is how many fingerprints of files that were read a follower
// keeps. One would do to see where it stopped, if nobody removed files.
const maxKnown = 64

// follower reads on where the history ended.
type follower struct {
	*Reader
	yield   func(Record) error
	current *segment // nil while there is none with a line
	known   []string // fingerprints of files that were read, newest first
}

// Follow is Read, and then waits for more until ctx is done, when it
// returns nil, or yield returns an error. It goes on across rotation by
// renaming, by copying and truncating, and across compression; a line is
// handed out once. Without a log it waits for one.
func (r *Reader) Follow(ctx context.Context, yield func(Record) error) error {
	err := r.follow(ctx, yield)
	r.note()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}

func (r *Reader) follow(ctx context.Context, yield func(Record) error) error {
	emit, flush := r.lastOnly(yield)
	f, err := r.history(ctx, emit)
	if err != nil {
		return err
	}
	defer f.close()
	if err := f.step(ctx); err != nil && !f.tolerable(err) {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	f.yield = yield
	tick := time.NewTicker(r.opts.Poll)
	defer tick.Stop()
	for {
		if err := f.step(ctx); err != nil && !f.tolerable(err) {
			return err
		}
		f.note()
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (f *follower) close() {
	if f.current != nil {
		f.current.close()
	}
}

// step hands out what is new.
func (f *follower) step(ctx context.Context) error {
	if f.current != nil {
		err := f.drain(ctx, f.current, f.yield)
		if errors.Is(err, errReplaced) {
			return f.truncated(ctx)
		}
		if err != nil {
			return err
		}
	}
	now, err := os.Stat(f.opts.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // in the middle of a rotation, or not there yet
	}
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	if f.current != nil && os.SameFile(now, f.current.info) {
		return nil
	}
	return f.renamed(ctx)
}

// renamed goes on with newer files. The present one is left only when a
// newer one has a line: its writer may not have noticed the renaming yet.
func (f *follower) renamed(ctx context.Context) error {
	newer, stopped, err := snapshot(f.opts.Path, f.badFile, func(s *segment) bool {
		return f.current != nil && s.same(f.current) || f.isKnown(s.finger)
	})
	if err != nil {
		return err
	}
	if stopped != nil {
		stopped.close()
	}
	if len(newer) == 0 {
		return nil
	}
	if f.current != nil {
		err := f.finish(ctx, f.current)
		f.current = nil
		if err != nil {
			closeAll(newer)
			return err
		}
	}
	return f.advance(ctx, newer)
}

// truncated goes on after the present file was copied and cut: with the
// rest of the copy, then with newer copies, then with the file's new
// content. What was written between copy and cut is nowhere.
func (f *follower) truncated(ctx context.Context) error {
	old := f.current
	f.current = nil
	defer old.close()
	f.learn(old.finger)
	newer, stopped, err := snapshot(f.opts.Path, f.badFile, func(s *segment) bool { return f.isKnown(s.finger) })
	if err != nil {
		return err
	}
	if stopped != nil && stopped.finger == old.finger {
		stopped.off = old.off
		if err := f.finish(ctx, stopped); err != nil {
			closeAll(newer)
			return err
		}
	} else if stopped != nil {
		stopped.close()
	}
	return f.advance(ctx, newer)
}

// advance reads files, newest first in the list, and stays at the newest.
func (f *follower) advance(ctx context.Context, newer []*segment) error {
	for i, s := range slices.Backward(newer) {
		f.learn(s.finger)
		if i == 0 {
			f.current = s
			break
		}
		if err := f.finish(ctx, s); err != nil {
			closeAll(newer[:i])
			return err
		}
	}
	if f.current == nil {
		return nil
	}
	err := f.drain(ctx, f.current, f.yield)
	if errors.Is(err, errReplaced) {
		return nil // the next step finds it again
	}
	return err
}

// finish reads a file that nobody writes to any more to its end.
func (f *follower) finish(ctx context.Context, s *segment) error {
	defer s.close()
	err := f.drain(ctx, s, f.yield)
	if errors.Is(err, errReplaced) {
		err = readError{fmt.Errorf("read %q: %w", s.file.Name(), err)}
	}
	if err == nil {
		err = f.deliver(s.rest(f.buf), f.yield)
	}
	if err != nil && f.tolerable(err) {
		return nil
	}
	return err
}

func (f *follower) isKnown(finger string) bool {
	return finger != "" && slices.Contains(f.known, finger)
}

func (f *follower) learn(finger string) {
	if finger == "" || f.isKnown(finger) {
		return
	}
	f.known = slices.Insert(f.known, 0, finger)
	if len(f.known) > maxKnown {
		f.known = f.known[:maxKnown]
	}
}
