// SPDX-License-Identifier: MIT

package lists

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"denmap/userspace/store/safefile"
)

// ErrNoAddresses is wrapped by the error for a feed that is not empty and
// holds not one address: a web server's error page, or a compressed file.
var ErrNoAddresses = errors.New("no address in the feed")

// ImportOptions say what an import takes, and how.
type ImportOptions struct {
	Own       []netip.Prefix // this host's addresses
	Protected []netip.Prefix // gateways, DNS servers and the like
	Force     bool           // take own, protected, private, ... and wide networks too

	Until   time.Time // for every new entry; zero: no end
	Comment string    // for every new entry
	Watch   bool      // for every new entry; allow list only

	Now      time.Time       // for what has expired; zero: the present
	Progress func(lines int) // called now and then while reading, from the same goroutine; may be nil
}

// ImportResult tells what an import did with the lines of the feed.
type ImportResult struct {
	Path    string // the list file itself, if the list is a symbolic link
	Created bool   // the list file did not exist before
	Lines   int    // lines of the feed, comments and blank ones included
	Added   int
	Updated int            // listed before, now for longer
	Masked  int            // lines that had host bits, which were removed; the networks count elsewhere too
	Skipped map[Reason]int // reasons that did not occur are missing
	Invalid []LineError    // the first five of the invalid lines
	Total   int            // entries in the list file now
}

// Import adds the addresses that r holds to the list file at path. It
// takes one address or network a line, ignoring "#" and ";" comments,
// blank lines and whatever follows the first column. What does not belong
// on a list is left out and counted by Reason. New entries come after the
// old ones, sorted.
//
// The feed is read to its end before the list is locked, so a slow one
// keeps nobody waiting; a read that blocks is not interrupted by ctx. The
// file is changed as Add does it, with the same errors; beyond those the
// error wraps ErrNoAddresses, or safefile.ErrTooLarge for a feed of more
// than MaxFeedSize bytes. ImportResult then tells of the feed, and the
// list is as it was; it is nil when opts is to blame.
func Import(ctx context.Context, path string, kind Kind, r io.Reader, opts ImportOptions) (*ImportResult, error) {
	if opts.Now.IsZero() {
		opts.Now = time.Now()
	}
	// A stand-in for the addresses to come checks the options once.
	pattern, err := checked(Entry{
		Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 32),
		Until:  opts.Until, Comment: opts.Comment, Watch: opts.Watch,
	}, kind)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	result := &ImportResult{Path: path, Skipped: map[Reason]int{}}
	candidates, err := readFeed(ctx, r, pattern, opts, result)
	if err != nil {
		return result, err
	}
	var added, updated int
	edited, err := edit(ctx, path, kind, func(d *document) error {
		added, updated = d.merge(candidates, opts.Now, result.Skipped)
		return nil
	})
	if err != nil {
		return result, err
	}
	result.Added, result.Updated = added, updated
	result.Path, result.Created, result.Total = edited.Path, edited.Created, edited.Total
	return result, nil
}

// ImportFile is Import from the file, FIFO or the like at feed.
func ImportFile(ctx context.Context, path string, kind Kind, feed string, opts ImportOptions) (*ImportResult, error) {
	f, err := os.Open(feed)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.Size() > MaxFeedSize {
		return nil, fmt.Errorf("read feed %q: %w: more than %d bytes", feed, safefile.ErrTooLarge, MaxFeedSize)
	}
	return Import(ctx, path, kind, f, opts)
}

// readFeed returns what of the feed may go on a list.
func readFeed(ctx context.Context, r io.Reader, pattern Entry, opts ImportOptions, result *ImportResult) ([]Entry, error) {
	skips := newFilter(opts.Own, opts.Protected)
	var candidates []Entry
	found := false
	err := newFeed(r, result).read(ctx, opts.Progress, func(p netip.Prefix) error {
		found = true
		if reason, skip := skips.skip(p); skip && !opts.Force {
			result.Skipped[reason]++
			return nil
		}
		if len(candidates) == MaxEntries {
			return fmt.Errorf("read feed: %w: more than %d addresses", safefile.ErrTooLarge, MaxEntries)
		}
		e := pattern
		e.Prefix = p
		candidates = append(candidates, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !found && len(result.Invalid) > 0 {
		return nil, fmt.Errorf("read feed: %w: %w", ErrNoAddresses, result.Invalid[0])
	}
	return candidates, nil
}

// merge plans the addition of candidates, which may repeat, where they
// make a difference, and counts the others in skipped.
func (d *document) merge(candidates []Entry, now time.Time, skipped map[Reason]int) (added, updated int) {
	listed := d.list.Entries
	keys := order(len(listed)+len(candidates), func(i int) (netip.Prefix, bool) {
		if i >= len(listed) {
			return candidates[i-len(listed)].Prefix, true
		}
		return listed[i].Prefix, true
	})
	var around nest
	var old, last *Entry // the latest of the list and of the feed
	for _, k := range keys {
		i := int(k.index) - len(listed)
		if i < 0 {
			// Of equal networks the list's come first, in the order of
			// their lines, so old ends up as the one that counts.
			old = &listed[k.index]
			if !old.Expired(now) {
				around = append(around.enter(old.Prefix), old)
			}
			continue
		}
		e := &candidates[i]
		around = around.enter(e.Prefix)
		switch {
		case last != nil && last.Prefix == e.Prefix:
			skipped[Repeated]++
			continue
		case old != nil && old.Prefix == e.Prefix && old.outlives(e):
			skipped[Listed]++
		case old != nil && old.Prefix == e.Prefix:
			longer := *old
			longer.Until, longer.Comment = e.Until, ""
			d.rewrite[old.Line] = longer
			updated++
		case around.without(e) != nil:
			skipped[Covered]++
		default:
			d.appended = append(d.appended, *e)
			around = append(around, e)
			added++
		}
		last = e
	}
	return added, updated
}
