// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/store"
)

const (
	// sweepPause is how much longer than a look at all bans the pause after
	// it is: a full table takes a tenth of a second to read.
	sweepPause = 20

	// remember is how long the final counts of an ended ban are kept for
	// whoever follows it.
	remember = time.Minute

	// crowded is from how many bans on one that is missing may have been
	// pushed out of its table, rather than lifted.
	crowded = 4096

	// sameEnd is by how much two readings of one ban's ends may differ: the
	// kernel counts from boot, and the wall clock is being adjusted.
	sameEnd = time.Second

	// lostAfter is how long a ban by the kernel may be in its table before
	// its event counts as lost: the ring buffer is read within milliseconds.
	lostAfter = 3 * time.Second

	// prolongPause is how often ends that move are saved: those of sources
	// that go on scanning move all the time.
	prolongPause = 15 * time.Second
)

// banKeeper removes ended bans from the kernel and keeps the others in the
// state file, so that a reboot does not end them. After restore it belongs
// to the goroutine of run, but for Ban.
type banKeeper struct {
	kernel  Kernel
	file    BanFile
	clock   Clock
	tell    *teller
	tracker banFollower
	beat    func() // called each time run comes round

	known   map[banKey]event.Ban
	unsaved bool                 // bans have come or gone since the file was written
	moved   bool                 // ends have moved since then
	written time.Time            // when the file was
	news    []banKey             // manual bans that the tracker is to be told of
	young   map[banKey]time.Time // bans by the kernel, when they were first seen
	next    time.Time            // no sweep before
	looked  time.Time            // when known was read

	mu    sync.Mutex
	ended map[netip.Prefix]endedBan
}

type banKey struct {
	source netip.Prefix
	grade  event.Grade
}

// endedBan is a ban that is out of the kernel already.
type endedBan struct {
	event.Ban
	at time.Time
}

// banFollower is told of bans that are none of the kernel's doing.
type banFollower interface {
	Adopt(b event.Ban, id string)
	Banned(event.Ban)
	Found(event.Ban)
	Unbanned(event.Ban)
}

func newBanKeeper(k Kernel, file BanFile, clock Clock, tell *teller) *banKeeper {
	return &banKeeper{
		kernel: k, file: file, clock: clock, tell: tell, beat: func() {},
		known: make(map[banKey]event.Ban), young: make(map[banKey]time.Time), ended: make(map[netip.Prefix]endedBan),
	}
}

// restore puts the bans of the file into a kernel that does not have all of
// an earlier daemon's, and then writes the file, to know that it can be. A
// disk without room is told of and tried again: a host that starts with a
// full disk is protected all the same.
func (b *banKeeper) restore() error {
	saved, err := b.file.Load()
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return err
	}
	if err != nil {
		b.tell.say(err.Error() + "; no bans are restored")
	}
	if !b.kernel.Adopted() {
		if saved, err = b.missing(saved); err != nil {
			return err
		}
		b.add(saved)
	}
	if err := b.read(); err != nil {
		return err
	}
	err = b.save(context.Background())
	if isFull(err) {
		b.saveOrSay(context.Background())
		return nil
	}
	return err
}

// missing returns those of the saved bans that the kernel did not take over
// from another layout. What it has is newer.
func (b *banKeeper) missing(saved []event.Ban) ([]event.Ban, error) {
	bans, err := b.kernel.Bans()
	if err != nil {
		return nil, err
	}
	have := make(map[banKey]bool, len(bans))
	for _, ban := range bans {
		have[banKey{ban.Source, ban.Grade}] = true
	}
	return slices.DeleteFunc(saved, func(ban event.Ban) bool { return have[banKey{ban.Source, ban.Grade}] }), nil
}

// isFull reports whether an error is about a disk, not about what is to be
// written, or where.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

func (b *banKeeper) add(saved []event.Ban) {
	var failed int
	var first error
	for _, ban := range saved {
		if err := b.kernel.AddBan(ban); err != nil {
			failed++
			if first == nil {
				first = err
			}
		}
	}
	switch {
	case failed > 0:
		b.tell.say(fmt.Sprintf("restored %d of %d bans: %v", len(saved)-failed, len(saved), first))
	case len(saved) > 0:
		b.tell.say(fmt.Sprintf("restored %d of %d bans", len(saved), len(saved)))
	}
}

// follow hands the bans that are in force to the tracker.
func (b *banKeeper) follow(t banFollower) {
	b.tracker = t
	for _, ban := range b.known {
		t.Adopt(ban, "")
	}
}

// run looks at the bans every second until ctx ends, and once more then.
func (b *banKeeper) run(ctx context.Context) {
	ticks, stop := b.clock.Tick(time.Second)
	defer stop()
	for {
		b.beat()
		select {
		case <-ctx.Done():
			return
		case now := <-ticks:
			if now.Before(b.next) {
				continue
			}
			began := b.clock.Now()
			b.sweep(ctx, began)
			took := b.clock.Now().Sub(began)
			b.next = began.Add(sweepPause * took)
		}
	}
}

// sweep brings the kernel's tables, the file and the tracker together.
func (b *banKeeper) sweep(ctx context.Context, now time.Time) {
	b.forget(now)
	if err := b.read(); err != nil {
		b.tell.trouble("bans", err.Error())
		return
	}
	b.tell.fine("bans", "")
	b.findOverlooked()
	if b.unsaved || b.moved && now.Sub(b.written) >= prolongPause {
		b.saveOrSay(ctx)
	}
	// Only now: what the operator wrote about a ban comes from the file.
	for _, key := range b.news {
		if ban, ok := b.known[key]; ok {
			b.tracker.Banned(ban)
		}
	}
	b.news = nil
	b.findLost(now)
}

