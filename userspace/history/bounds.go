// SPDX-License-Identifier: MIT

package history

import (
	"errors"
	"fmt"
	"math"
	"os"
	"time"
)

const (
	pageSize = 4096

	// largeMin is from which MaxSize on the write-ahead log gets a fixed
	// share. Below, one transaction may rewrite the whole file.
	largeMin  = 32 << 20
	walShare  = 16 << 20
	largeSoft = 4 << 20
	unbounded = math.MaxInt64

	// minMaxSize is the smallest bound that leaves room for anything.
	minMaxSize = 512 << 10

	// deleteChunk bounds what one transaction deletes, and so how much it
	// writes.
	deleteChunk = 200

	// vacuumPages is how many pages one step gives back to the disk, and
	// vacuumFrom how many must be free before it is worth it.
	vacuumPages = 1024
	vacuumFrom  = 4096

	// upkeepTime bounds one round of deleting old entries.
	upkeepTime = 200 * time.Millisecond
)

// errWaiting: nothing can be written because a reader keeps the
// write-ahead log from being emptied.
var errWaiting = errors.New("a reader keeps the write-ahead log from being emptied")

// limits divide MaxSize between the database and its write-ahead log, such
// that both together never take more, not even in the middle of the
// largest transaction.
type limits struct {
	pages int64 // of the database
	soft  int64 // bytes of the log from which on it is emptied
	hard  int64 // bytes of the log from which on nothing is written
}

// reserve is how many pages are kept free for the next batch.
func (l limits) reserve() int64 { return min(l.pages/4, 1024) }

// events is how many events one transaction may store, such that the
// reserve is enough for them.
func (l limits) events() int { return int(min(batchSize, max(l.pages/8, 1))) }

func limitsOf(maxSize int64) limits {
	switch {
	case maxSize <= 0:
		return limits{pages: 1<<32 - 2, soft: largeSoft, hard: unbounded}
	case maxSize < largeMin:
		maxSize = max(maxSize, minMaxSize)
		return limits{pages: maxSize * 2 / 5 / pageSize, soft: maxSize / 10, hard: maxSize / 10}
	}
	return limits{pages: (maxSize - walShare) / pageSize, soft: largeSoft, hard: walShare / 2}
}

// makeRoom empties the write-ahead log when it has grown enough. With
// errWaiting nothing may be written.
func (f *file) makeRoom(l limits) error {
	if f.walSize() <= l.soft {
		return nil
	}
	if err := f.checkpoint(); err != nil {
		return err
	}
	if size := f.walSize(); size > l.hard {
		return fmt.Errorf("%w: %d bytes", errWaiting, size)
	}
	return nil
}

// checkpoint brings the write-ahead log into the database and empties it,
// unless readers are in the way.
func (f *file) checkpoint() error {
	var busy, frames, moved int
	return f.db.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &moved)
}

func (f *file) walSize() int64 { return sizeOf(f.path + "-wal") }

// sizeOf returns the bytes of a file, 0 if it does not exist or cannot be
// looked at: SQLite will tell then.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// diskSize returns the bytes that the history takes.
func diskSize(path string) int64 {
	return sizeOf(path) + sizeOf(path+"-wal") + sizeOf(path+"-shm")
}

// restrict makes SQLite refuse to grow the database beyond its bound.
func (f *file) restrict(l limits) error {
	var now int64
	return f.db.QueryRow(fmt.Sprintf("PRAGMA max_page_count = %d", l.pages)).Scan(&now)
}

// pages returns the size of the database, as of the last transaction, and
// how much of it is free.
func (f *file) pages() (all, free int64, err error) {
	if err := f.db.QueryRow("PRAGMA page_count").Scan(&all); err != nil {
		return 0, 0, err
	}
	err = f.db.QueryRow("PRAGMA freelist_count").Scan(&free)
	return all, free, err
}

// evict deletes the oldest entries until there is room again. It reports
// whether it deleted anything.
func (f *file) evict(l limits) (deleted bool, err error) {
	for {
		all, free, err := f.pages()
		if err != nil {
			return deleted, err
		}
		bound := l.pages - l.reserve()
		if deleted {
			bound -= l.reserve() / 4 // not one row at a time
		}
		if all-free <= bound {
			return deleted, nil
		}
		if err := f.makeRoom(l); err != nil {
			return deleted, err
		}
		n, err := f.deleteOldest()
		if err == nil && n == 0 {
			n, err = f.deleteRunning()
		}
		if err != nil || n == 0 {
			return deleted, err
		}
		deleted = true
	}
}

