// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

const (
	// bigList is from how many entries on loading is worth showing.
	bigList = 20_000

	// retryList is when a list that the kernel did not take is tried again.
	retryList = 10 * time.Second
)

// listKeeper keeps the kernel's lists equal to the list files. After load
// it belongs to the goroutine of run.
type listKeeper struct {
	kernel   Kernel
	clock    Clock
	tell     *teller
	emit     func(event.Event)
	progress func(list string, done, total int)
	refused  func(path string, err error) // tells people of a file that is not used

	beat    func()         // called each time run comes round
	watcher *lists.Watcher // that run is to start
	kept    []*keptList
	moved   chan config.Lists // new paths, the latest only
}

// keptList is one list file.
type keptList struct {
	kind   lists.Kind
	path   string
	list   *lists.List   // as it was last read without error
	active []lists.Entry // in force, by what the kernel was last told
	again  time.Time     // when to look at list again; zero: when the file changes
}

func (k *keptList) name() string { return k.kind.String() + " list" }

func newListKeeper(clock Clock, tell *teller, emit func(event.Event), progress func(string, int, int)) *listKeeper {
	return &listKeeper{
		clock: clock, tell: tell, emit: emit, progress: progress,
		refused: func(string, error) {}, beat: func() {},
		moved: make(chan config.Lists, 1),
	}
}

// read reads the files for the first time. A bad one is an error.
func (k *listKeeper) read(c config.Lists) (err error) {
	// Watched first, so that no change falls in between.
	if k.watcher, err = lists.NewWatcher([]string{c.Allow, c.Deny}); err != nil {
		return err
	}
	k.kept = []*keptList{{kind: lists.Allow, path: c.Allow}, {kind: lists.Deny, path: c.Deny}}
	for _, l := range k.kept {
		if l.list, err = lists.Load(l.path, l.kind); err != nil {
			return err
		}
	}
	return nil
}

// fill puts the lists that were read into the kernel.
func (k *listKeeper) fill(kernel Kernel) error {
	k.kernel = kernel
	for _, l := range k.kept {
		active := l.list.Active(k.clock.Now())
		if err := k.sync(l, active); err != nil {
			return err
		}
	}
	return nil
}

func (k *listKeeper) sync(l *keptList, active []lists.Entry) error {
	var progress func(done, total int)
	if len(active) >= bigList {
		progress = func(done, total int) { k.progress(l.kind.String(), done, total) }
	}
	if err := k.kernel.SyncList(l.kind, active, progress); err != nil {
		return err
	}
	l.active = active
	if progress != nil {
		// Reading and comparing a big list leaves several times its size
		// behind, which a daemon at rest would keep for minutes.
		debug.FreeOSMemory()
	}
	l.again = lists.NextExpiry(active, k.clock.Now())
	return nil
}

// close gives up what read began, if run was never called.
func (k *listKeeper) close() {
	if k.watcher == nil {
		return
	}
	// Run is what releases the watches.
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = k.watcher.Run(ended, func(string) {}) // always nil
}

// follow makes run use other files.
func (k *listKeeper) follow(c config.Lists) {
	select {
	case <-k.moved: // it has not come to that one yet
	default:
	}
	k.moved <- c
}

// run follows the files until ctx ends.
func (k *listKeeper) run(ctx context.Context) {
	changed := make(chan string)
	stop := k.watch(ctx, k.watcher, changed)
	defer func() { stop() }()
	ticks, stopTicks := k.clock.Tick(time.Second)
	defer stopTicks()
	for {
		k.beat()
		select {
		case <-ctx.Done():
			return
		case path := <-changed:
			for _, l := range k.kept {
				if l.path == path {
					k.reload(l)
				}
			}
		case c := <-k.moved:
			stop()
			stop = k.move(ctx, c, changed)
		case <-ticks:
			for _, l := range k.kept {
				if !l.again.IsZero() && !k.clock.Now().Before(l.again) {
					k.apply(l, "change", "entries expired")
				}
			}
		}
	}
}

// watch starts a watcher. The returned function ends it and waits for it.
func (k *listKeeper) watch(ctx context.Context, w *lists.Watcher, changed chan<- string) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = w.Run(ctx, func(path string) { // always nil
			select {
			case changed <- path:
			case <-ctx.Done():
			}
		})
	}()
	return func() {
		cancel()
		<-done
	}
}

// move changes over to other files. One that is bad leaves the list as it
// was, but it is the new one that is watched.
func (k *listKeeper) move(ctx context.Context, c config.Lists, changed chan<- string) (stop func()) {
	w, err := lists.NewWatcher([]string{c.Allow, c.Deny})
	k.kept[0].path, k.kept[1].path = c.Allow, c.Deny
	for _, l := range k.kept {
		k.reload(l)
	}
	if err != nil {
		k.tell.say(err.Error() + "; changes of the lists go unnoticed until the next reload")
		return func() {}
	}
	return k.watch(ctx, w, changed)
}

// reload reads a file that has changed. A bad one changes nothing.
func (k *listKeeper) reload(l *keptList) {
	list, err := lists.Load(l.path, l.kind)
	if err != nil {
		if k.tell.trouble(l.name(), fmt.Sprintf("%s: %v; the last good list stays in force", l.name(), err)) {
			k.refused(l.path, err)
		}
		return
	}
	k.tell.fine(l.name(), fmt.Sprintf("%s: %q is good again", l.name(), l.path))
	change, reason := "change", "file changed"
	switch {
	case list.Missing:
		change = "deletion"
	case l.list.Missing:
		change = "creation"
	}
	if l.list.Path != list.Path {
		reason = "configuration changed"
	}
	l.list = list
	k.apply(l, change, reason)
}

// apply puts what is valid now into the kernel and tells of a difference.
func (k *listKeeper) apply(l *keptList, change, reason string) {
	active := l.list.Active(k.clock.Now())
	added, removed := lists.Diff(l.active, active)
	matter := "sync " + l.name()
	if err := k.sync(l, active); err != nil {
		l.again = k.clock.Now().Add(retryList)
		k.tell.trouble(matter, fmt.Sprintf("%s: %v; trying again", l.name(), err))
		return
	}
	k.tell.fine(matter, l.name()+": in force again")
	if len(added)+len(removed) == 0 {
		return
	}
	k.emit(event.Event{
		Action: event.ListChanged,
		Reason: reason,
		List: &event.ListChange{
			List: l.kind.String(), Path: l.path, Type: change,
			Added: len(added), Removed: len(removed), Total: len(active),
		},
	})
}
