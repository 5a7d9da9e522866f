// SPDX-License-Identifier: MIT

// Package pending keeps the one change that is taken back unless somebody
// confirms it in time, in two files of state_dir: pending.json says what
// the change is and until when it waits, pending.before is what was there
// before. They are written before the change is made, so that whoever is
// left when the time is over (the command that waits, the daemon, the next
// start of either) can take it back. Time is that since boot: a wall clock
// that is set neither prolongs nor cuts the wait, and a reboot ends it.
//
// What is taken back, and how, is the caller's affair. Every function may
// be called from any number of processes at once.
package pending

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"denmap/userspace/store/safefile"
)

// Limits of the wait for a confirmation.
const (
	minWait = time.Second
	MaxWait = 24 * time.Hour
)

const (
	schema    = 1
	maxFile   = 64 << 20  // bytes of pending.json: as many bans as the kernel holds
	maxBefore = 256 << 20 // bytes of pending.before: the largest list

	fileMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o750

	// lockWait is how long the journal is waited for: taking a change back
	// may read and write a long list.
	lockWait = 30 * time.Second
)

var (
	// ErrWaiting is wrapped by Begin's error: only one change waits at once.
	ErrWaiting = errors.New("another change waits to be confirmed")
	// ErrNone: nothing waits to be confirmed.
	ErrNone = errors.New("nothing waits to be confirmed")
)

// State is what became of a change.
type State string

// The states.
const (
	Waiting   State = "waiting"
	Confirmed State = "confirmed"
	Undone    State = "undone"
)

// Change is one that waits, or the last one that did.
type Change struct {
	Schema  int    `json:"schema"`
	ID      string `json:"id"`
	State   State  `json:"state"`
	What    string `json:"what"`           // "allow", "deny", "config" or "bans"
	Text    string `json:"text"`           // for people
	Path    string `json:"path,omitempty"` // of the file that was changed
	Existed bool   `json:"existed,omitempty"`
	// After is the SHA-256 of the file as the change left it, so that later
	// edits of others are noticed; empty: the change was not finished.
	After   string         `json:"after,omitempty"`
	Made    bool           `json:"made"`              // the change was finished
	Sources []netip.Prefix `json:"sources,omitempty"` // whose bans were changed

	Boot     string        `json:"boot"` // of which start of the kernel
	Deadline time.Duration `json:"deadline_ns"`
}

// Moment is a time since boot.
type Moment struct {
	Boot  string // of which start of the kernel
	Since time.Duration
}

// Overdue reports whether the change waited too long.
func (c Change) Overdue(now Moment) bool {
	return c.State == Waiting && (c.Boot != now.Boot || now.Since >= c.Deadline)
}

// Left is how long the change still waits.
func (c Change) Left(now Moment) time.Duration {
	if c.State != Waiting || c.Overdue(now) {
		return 0
	}
	return c.Deadline - now.Since
}

// Journal is the pair of files in one directory.
type Journal struct {
	dir string
	now func() (Moment, error)
}

// In returns the journal in stateDir, which need not exist. now nil stands
// for Now.
func In(stateDir string, now func() (Moment, error)) *Journal {
	if now == nil {
		now = Now
	}
	return &Journal{stateDir, now}
}

func (j *Journal) path() string       { return filepath.Join(j.dir, "pending.json") }
func (j *Journal) beforePath() string { return filepath.Join(j.dir, "pending.before") }

// Read returns the change that waits or the last that did, and the present
// moment. Errors: ErrNone.
func (j *Journal) Read() (Change, Moment, error) {
	now, err := j.now()
	if err != nil {
		return Change{}, now, err
	}
	data, err := safefile.Read(j.path(), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Change{}, now, ErrNone
	}
	if err != nil {
		return Change{}, now, err
	}
	var c Change
	if err := json.Unmarshal(data, &c); err != nil || c.Schema != schema {
		return Change{}, now, fmt.Errorf("read %q: expected a change of schema %d", j.path(), schema)
	}
	return c, now, nil
}