// findLost tells the tracker of bans that are old enough for their event to
// have come: those whose event found no room in the ring buffer are logged
// by that.
func (b *banKeeper) findLost(now time.Time) {
	for key, seen := range b.young {
		ban, ok := b.known[key]
		if ok && now.Sub(seen) < lostAfter {
			continue
		}
		delete(b.young, key)
		if ok {
			b.tracker.Found(ban)
		}
	}
}

// findOverlooked tells of bans that the kernel does not enforce.
func (b *banKeeper) findOverlooked() {
	const matter = "lengths of IPv6 bans"
	lengths := b.kernel.Overlooked()
	var idle []string
	for _, bits := range lengths {
		for key := range b.known {
			if key.source.Addr().Is6() && key.source.Bits() == bits {
				idle = append(idle, fmt.Sprintf("/%d", bits))
				break
			}
		}
	}
	if len(idle) == 0 {
		b.tell.fine(matter, "every ban stops packets again")
		return
	}
	b.tell.trouble(matter, fmt.Sprintf("bans of IPv6 %s stop nothing, as there are bans of too many prefix lengths: lift them and ban the sources again",
		strings.Join(idle, ", ")))
}

// read takes ended bans out of the kernel and compares the others with
// what was known.
func (b *banKeeper) read() error {
	ended, err := b.kernel.DropExpired()
	b.keep(ended)
	if err != nil {
		return err
	}
	bans, err := b.kernel.Bans()
	if err != nil {
		return err
	}
	now := b.clock.Now()
	steady := steady(b.looked, now)
	b.looked = now
	known := make(map[banKey]event.Ban, len(bans))
	still := make(map[netip.Prefix]bool, len(bans))
	for _, ban := range bans {
		key := banKey{ban.Source, ban.Grade}
		before, ok := b.known[key]
		ban.Reason = before.Reason
		known[key], still[ban.Source] = ban, true
		b.unsaved = b.unsaved || !ok
		b.moved = b.moved || ok && !sameTime(before.Until, ban.Until)
		again := ok && steady && !sameTime(before.Since, ban.Since)
		if again && b.tracker != nil {
			// Lifted and given again between two sweeps.
			b.tracker.Unbanned(before)
		}
		if (!ok || again) && ban.Grade == event.Manual && b.tracker != nil {
			b.news = append(b.news, key)
		}
		if !ok && ban.Grade != event.Manual && b.tracker != nil {
			b.young[key] = now
		}
	}
	for key, ban := range b.known {
		if _, ok := known[key]; ok {
			continue
		}
		b.unsaved = true
		early := ban.Until.IsZero() || ban.Until.After(b.clock.Now().Add(sameEnd))
		if early && !still[key.source] && len(bans) < crowded && b.tracker != nil {
			b.tracker.Unbanned(ban)
		}
	}
	b.known = known
	return nil
}

// steady reports whether the wall clock was not set between two readings:
// setting it moves the beginning of every ban.
func steady(before, now time.Time) bool {
	wall := now.Round(0).Sub(before.Round(0))
	return !before.IsZero() && (wall-now.Sub(before)).Abs() < sameEnd/2
}

func sameTime(a, b time.Time) bool {
	if a.IsZero() || b.IsZero() {
		return a.IsZero() && b.IsZero()
	}
	return a.Sub(b).Abs() < sameEnd
}

// save writes the bans that are in force. They are read under the file's
// lock, under which commands change kernel and file together.
func (b *banKeeper) save(ctx context.Context) error {
	var failed error
	err := b.file.Update(ctx, func(old []event.Ban) []event.Ban {
		bans, err := b.kernel.Bans()
		if err != nil {
			failed = err
			return old
		}
		return b.merge(old, bans)
	})
	if errors.Is(err, store.ErrCorrupt) {
		b.tell.say(err.Error())
		err = nil
	}
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	b.unsaved, b.moved, b.written = false, false, b.clock.Now()
	return nil
}

// merge adds to the kernel's bans what only the file knows: the reasons.
func (b *banKeeper) merge(old, bans []event.Ban) []event.Ban {
	store.AddReasons(bans, old)
	for i := range bans {
		key := banKey{bans[i].Source, bans[i].Grade}
		if known, ok := b.known[key]; ok {
			known.Reason = bans[i].Reason
			b.known[key] = known
		}
	}
	return bans
}

func (b *banKeeper) saveOrSay(ctx context.Context) {
	if err := b.save(ctx); err != nil {
		b.unsaved = true
		b.tell.trouble("save bans", err.Error()+"; bans would not outlive a reboot; trying again")
		return
	}
	b.tell.fine("save bans", "bans are saved again")
}

// Ban returns the ban of exactly this source, for the tracker: the running
// one, or once the final counts of one that has ended.
func (b *banKeeper) Ban(source netip.Prefix) (event.Ban, bool, error) {
	ban, ok, err := b.kernel.Ban(source)
	b.mu.Lock()
	defer b.mu.Unlock()
	last, ended := b.ended[source]
	delete(b.ended, source)
	if ok || err != nil || !ended {
		return ban, ok, err
	}
	return last.Ban, true, nil
}

// Source is Kernel.Source, for the tracker.
func (b *banKeeper) Source(source netip.Prefix) (event.Source, bool, error) {
	return b.kernel.Source(source)
}

func (b *banKeeper) keep(ended []event.Ban) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.clock.Now()
	for _, ban := range ended {
		b.ended[ban.Source] = endedBan{ban, now}
	}
}

// forget drops final counts that nobody asked for.
func (b *banKeeper) forget(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for source, ban := range b.ended {
		if now.Sub(ban.at) > remember {
			delete(b.ended, source)
		}
	}
}
