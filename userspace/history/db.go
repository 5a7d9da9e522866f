// SPDX-License-Identifier: MIT

package history

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"denmap/userspace/event"
)

const (
	// queueLength is how many events may wait to be stored: some minutes of
	// a busy host while the disk is full.
	queueLength = 8192

	// batchSize bounds the events of one transaction, and with them what
	// it writes; batchDelay is how long the first of them waits for others.
	batchSize  = 128
	batchDelay = 200 * time.Millisecond

	// tickEvery is how often packets are counted and old entries deleted.
	tickEvery = 15 * time.Second

	// Pauses between two tries to write while that does not work.
	firstRetry = time.Second
	lastRetry  = 30 * time.Second
)

// Options of Open. Only Path is required.
type Options struct {
	Path    string        // history.db in state_dir; missing directories are made
	Keep    time.Duration // older entries are deleted; 0 keeps all
	MaxSize int64         // bytes on disk, all files together; 0 is no bound, the least is 512 KiB

	Clock  func() time.Time // nil is time.Now
	Report func(string)     // told in one line what goes wrong, once; must not block

	// Packets returns the packets that the kernel program passed and
	// dropped so far, on all interfaces, for the timeline. It is called
	// now and then on the goroutine that writes. Nil leaves it out.
	Packets func() (passed, dropped uint64, err error)
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Report == nil {
		o.Report = func(string) {}
	}
	return o
}

// Stats are counts since Open; Available, Queued and Bytes are gauges.
type Stats struct {
	Available bool   // the database is open, and the latest write worked
	Stored    uint64 // events
	Lost      uint64 // events that are not stored and never will be
	Queued    int    // events that wait
	Bytes     int64  // on disk, all files together
}

// DB is the history that the daemon writes, and a Reader of it. Its
// methods may be called from any number of goroutines.
type DB struct {
	*Reader
	opts Options

	keep    atomic.Int64
	maxSize atomic.Int64

	queue   chan event.Event
	orders  chan func(*writer) // run on the writer's goroutine
	damaged chan error         // what a reader has come across
	quit    chan struct{}
	done    chan struct{}

	gate     sync.RWMutex // closed is set under it, so that no event comes after
	closed   bool
	closeErr error

	lost      atomic.Uint64
	stored    atomic.Uint64
	waiting   atomic.Int64 // taken out of the queue and not stored yet
	available atomic.Bool
}

// Open opens or begins the history. The only errors are an empty path and
// one that wraps ErrNewerSchema; the daemon says so and goes on without a
// history. Whatever else is wrong with the file or the disk is told to
// Report, and tried again while events wait.
func Open(o Options) (*DB, error) {
	if o.Path == "" {
		return nil, errors.New("open history: no path")
	}
	o = o.withDefaults()
	db := &DB{
		Reader:  &Reader{path: o.Path, now: o.Clock, canary: newCanary(o.Path)},
		opts:    o,
		queue:   make(chan event.Event, queueLength),
		orders:  make(chan func(*writer)),
		damaged: make(chan error, 1),
		quit:    make(chan struct{}), done: make(chan struct{}),
	}
	db.SetBounds(o.Keep, o.MaxSize)
	db.Reader.damaged = func(err error) {
		select {
		case db.damaged <- err:
		default: // one is enough
		}
	}
	w := newWriter(db)
	if err := w.asked(w.open); errors.Is(err, ErrNewerSchema) {
		return nil, fmt.Errorf("open history %q: %w", o.Path, err)
	} else if err != nil {
		w.failed(err)
	}
	go w.run()
	return db, nil
}

// SetBounds changes Options.Keep and MaxSize; they are in force within
// seconds.
func (db *DB) SetBounds(keep time.Duration, maxSize int64) {
	db.keep.Store(int64(keep))
	db.maxSize.Store(maxSize)
}

// Handle takes in one event. It never blocks: when the queue is full, or
// after Close, the event is counted as lost. The event must not be changed
// afterwards.
func (db *DB) Handle(e event.Event) {
	db.gate.RLock()
	defer db.gate.RUnlock()
	if db.closed {
		db.lost.Add(1)
		return
	}
	select {
	case db.queue <- e:
	default:
		db.lost.Add(1)
	}
}

// Stats returns the counts so far.
func (db *DB) Stats() Stats {
	return Stats{
		Available: db.available.Load(),
		Stored:    db.stored.Load(),
		Lost:      db.lost.Load(),
		Queued:    len(db.queue) + int(db.waiting.Load()),
		Bytes:     diskSize(db.opts.Path),
	}
}

// Close stores what waits and closes the database, readers included. The
// error says what could not be stored. It may be called twice.
func (db *DB) Close() error {
	db.gate.Lock()
	if !db.closed {
		db.closed = true
		close(db.quit)
	}
	db.gate.Unlock()
	<-db.done
	return db.closeErr
}