// Begin notes a change that is about to be made, and what was there before.
// The change waits from now on. Errors: ErrWaiting.
func (j *Journal) Begin(ctx context.Context, c Change, before []byte, wait time.Duration) (_ Change, err error) {
	err = j.locked(ctx, func(file *safefile.File) error {
		last, now, err := j.Read()
		if err != nil && !errors.Is(err, ErrNone) {
			return err
		}
		if last.State == Waiting {
			return fmt.Errorf("%w: %s", ErrWaiting, last.Text)
		}
		c.Schema, c.ID, c.State = schema, rand.Text(), Waiting
		c.Boot, c.Deadline = now.Boot, now.Since+wait
		old, err := safefile.Lock(ctx, j.beforePath(), lockWait, dirMode)
		if err != nil {
			return err
		}
		if err := errors.Join(old.Replace(before, fileMode), old.Close()); err != nil {
			return err
		}
		return write(file, c)
	})
	return c, err
}

// Made notes that the change is made, in force, and what it left behind: the
// wait begins anew. Errors: ErrNone if the change waits no longer.
func (j *Journal) Made(ctx context.Context, id, after string, wait time.Duration) error {
	return j.update(ctx, id, func(c *Change, now Moment) {
		c.After, c.Made, c.Deadline = after, true, now.Since+wait
	})
}

// Confirm ends the wait of the change with this id, of any if it is empty:
// the change stays. Errors: ErrNone, also for a change whose time is over.
func (j *Journal) Confirm(ctx context.Context, id string) (confirmed Change, err error) {
	err = j.update(ctx, id, func(c *Change, _ Moment) {
		c.State = Confirmed
		confirmed = *c
	})
	if err != nil {
		return confirmed, err
	}
	return confirmed, j.dropBefore()
}

func (j *Journal) update(ctx context.Context, id string, edit func(*Change, Moment)) error {
	return j.locked(ctx, func(file *safefile.File) error {
		c, now, err := j.Read()
		if err != nil {
			return err
		}
		if c.State != Waiting || id != "" && c.ID != id || c.Overdue(now) {
			return ErrNone
		}
		edit(&c, now)
		return write(file, c)
	})
}

// Undo takes back the change that waits: at once where early says so for
// it, else only if it is overdue. It calls do with the change and what was
// there before; when do fails, the change goes on waiting to be taken back,
// and may be again, after do was carried out in part. undone reports whether
// anything was.
func (j *Journal) Undo(ctx context.Context, early func(Change) bool, do func(Change, []byte) error) (c Change, undone bool, err error) {
	// Looked at first, so that where nothing waits no lock file is made.
	c, now, err := j.Read()
	if errors.Is(err, ErrNone) || err == nil && (c.State != Waiting || !c.Overdue(now) && !early(c)) {
		return c, false, nil
	}
	if err != nil {
		return c, false, err
	}
	err = j.locked(ctx, func(file *safefile.File) error {
		if c, now, err = j.Read(); err != nil || c.State != Waiting || !c.Overdue(now) && !early(c) {
			return err
		}
		before, err := safefile.Read(j.beforePath(), maxBefore)
		if err != nil {
			return err
		}
		if err := do(c, before); err != nil {
			return fmt.Errorf("take back %s: %w", c.Text, err)
		}
		c.State, undone = Undone, true
		return write(file, c)
	})
	if err == nil && undone {
		err = j.dropBefore()
	}
	return c, undone, err
}

// Never is early of an Undo that takes back only what is overdue.
func Never(Change) bool { return false }

func (j *Journal) dropBefore() error {
	if err := os.Remove(j.beforePath()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget what was before: %w", err)
	}
	return nil
}

// locked calls f under the lock of the journal.
func (j *Journal) locked(ctx context.Context, f func(*safefile.File) error) (err error) {
	file, err := safefile.Lock(ctx, j.path(), lockWait, dirMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return f(file)
}

func write(file *safefile.File, c Change) error {
	data, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("note change: %w", err)
	}
	return file.Replace(data, fileMode)
}
