// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// Reader answers questions about the history. Its methods may be called
// from any number of goroutines.
type Reader struct{}

// DB is the history that the daemon writes. It contains a Reader.
type DB struct{ *Reader }

// OpenReader opens the database at path for reading only, beside the daemon
// or without one.
func OpenReader(path string) (*Reader, error) { return nil, ErrNoHistory }

// Close closes it.
func (r *Reader) Close() error { return nil }

// Scans returns the scans that fit, latest probe first.
func (r *Reader) Scans(ctx context.Context, f Filter) (Page, error) { return Page{}, ErrUnavailable }

// Scan returns one scan, and false if there is none of that ID.
func (r *Reader) Scan(ctx context.Context, id string) (Scan, bool, error) {
	return Scan{}, false, ErrUnavailable
}

// Source adds up the scans of one source; false if there are none.
func (r *Reader) Source(ctx context.Context, source netip.Prefix) (SourceSummary, bool, error) {
	return SourceSummary{}, false, ErrUnavailable
}

// Bans returns the bans that ran in the range, latest first. An invalid
// source is any. limit as Filter.Limit.
func (r *Reader) Bans(ctx context.Context, in Range, source netip.Prefix, limit int) ([]Ban, error) {
	return nil, ErrUnavailable
}

// Notes returns what else happened in the range, latest first.
func (r *Reader) Notes(ctx context.Context, in Range, limit int) ([]Note, error) {
	return nil, ErrUnavailable
}

// Countries counts the scans that were going on in the range by country,
// most scans first.
func (r *Reader) Countries(ctx context.Context, in Range) ([]CountryTotal, error) {
	return nil, ErrUnavailable
}

// Timeline returns every bucket of the span that ends now, oldest first.
func (r *Reader) Timeline(ctx context.Context, span Span) ([]Bucket, error) {
	return nil, ErrUnavailable
}

// Impact counts the scans in the range that reached the score and were not
// banned.
func (r *Reader) Impact(ctx context.Context, in Range, score int) (Impact, error) {
	return Impact{}, ErrUnavailable
}

// RunningBans returns the IDs of the bans that are not known to have
// ended, by source, for scans.Tracker.Adopt.
func (r *Reader) RunningBans(ctx context.Context) (map[netip.Prefix]string, error) {
	return nil, ErrUnavailable
}

// Options of Open. Only Path is required.
type Options struct {
	Path    string        // history.db in state_dir
	Keep    time.Duration // older entries are deleted; 0 keeps all
	MaxSize int64         // bytes on disk; 0 is no bound

	Clock  func() time.Time // nil is time.Now
	Report func(string)     // told in one line what goes wrong; must not block

	// Packets returns the packets that the kernel program passed and
	// dropped so far, on all interfaces, for the timeline. Nil leaves it
	// out.
	Packets func() (passed, dropped uint64, err error)
}

// Stats are counts since Open; Queued, Bytes and Available are gauges.
type Stats struct {
	Available bool   // the database is open and written
	Stored    uint64 // events
	Lost      uint64 // events that were not stored
	Queued    int
	Bytes     int64 // on disk
}

// Open opens or begins the history.
func Open(o Options) (*DB, error) { return nil, ErrUnavailable }

// Handle takes in one event. It never blocks.
func (db *DB) Handle(e event.Event) {}

// Stats returns the counts so far.
func (db *DB) Stats() Stats { return Stats{} }

// Close stores what waits and closes the database.
func (db *DB) Close() error { return nil }
