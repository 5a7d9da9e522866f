// SPDX-License-Identifier: MIT

package history

import (
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// file is the open database of the writer.
type file struct {
	path       string
	db         *sql.DB
	statements map[string]*sql.Stmt
}

// openFile opens or creates the database. Errors: ErrNewerSchema,
// those of isDamage, and those of isPassing.
func openFile(path string) (_ *file, err error) {
	db, err := connectWriter(path)
	if err != nil {
		return nil, err
	}
	f := &file{path: path, db: db, statements: make(map[string]*sql.Stmt)}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if err := prepareSchema(db); err != nil {
		return nil, err
	}
	for _, text := range batchStatements {
		stmt, err := db.Prepare(text)
		if err != nil && !isPassing(err) {
			err = fmt.Errorf("%w: %w", errForeign, err) // a table is not as it should be
		}
		if err != nil {
			return nil, err
		}
		f.statements[text] = stmt
	}
	return f, nil
}

func (f *file) close() error {
	var errs []error
	for _, stmt := range f.statements {
		errs = append(errs, stmt.Close())
	}
	return errors.Join(append(errs, f.db.Close())...)
}

// resume brings what an earlier daemon left up to date: the time without
// one is noted, and what was going on then is ended as far as is known.
func (f *file) resume(now time.Time) error {
	b, err := f.begin()
	if err != nil {
		return err
	}
	defer b.rollback()
	since, clean, err := b.lastAlive()
	if err != nil {
		return err
	}
	if !since.IsZero() && now.Sub(since) >= time.Second {
		reason := "ended without notice"
		if clean {
			reason = "stopped"
		}
		if err := b.putNote(Note{Time: since, End: now, Action: DaemonDown, Reason: reason}); err != nil {
			return err
		}
	}
	for _, text := range []string{
		"UPDATE bans SET ended_ms = until_ms, end_reason = 'expired' WHERE ended_ms = 0 AND until_ms > 0 AND until_ms <= ?",
		`UPDATE scans SET ended_ms = last_ms WHERE ended_ms = 0 AND last_ms <= ?
	AND NOT EXISTS (SELECT 1 FROM bans WHERE bans.id = scans.id AND bans.ended_ms = 0)`,
	} {
		if _, err := b.tx.Exec(text, milli(now)); err != nil {
			return err
		}
	}
	if err := b.alive(now, false); err != nil {
		return err
	}
	return b.commit()
}

func (b *batch) lastAlive() (at time.Time, clean bool, err error) {
	var ms, ended int64
	for key, to := range map[string]*int64{"alive_ms": &ms, "clean": &ended} {
		err := b.tx.QueryRow("SELECT value FROM meta WHERE key = ?", key).Scan(to)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return at, false, err
		}
	}
	return fromMilli(ms), ended != 0, nil
}