// oldestEntries is the time up to which the oldest chunk of all entries
// reaches.
const oldestEntries = `SELECT coalesce(max(at), ?2) FROM (SELECT at FROM (
	SELECT * FROM (SELECT last_ms AS at FROM scans INDEXED BY scans_last ORDER BY last_ms LIMIT ?1)
	UNION ALL SELECT * FROM (SELECT since_ms AS at FROM bans INDEXED BY bans_since WHERE ended_ms > 0 ORDER BY since_ms LIMIT ?1)
	UNION ALL SELECT * FROM (SELECT at_ms AS at FROM notes INDEXED BY notes_at ORDER BY at_ms LIMIT ?1)
) ORDER BY at LIMIT ?1)`

// deleteOldest deletes the oldest entries of all kinds.
func (f *file) deleteOldest() (int64, error) {
	var last int64
	if err := f.db.QueryRow(oldestEntries, deleteChunk, int64(unbounded)).Scan(&last); err != nil {
		return 0, err
	}
	return f.deleteBefore(last)
}

// deleteStatements delete entries up to a time, a chunk at a time. Bans
// that are running stay: a daemon that starts continues them by their ID.
var deleteStatements = []string{
	"DELETE FROM scans WHERE seq IN (SELECT seq FROM scans INDEXED BY scans_last WHERE last_ms <= ?1 ORDER BY last_ms LIMIT ?2)",
	"DELETE FROM bans WHERE seq IN (SELECT seq FROM bans INDEXED BY bans_since WHERE since_ms <= ?1 AND ended_ms > 0 AND ended_ms <= ?1 ORDER BY since_ms LIMIT ?2)",
	"DELETE FROM notes WHERE seq IN (SELECT seq FROM notes INDEXED BY notes_at WHERE at_ms <= ?1 ORDER BY at_ms LIMIT ?2)",
	"DELETE FROM minutes WHERE at IN (SELECT at FROM minutes WHERE at < ?1 / 60000 ORDER BY at LIMIT ?2)",
	"DELETE FROM hours WHERE at IN (SELECT at FROM hours WHERE at < ?1 / 3600000 ORDER BY at LIMIT ?2)",
}

// deleteBefore deletes a chunk of each kind of entry up to a time, and
// returns how many.
func (f *file) deleteBefore(ms int64) (n int64, err error) {
	tx, err := f.db.Begin()
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	for _, text := range deleteStatements {
		result, err := tx.Exec(text, ms, deleteChunk)
		if err != nil {
			return 0, err
		}
		rows, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		n += rows
	}
	return n, tx.Commit()
}

// deleteRunning deletes bans that are not known to have ended, oldest
// first, when there is nothing else left to delete.
func (f *file) deleteRunning() (int64, error) {
	result, err := f.db.Exec("DELETE FROM bans WHERE seq IN (SELECT seq FROM bans INDEXED BY bans_since ORDER BY since_ms LIMIT ?)", deleteChunk)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// expire deletes what is older than keep, as far as that goes in
// upkeepTime; the rest waits for the next round.
func (f *file) expire(now time.Time, keep time.Duration, l limits) error {
	if _, err := f.db.Exec("DELETE FROM minutes WHERE at < ?", milli(now.Add(-keepMinutes))/minuteMS); err != nil {
		return err
	}
	if keep <= 0 {
		return nil
	}
	for began := time.Now(); time.Since(began) < upkeepTime; {
		if err := f.makeRoom(l); err != nil {
			return err
		}
		n, err := f.deleteBefore(milli(now.Add(-keep)))
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// shrink gives free pages back to the disk, step by step.
func (f *file) shrink(l limits) error {
	for began := time.Now(); time.Since(began) < upkeepTime; {
		all, free, err := f.pages()
		if err != nil || free == 0 || free < vacuumFrom && all <= l.pages {
			return err
		}
		if err := f.makeRoom(l); err != nil {
			return err
		}
		if err := f.vacuum(); err != nil {
			return err
		}
	}
	return nil
}

// vacuum does one step. The statement gives a row for each page.
func (f *file) vacuum() error {
	rows, err := f.db.Query(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
