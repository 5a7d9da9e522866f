// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/lists"
	"denmap/userspace/store/safefile"
)

const (
	// daemonWait is how long the daemon may take to put a small edit in
	// force; it promises a second. entryWait is added for every entry of
	// the list, since it reads all of them, on a busy host too.
	daemonWait = 2 * time.Second
	entryWait  = 20 * time.Microsecond
	// importWait is the same for an import, which may be a million
	// prefixes.
	importWait = 60 * time.Second
	// daemonPoll is how often the kernel is asked meanwhile.
	daemonPoll = 10 * time.Millisecond
	// lockWait is how long another command's edit is waited for.
	lockWait = 10 * time.Second
	// samples bounds how many of the changed entries are asked for.
	samples = 64
)

// errNotEnforced: the file is changed, but the kernel does not follow.
var errNotEnforced = errors.New("the list is changed, but not in force")

// enforceList sees to it that an edited file is in force: by the daemon if
// one runs, else by its own hand. state may be nil: nothing is attached.
func (e *environment) enforceList(c *cli.Context, state *loader.State, kind lists.Kind, path string, edits []lists.Entry) error {
	if state == nil {
		e.say("not attached: in force from the next attach on")
		return nil
	}
	if !state.DaemonRunning() {
		return e.syncList(c, state, kind, path)
	}
	if len(edits) == 0 {
		return nil
	}
	list, err := lists.Load(path, kind)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotEnforced, err)
	}
	limit := daemonWait + time.Duration(len(list.Entries))*entryWait
	if len(edits) > samples {
		limit = max(limit, importWait)
	}
	expected := expectations(list, edits, e.Now())
	ctx, cancel := context.WithTimeout(c.Context, limit)
	defer cancel()
	if err := awaitList(ctx, state, kind, expected); err != nil {
		return withHint(fmt.Errorf("%w: %w", errNotEnforced, err), "see what the daemon says (journalctl -u denmap), and whether it reads the same configuration")
	}
	e.say("in force")
	return nil
}

// syncList makes the kernel's list that of the file. The lock keeps two
// commands from putting an older file in force after a newer one.
func (e *environment) syncList(c *cli.Context, state *loader.State, kind lists.Kind, path string) (err error) {
	lock, err := safefile.Lock(background(c), path, lockWait, 0o755)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotEnforced, err)
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	list, err := lists.Load(path, kind)
	if err != nil {
		return fmt.Errorf("%w: %w", errNotEnforced, err)
	}
	active := list.Active(e.Now())
	_, err = state.SyncList(loader.ListName(kind.String()), loaderEntries(active), e.progress("put in force"))
	if err != nil {
		return fmt.Errorf("%w: %w", errNotEnforced, err)
	}
	e.say("in force")
	if ends := lists.NextExpiry(active, e.Now()); !ends.IsZero() {
		e.say("no daemon is running: entries with an end stay in force until one does")
	}
	return nil
}

// expectation is what the kernel is to say of an address.
type expectation struct {
	addr          netip.Addr
	listed, watch bool
}

// expectations derives from the file what the kernel has to say of the
// first address of every edited network, or of a sample of them: looking
// one up reads the whole list.
func expectations(list *lists.List, edits []lists.Entry, now time.Time) []expectation {
	step := (len(edits) + samples - 1) / samples
	var out []expectation
	for i := 0; i < len(edits); i += max(step, 1) {
		addr := edits[i].Prefix.Addr()
		entry, listed := list.Lookup(netip.PrefixFrom(addr, addr.BitLen()), now)
		out = append(out, expectation{addr, listed, entry.Watch})
	}
	return out
}

// awaitList asks the kernel until every expectation is met.
func awaitList(ctx context.Context, state *loader.State, kind lists.Kind, expected []expectation) error {
	ticker := time.NewTicker(daemonPoll)
	defer ticker.Stop()
	for len(expected) > 0 {
		e := expected[0]
		listed, watch, err := state.Listed(loader.ListName(kind.String()), e.addr)
		if err != nil {
			return err
		}
		if listed == e.listed && watch == e.watch {
			expected = expected[1:]
			continue
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the daemon did not take over %s in time", e.addr)
		case <-ticker.C:
		}
	}
	return nil
}
