// SPDX-License-Identifier: MIT

package lists

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"time"

	"denmap/userspace/store/safefile"
)

// lockWait is how long an edit waits for another one. The longest edit, an
// import of a million lines, takes a few seconds.
const lockWait = 10 * time.Second

// Modes of what an edit creates: the administrator's group may read the
// lists, the directory can be entered like others in /etc.
const (
	fileMode fs.FileMode = 0o640
	dirMode  fs.FileMode = 0o755
)

// maxComment keeps a line with a comment far below maxLine.
const maxComment = 1024 // bytes

// Action is what an edit did with one network.
type Action uint8

// The actions of a Change.
const (
	Added     Action = iota
	Updated          // listed before, with another until, watch or comment
	Unchanged        // listed before just so
	Removed
)

// String returns a phrase for people, such as "already there".
func (a Action) String() string {
	return [...]string{"added", "updated", "already there", "removed"}[min(a, Removed)]
}

// Change is what an edit did with one network.
type Change struct {
	Action   Action
	Entry    Entry // as it is, or was, in the file
	Covering Entry // for Added: a wider entry that makes it needless; Prefix is invalid if none
}

// EditResult is what an edit did. If nothing had to change, the file was
// not written.
type EditResult struct {
	Path    string // the file itself, if the list is a symbolic link
	Created bool   // the file did not exist before
	Changes []Change
	Total   int // entries in the file now
}

// Count returns how many changes have one of the given actions.
func (r *EditResult) Count(actions ...Action) int {
	n := 0
	for _, c := range r.Changes {
		for _, a := range actions {
			if c.Action == a {
				n++
			}
		}
	}
	return n
}

// AddOptions are the conditions of Add.
type AddOptions struct {
	Now       time.Time      // for what has expired; zero: the present
	Protected []netip.Prefix // what Add to the deny list refuses to touch
	Force     bool           // touch it all the same
}

// Add puts entries into the list file at path, all or none. An entry that
// is listed already gets the new Until and Watch, and the new Comment
// unless that is empty; Line is ignored. Of entries with the same network
// the last one counts. Until is rounded up to whole seconds.
//
// The file is replaced atomically under a lock, keeping its mode, owner,
// comments, order and blank lines; a missing one is created with mode
// 0640, its directory with 0755. Errors: *ProtectedError; *RefusedError if
// the file has bad lines, since it is not edited then; safefile.ErrLocked
// after ten seconds of waiting for another edit; what is wrong with an
// entry; or those of the file system. Nothing has changed then.
func Add(ctx context.Context, path string, kind Kind, entries []Entry, opts AddOptions) (*EditResult, error) {
	protected := newPrefixSet(opts.Protected)
	entries, err := lastOfEach(entries, kind)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if other, ok := protected.overlap(e.Prefix); ok && kind == Deny && !opts.Force {
			return nil, &ProtectedError{Prefix: e.Prefix, Protected: other}
		}
	}
	if opts.Now.IsZero() {
		opts.Now = time.Now()
	}
	var changes []Change
	result, err := edit(ctx, path, kind, func(d *document) error {
		changes = d.add(entries, opts.Now)
		return nil
	})
	if err != nil {
		return nil, err
	}
	result.Changes = changes
	return result, nil
}

// Remove takes networks off the list file at path, all or none; every line
// that names one goes, with its comment. A network that is not listed as
// such is a *NotListedError, even where a wider one covers it. Otherwise
// Remove behaves as Add does.
func Remove(ctx context.Context, path string, kind Kind, prefixes []netip.Prefix) (*EditResult, error) {
	// Looked at first so that removing from a list that does not exist
	// creates no directory and no lock file.
	if list, err := Load(path, kind); err == nil && list.Missing && len(prefixes) > 0 {
		return nil, &NotListedError{Kind: kind, Prefix: prefixes[0]}
	}
	var changes []Change
	result, err := edit(ctx, path, kind, func(d *document) (err error) {
		changes, err = d.remove(prefixes)
		return err
	})
	if err != nil {
		return nil, err
	}
	result.Changes = changes
	return result, nil
}

// edit reads, changes and replaces a list file under its lock.
func edit(ctx context.Context, path string, kind Kind, change func(*document) error) (result *EditResult, err error) {
	file, err := safefile.Lock(ctx, path, lockWait, dirMode)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := file.Close(); err == nil && cerr != nil {
			result, err = nil, cerr
		}
	}()

	result = &EditResult{Path: file.Path()}
	data, err := file.Read(maxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		result.Created, err = true, nil
	}
	if err != nil {
		return nil, err
	}
	d, err := newDocument(path, kind, data)
	if err != nil {
		return nil, fmt.Errorf("edit the %s list: it is refused as it is: %w", kind, err)
	}
	if err := change(d); err != nil {
		return nil, err
	}
	result.Total = d.total()
	if !d.changed() {
		result.Created = false
		return result, nil
	}
	out, err := d.render()
	if err != nil {
		return nil, fmt.Errorf("edit list %q: %w", path, err)
	}
	if err := file.Replace(out, fileMode); err != nil {
		return nil, err
	}
	return result, nil
}
