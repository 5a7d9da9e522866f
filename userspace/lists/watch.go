// SPDX-License-Identifier: MIT

package lists

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// Times of a Watcher.
const (
	// settleTime is how long a file must rest before it is reported, so
	// that one written in place is not read halfway.
	settleTime = 100 * time.Millisecond
	// settleLimit is when it is reported although it does not rest.
	settleLimit = 500 * time.Millisecond
	// slowPoll backs up the notifications, fastPoll replaces them.
	slowPoll = 2 * time.Second
	fastPoll = 500 * time.Millisecond
)

// Watcher notices changes of files, whether they are written in place or
// replaced. It asks the kernel for notifications about their directories,
// because a replaced file takes a notification on itself along. Every two
// seconds it looks at the files all the same, twice a second while some
// directory gives no notifications: it does not exist (yet), it was
// removed, or the kernel's limit of watches is reached. So nothing is
// missed for long, not even with a symbolic link higher up that moves.
type Watcher struct {
	files  []*watchedFile
	dirs   map[string]fingerprint // with notifications, and which directory it was
	notify *fsnotify.Watcher      // nil when the kernel has none to give
	blind  bool                   // some directory gives no notifications
}

type watchedFile struct {
	path   string
	seen   fingerprint // what the last look found
	unrest time.Time   // since when there is a change to report; zero if there is none
}

// fingerprint tells two versions of a file apart. The zero value stands
// for no file, or one that cannot be looked at.
type fingerprint struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

// NewWatcher starts to watch paths, which need not exist. What changes
// after it returns is reported by Run, so files that are read in between
// are not read too early. The caller must call Run, which releases the
// watches.
func NewWatcher(paths []string) (*Watcher, error) {
	w := &Watcher{dirs: map[string]fingerprint{}}
	for _, path := range paths {
		if path == "" {
			return nil, errors.New("watch lists: expected a path")
		}
		if slices.ContainsFunc(w.files, func(f *watchedFile) bool { return f.path == path }) {
			continue
		}
		w.files = append(w.files, &watchedFile{path: path})
	}
	notify, err := fsnotify.NewWatcher()
	switch {
	case err == nil:
		w.notify = notify
	case !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENOSYS):
		return nil, fmt.Errorf("watch lists: %w", err)
	}
	w.watchDirs()
	for _, f := range w.files {
		f.seen = look(f.path)
	}
	return w, nil
}

// Run calls onChange for every change, from one goroutine, one at a time,
// until ctx ends. A file is reported when it has been at rest for a tenth
// of a second, or after half a second of restlessness and again when it
// rests. onChange may be called for a file whose content is the same. Run
// returns nil; it may be called once.
func (w *Watcher) Run(ctx context.Context, onChange func(path string)) error {
	var events chan fsnotify.Event
	var troubles chan error
	if w.notify != nil {
		defer w.notify.Close()
		events, troubles = w.notify.Events, w.notify.Errors
	}
	const soon = settleTime
	pause := soon
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		// Whatever a notification says, and even if it says that some were
		// lost, the answer is to look at the files.
		ok := true
		select {
		case <-ctx.Done():
			return nil
		case _, ok = <-events:
		case _, ok = <-troubles:
		case <-timer.C:
			w.watchDirs()
			pause = slowPoll
			if w.blind {
				pause = fastPoll
			}
			if w.look(time.Now(), onChange) {
				pause = soon
			}
			timer.Reset(pause)
			continue
		}
		if !ok { // there are no more: poll from now on
			events, troubles, w.notify = nil, nil, nil
		}
		if pause > soon {
			pause = soon
			timer.Reset(pause)
		}
	}
}

// look reports the files that changed and have come to rest. It returns
// true while there is one that has not.
func (w *Watcher) look(now time.Time, onChange func(path string)) (again bool) {
	for _, f := range w.files {
		current := look(f.path)
		rests := current == f.seen
		f.seen = current
		switch {
		case rests && f.unrest.IsZero():
		case rests:
			f.unrest = time.Time{}
			onChange(f.path)
		case f.unrest.IsZero():
			f.unrest = now
			again = true
		case now.Sub(f.unrest) >= settleLimit:
			f.unrest = now
			again = true
			onChange(f.path)
		default:
			again = true
		}
	}
	return again
}

// watchDirs asks for notifications about the directories that the files
// are in now, also those that symbolic links lead to.
func (w *Watcher) watchDirs() {
	w.blind = true
	if w.notify == nil {
		return
	}
	wanted := map[string]bool{}
	for _, f := range w.files {
		wanted[filepath.Dir(f.path)] = true
		if target, err := filepath.EvalSymlinks(f.path); err == nil {
			wanted[filepath.Dir(target)] = true
		}
	}
	alive := w.notify.WatchList()
	for dir, was := range w.dirs {
		// A directory made anew under an old name is another one, often
		// with the old inode number, and the kernel has dropped the watch.
		now := look(dir)
		same := now.dev == was.dev && now.ino == was.ino && slices.Contains(alive, dir)
		if !wanted[dir] || !same {
			delete(w.dirs, dir)
			// An error means that the watch went with its directory.
			_ = w.notify.Remove(dir)
		}
	}
	w.blind = false
	for dir := range wanted {
		if _, ok := w.dirs[dir]; ok {
			continue
		}
		is := look(dir)
		if err := w.notify.Add(dir); err != nil {
			w.blind = true
			continue
		}
		w.dirs[dir] = is
	}
}

// look takes the fingerprint of what path leads to.
func look(path string) fingerprint {
	info, err := os.Stat(path)
	if err != nil {
		return fingerprint{}
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fingerprint{dev: s.Dev, ino: s.Ino, size: s.Size, mtime: s.Mtim, ctime: s.Ctim}
	}
	return fingerprint{}
}
