// SPDX-License-Identifier: MIT

package notify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// The bounds of the spool, for each destination: one that is down for
// weeks cannot push out the messages of another.
const (
	maxQueued      = 200
	maxQueuedBytes = 8 << 20
	maxMessage     = 1 << 20
	maxFailed      = 50
	maxQueueAge    = 5 * 24 * time.Hour
)

// Entry is one message on its way to one destination, as its file holds it.
type Entry struct {
	Version   int       `json:"version"`
	Target    string    `json:"target"`
	Attempts  int       `json:"attempts"`
	NotBefore time.Time `json:"not_before"`        // of the next attempt
	Settled   []string  `json:"settled,omitempty"` // recipients that have it, or refused it for good
	LastError string    `json:"last_error,omitempty"`
	Message   Message   `json:"message"`

	name   string // file name
	size   int    // bytes of the file
	onDisk bool
}

// entryVersion is the layout of Entry that this program reads and writes.
const entryVersion = 1

// Spool keeps undelivered messages: in memory, and in one file each so
// that they survive the process. When the disk refuses a file, the message
// is kept in memory alone rather than lost. It is safe for concurrent use.
type Spool struct {
	dir string

	mu      sync.Mutex
	entries map[string][]*Entry // by target, oldest first
	wake    map[string]chan struct{}
	dropped uint64 // pushed out, oldest first
	failed  uint64 // given up, or unreadable
	lastErr error  // of the latest write; nil after a good one
}

// OpenSpool opens the spool in dir, which it makes if need be, and reads
// what an earlier process left. Files that cannot be read are moved to
// dir/failed and counted, files that were never finished are removed: what
// they held is still in the digest.
func OpenSpool(dir string) (*Spool, error) {
	s := &Spool{dir: dir, entries: make(map[string][]*Entry), wake: make(map[string]chan struct{})}
	for _, d := range []string{dir, s.failedDir()} {
		if err := makePrivateDir(d); err != nil {
			return nil, fmt.Errorf("open spool: %w", err)
		}
	}
	if err := removeTemporary(dir, ""); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	for _, f := range files {
		if f.Name() == "failed" && f.IsDir() {
			continue
		}
		e, err := readEntry(filepath.Join(dir, f.Name()))
		if err != nil {
			if err := s.setAsideFile(f.Name()); err != nil {
				return nil, fmt.Errorf("open spool: %w", err)
			}
			s.failed++
			continue
		}
		s.entries[e.Target] = append(s.entries[e.Target], e)
	}
	for target := range s.entries {
		slices.SortFunc(s.entries[target], func(a, b *Entry) int { return strings.Compare(a.name, b.name) })
		s.trim(target)
	}
	s.trimFailed()
	return s, nil
}

