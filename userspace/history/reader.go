// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// queryTime bounds a query whose caller sets no bound: a page that nobody
// waits for must not keep the database.
const queryTime = 20 * time.Second

// Reader answers questions about the history. Its methods may be called
// from any number of goroutines. Besides those that they name, errors are
// ErrUnavailable, the context's, and SQLite's.
type Reader struct {
	path    string
	now     func() time.Time
	damaged func(error) // told of a damaged database; nil for nobody

	canary *canary // asked before each query, in the daemon; nil: nobody

	mu sync.RWMutex // held while a query runs
	db *sql.DB      // nil: unavailable
}

// OpenReader opens the database at path for reading only, beside the daemon
// or without one. The caller closes it. Errors: ErrNoHistory,
// ErrNewerSchema, those of package os for a file that may not be read.
// The clock now says where a timeline ends; nil is time.Now.
func OpenReader(path string, now func() time.Time) (*Reader, error) {
	if now == nil {
		now = time.Now
	}
	// Looked at by its name: see createFile.
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read history %q: %w", path, ErrNoHistory)
	} else if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	if err := unix.Access(path, unix.R_OK); err != nil {
		return nil, fmt.Errorf("read history %q: %w", path, err)
	}
	db, err := connectReader(path)
	if err != nil {
		return nil, fmt.Errorf("read history %q: %w", path, err)
	}
	found, err := version(db)
	switch {
	case err != nil:
	case found == 0:
		err = ErrNoHistory // begun this very moment
	case found > schemaVersion:
		err = fmt.Errorf("%w: schema %d, expected at most %d", ErrNewerSchema, found, schemaVersion)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read history %q: %w", path, err), db.Close())
	}
	return &Reader{path: path, now: now, db: db}, nil
}

// Close closes the database. It may be called twice. A DB is closed by its
// own Close.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	db := r.db
	r.db = nil
	if db == nil {
		return nil
	}
	return db.Close()
}

// use makes r read another database, nil for none. It waits for running
// queries.
func (r *Reader) use(db *sql.DB) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.db != nil {
		_ = r.db.Close() // of a reader: nothing can be lost
	}
	r.db = db
}

// query hands the rows of an answer to each.
func (r *Reader) query(ctx context.Context, text string, args []any, each func(*sql.Rows) error) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.db == nil {
		return ErrUnavailable
	}
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	if r.canary != nil {
		if err := r.canary.ask(ctx); err != nil {
			return fmt.Errorf("read history %q: %w", r.path, err)
		}
	}
	err := eachRow(ctx, r.db, text, args, each)
	if isDamage(err) && r.damaged != nil {
		r.damaged(err)
	}
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("read history %q: %w", r.path, err)
	}
	return nil
}

func eachRow(ctx context.Context, db *sql.DB, text string, args []any, each func(*sql.Rows) error) (err error) {
	rows, err := db.QueryContext(ctx, text, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := each(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one reads the only row of an answer; false if there is none.
func (r *Reader) one(ctx context.Context, text string, args []any, to ...any) (found bool, err error) {
	err = r.query(ctx, text, args, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(to...)
	})
	return found, err
}

// bounded returns a limit within its bounds.
func bounded(limit int) int {
	if limit <= 0 {
		return DefaultLimit
	}
	return min(limit, MaxLimit)
}
