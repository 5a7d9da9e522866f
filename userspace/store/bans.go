// SPDX-License-Identifier: MIT

// Package store keeps what must outlive the process in state_dir.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/store/safefile"
)

var (
	// ErrCorrupt is wrapped by the error for a file that cannot be made
	// sense of and was set aside. It comes together with a usable result.
	ErrCorrupt = errors.New("corrupt file")
	// ErrNewerSchema is wrapped by the error for a file that a newer
	// DenMap wrote. The file stays as it is.
	ErrNewerSchema = errors.New("written by a newer version of denmap")
)

const (
	// maxBansSize leaves room for a million bans.
	maxBansSize = 256 << 20 // bytes

	bansMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o750

	// lockWait is how long a change waits for another one; each takes
	// milliseconds.
	lockWait = 10 * time.Second
)

// Bans is the snapshot of bans in a file, bans.json in state_dir: what is
// restored into the kernel after a reboot, and what the command line
// changes while there is no kernel state. Its methods may be called from
// any number of goroutines and processes at once.
//
// The file is replaced atomically, and changes exclude each other by a
// lock (see safefile.Lock). A new file gets mode 0600, missing directories
// 0750. Times are wall-clock times, so they mean the same after a reboot.
type Bans struct {
	path string
	now  func() time.Time
}

// NewBans returns the snapshot at path, which need not exist. The clock
// now decides what has expired; nil stands for time.Now.
func NewBans(path string, now func() time.Time) *Bans {
	if now == nil {
		now = time.Now
	}
	return &Bans{path: path, now: now}
}

// Load returns the bans that have not expired, in the order of the file; a
// missing file holds none. A file that is damaged is moved aside, to
// bans.json.corrupt-TIME beside it, and Load returns no bans and an error
// that wraps ErrCorrupt and says so: the caller reports it and goes on.
// With any other error, such as one that wraps ErrNewerSchema, nothing is
// known about the bans, and the file is untouched.
func (b *Bans) Load() ([]event.Ban, error) {
	bans, err := b.read()
	if !errors.Is(err, ErrCorrupt) {
		return bans, err
	}
	// Under the lock, because the damaged file may just have been replaced
	// by a good one.
	file, lockErr := b.lock(context.Background())
	if lockErr != nil {
		return nil, fmt.Errorf("%w; set it aside: %w", err, lockErr)
	}
	bans, err = b.loadLocked(file)
	return bans, errors.Join(err, file.Close())
}

// Save makes bans the content of the file, leaving out expired ones,
// whatever the file held before, even if that was damaged. Only a file of
// a newer schema is not overwritten. On error the file is as it was.
func (b *Bans) Save(bans []event.Ban) (err error) {
	file, err := b.lock(context.Background())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if _, err := b.read(); errors.Is(err, ErrNewerSchema) {
		return err
	}
	return b.write(file, bans)
}

// Update reads the bans, lets change return what they are to be, and
// writes that, with nobody else in between. change may alter and return
// its argument. A damaged file is set aside first: the change is then made
// to an empty list and saved, and the error wraps ErrCorrupt. With any
// other error the file is as it was.
func (b *Bans) Update(ctx context.Context, change func([]event.Ban) []event.Ban) (err error) {
	file, err := b.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	bans, aside := b.loadLocked(file)
	if aside != nil && !errors.Is(aside, ErrCorrupt) {
		return aside
	}
	if err := b.write(file, change(bans)); err != nil {
		if aside != nil {
			return fmt.Errorf("%w (after: %w)", err, aside)
		}
		return err
	}
	return aside
}

func (b *Bans) lock(ctx context.Context) (*safefile.File, error) {
	return safefile.Lock(ctx, b.path, lockWait, dirMode)
}

func (b *Bans) read() ([]event.Ban, error) {
	data, err := safefile.Read(b.path, maxBansSize)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	bans, err := DecodeBans(data)
	if err != nil {
		return nil, fmt.Errorf("read bans %q: %w", b.path, err)
	}
	return b.unexpired(bans), nil
}

// loadLocked is read, and moves a damaged file aside.
func (b *Bans) loadLocked(file *safefile.File) ([]event.Ban, error) {
	bans, err := b.read()
	if !errors.Is(err, ErrCorrupt) {
		return bans, err
	}
	aside, nameErr := safefile.AsideName(file.Path(), b.now())
	if nameErr == nil {
		nameErr = file.Rename(aside)
	}
	if nameErr != nil {
		return nil, fmt.Errorf("%w; set it aside: %w", err, nameErr)
	}
	return nil, fmt.Errorf("%w; set aside as %q", err, filepath.Base(aside))
}

func (b *Bans) write(file *safefile.File, bans []event.Ban) error {
	data, err := EncodeBans(b.unexpired(bans))
	if err == nil && len(data) > maxBansSize {
		err = fmt.Errorf("%w: more than %d bytes", safefile.ErrTooLarge, maxBansSize)
	}
	if err != nil {
		return fmt.Errorf("save bans %q: %w", b.path, err)
	}
	return file.Replace(data, bansMode)
}

// unexpired returns the bans that are in force, without changing the
// argument. A ban without an end never expires.
func (b *Bans) unexpired(bans []event.Ban) []event.Ban {
	now := b.now()
	over := func(ban event.Ban) bool { return !ban.Until.IsZero() && !now.Before(ban.Until) }
	if !slices.ContainsFunc(bans, over) {
		return bans
	}
	return slices.DeleteFunc(slices.Clone(bans), over)
}