func readEntry(path string) (*Entry, error) {
	var e Entry
	if err := readJSON(path, 2*maxMessage, &e); err != nil {
		return nil, err
	}
	e.name, e.onDisk = filepath.Base(path), true
	if e.Version != entryVersion || e.name != entryName(e.Message.ID, e.Target) {
		return nil, fmt.Errorf("read %q: not a spool file of version %d", path, entryVersion)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	e.size = int(info.Size())
	return &e, nil
}

// entryName is the file name of a message for a target. Identifiers sort
// by time, and so do names.
func entryName(id, target string) string { return id + "." + target + ".json" }

func (s *Spool) failedDir() string { return filepath.Join(s.dir, "failed") }

// Add queues m for target and wakes its sender. A message with the same
// identifier is replaced: the digest that made it was sent again after a
// crash. Add returns an error if the message is too large to keep, or if
// it could not be written and is kept in memory alone (ErrVolatile).
func (s *Spool) Add(target string, m Message, now time.Time) error {
	e := &Entry{Version: entryVersion, Target: target, NotBefore: now, Message: m, name: entryName(m.ID, target)}
	if len(m.Text)+len(m.HTML)+len(m.Short)+len(m.Body) > maxMessage {
		return fmt.Errorf("queue message %q: larger than %d bytes", m.ID, maxMessage)
	}
	if filepath.Base(e.name) != e.name || strings.HasPrefix(e.name, ".") {
		return fmt.Errorf("queue message %q: not a file name", e.name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.write(e)
	list := slices.DeleteFunc(s.entries[target], func(x *Entry) bool { return x.name == e.name })
	s.entries[target] = append(list, e)
	s.trim(target)
	select {
	case s.wakeLocked(target) <- struct{}{}:
	default:
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrVolatile, err)
	}
	return nil
}

// ErrVolatile says that a message waits in memory alone, because the spool
// directory cannot be written: a restart would lose it.
var ErrVolatile = errors.New("message is not on disk")

// Wake returns a channel that receives when target has something new.
func (s *Spool) Wake(target string) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wakeLocked(target)
}

func (s *Spool) wakeLocked(target string) chan struct{} {
	c := s.wake[target]
	if c == nil {
		c = make(chan struct{}, 1)
		s.wake[target] = c
	}
	return c
}

// Next returns a copy of the oldest entry for target whose time has come.
// If there is none, it says when the next one's time comes; zero means
// that nothing waits.
func (s *Spool) Next(target string, now time.Time) (e Entry, ok bool, next time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.entries[target] {
		// A time that no back-off gives was written before the clock was set back.
		if !x.NotBefore.After(now) || x.NotBefore.After(now.Add(2*lastRetry)) {
			return *x, true, time.Time{}
		}
		if next.IsZero() || x.NotBefore.Before(next) {
			next = x.NotBefore
		}
	}
	return Entry{}, false, next
}

// Done removes a delivered entry.
func (s *Spool) Done(e Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.take(e) == nil {
		return nil
	}
	return s.remove(e.name)
}

// Retry keeps an entry for another attempt, with what this one changed:
// Attempts, NotBefore, Settled and LastError.
func (s *Spool) Retry(e Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.entries[e.Target] {
		if x.name == e.name {
			x.Attempts, x.NotBefore, x.Settled, x.LastError = e.Attempts, e.NotBefore, e.Settled, e.LastError
			return s.write(x)
		}
	}
	return nil
}

// GiveUp moves an entry to the failed directory, where it can be read but
// is not sent.
func (s *Spool) GiveUp(e Entry) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.take(e)
	if x == nil {
		return nil
	}
	s.failed++
	x.LastError, x.Attempts, x.Settled = e.LastError, e.Attempts, e.Settled
	err := s.write(x)
	if x.onDisk {
		err = errors.Join(err, s.setAsideFile(x.name))
	}
	s.trimFailed()
	return err
}

// Forget drops the entries of every target that is not in keep: they were
// for destinations that the configuration no longer names.
func (s *Spool) Forget(keep []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for target, list := range s.entries {
		if slices.Contains(keep, target) {
			continue
		}
		for _, x := range list {
			s.dropped++
			errs = append(errs, s.remove(x.name))
		}
		delete(s.entries, target)
	}
	return errors.Join(errs...)
}

// take removes e from memory and returns it; nil if it is gone.
func (s *Spool) take(e Entry) *Entry {
	list := s.entries[e.Target]
	for i, x := range list {
		if x.name == e.name {
			s.entries[e.Target] = slices.Delete(list, i, i+1)
			return x
		}
	}
	return nil
}

// trim drops the oldest entries of target until it is within bounds.
func (s *Spool) trim(target string) {
	list := s.entries[target]
	bytes := 0
	for _, x := range list {
		bytes += x.size
	}
	n := 0
	for len(list)-n > maxQueued || (bytes > maxQueuedBytes && len(list)-n > 1) {
		bytes -= list[n].size
		s.dropped++
		s.note(s.remove(list[n].name))
		n++
	}
	s.entries[target] = slices.Delete(list, 0, n)
}
