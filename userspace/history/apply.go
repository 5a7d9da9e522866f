// SPDX-License-Identifier: MIT

package history

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"denmap/userspace/event"
)

// errIncomplete is an event that says too little to be stored.
var errIncomplete = errors.New("incomplete event")

// batch is one transaction of the writer.
type batch struct {
	tx         *sql.Tx
	statements map[string]*sql.Stmt  // prepared
	bound      map[string]*sql.Stmt  // those that the transaction has run
	counts     map[int64]*increments // by minute

	row    row   // the one that is on its way
	fields []any // of it
}

// begin starts a transaction.
func (f *file) begin() (*batch, error) {
	tx, err := f.db.Begin()
	if err != nil {
		return nil, err
	}
	b := &batch{
		tx: tx, statements: f.statements,
		bound: make(map[string]*sql.Stmt), counts: make(map[int64]*increments),
	}
	b.fields = b.row.fields()
	return b, nil
}

const (
	upsertBan = `INSERT INTO bans (id, addr, bits, grade, since_ms, until_ms, ended_ms, reason, end_reason, interface, dropped, country)
VALUES (?, ?, ?, ?, ?, ?, 0, ?, '', ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET addr = excluded.addr, bits = excluded.bits, grade = max(grade, excluded.grade),
	until_ms = excluded.until_ms, ended_ms = 0, end_reason = '', reason = excluded.reason,
	interface = excluded.interface, dropped = max(dropped, excluded.dropped), country = excluded.country`

	setEnd = "UPDATE bans SET ended_ms = ?1, end_reason = ?2, dropped = max(dropped, ?3), until_ms = iif(?4 > 0, ?4, until_ms) "
	endBan = setEnd + "WHERE id = ?5"

	// A ban that an earlier daemon put in force may end under another ID.
	endBanOf = setEnd + `WHERE seq = (SELECT seq FROM bans INDEXED BY bans_addr
	WHERE addr = ?5 AND bits = ?6 AND ended_ms = 0 ORDER BY since_ms DESC LIMIT 1)`

	insertNote = `INSERT INTO notes (at_ms, end_ms, action, subject, mode, path, added, removed, total, reason)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

	setMeta = "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)

var (
	selectScanByID = "SELECT " + scanColumns + " FROM scans WHERE id = ?"

	// batchStatements are all that a batch runs; they are prepared once.
	batchStatements = []string{
		insertScan, selectScanByID, updateScan, upsertBan, endBan, endBanOf, insertNote, setMeta,
		addMinutes, addHours,
	}
)

// statement returns one of batchStatements as the transaction runs it.
func (b *batch) statement(text string) *sql.Stmt {
	stmt := b.bound[text]
	if stmt == nil {
		stmt = b.tx.Stmt(b.statements[text])
		b.bound[text] = stmt
	}
	return stmt
}

func (b *batch) exec(text string, args ...any) (changed int64, err error) {
	result, err := b.statement(text).Exec(args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// apply stores one event. errIncomplete: there is nothing to store.
func (b *batch) apply(e event.Event) error {
	switch e.Action {
	case event.ScanDetected, event.SourceBanned, event.SourceUnbanned, event.ScanEnded:
		return b.applyScan(e)
	}
	return b.applyNote(e)
}

func (b *batch) applyScan(e event.Event) error {
	if e.Scan == nil || e.ID == "" || !e.Scan.Source.IsValid() {
		return fmt.Errorf("%s: %w", e.Action, errIncomplete)
	}
	old, err := b.putScan(e)
	if err != nil {
		return err
	}
	switch {
	case e.Action == event.SourceBanned && e.Scan.Enforced:
		if old.Action != Banned {
			b.at(e.Time).bans++
		}
		return b.putBan(e)
	case e.Action == event.SourceUnbanned:
		return b.endBan(e)
	}
	return nil
}

// putScan stores what an event says of a scan, and returns what was known of
// it before: the zero Scan if nothing was. In a flood nearly all are new, so
// that is tried first.
func (b *batch) putScan(e event.Event) (old Scan, err error) {
	// What has no kind is no scan but a ban: an operator's, or one that was
	// adopted and forgotten.
	if e.Scan.Kinds != 0 {
		s := merge(Scan{}, e)
		b.row = rowOf(s)
		isNew, err := b.exec(insertScan, b.fields...)
		if err != nil {
			return Scan{}, err
		}
		if isNew > 0 {
			b.at(e.Time).add(Scan{}, s)
			return Scan{}, nil
		}
	}
	b.row = row{}
	err = b.statement(selectScanByID).QueryRow(e.ID).Scan(b.fields...)
	if errors.Is(err, sql.ErrNoRows) {
		return Scan{}, nil
	}
	if err != nil {
		return Scan{}, err
	}
	if old, err = b.row.scan(); err != nil {
		return Scan{}, err
	}
	s := merge(old, e)
	b.row = rowOf(s)
	if _, err := b.exec(updateScan, b.fields...); err != nil {
		return Scan{}, err
	}
	b.at(e.Time).add(old, s)
	return old, nil
}

func (b *batch) putBan(e event.Event) error {
	addr, bits := key(e.Scan.Source)
	_, err := b.exec(upsertBan, text(e.ID), addr, bits, int(e.Scan.Grade), milli(e.Time), milli(e.Scan.BanUntil),
		text(e.Reason), text(e.Interface), count(e.Scan.Dropped), text(e.Scan.Place.CountryISO))
	return err
}

func (b *batch) endBan(e event.Event) error {
	ended := []any{milli(e.Time), text(e.Reason), count(e.Scan.Dropped), milli(e.Scan.BanUntil)}
	changed, err := b.exec(endBan, append(ended, text(e.ID))...)
	if err != nil || changed > 0 {
		return err
	}
	addr, bits := key(e.Scan.Source)
	_, err = b.exec(endBanOf, append(ended, addr, bits)...)
	return err
}

func (b *batch) applyNote(e event.Event) error {
	n := Note{
		Time: e.Time, Action: e.Action, List: e.List, Lost: e.Lost,
		Interface: e.Interface, Mode: e.Mode, Reason: e.Reason,
	}
	switch {
	case e.Action == event.ListChanged && e.List != nil, e.Action == event.Attached, e.Action == event.Detached:
	case e.Action == event.EventsLost && e.Lost != nil:
		b.at(e.Time).lost += e.Lost.Count
	default:
		return fmt.Errorf("%q: %w", e.Action, errIncomplete)
	}
	return b.putNote(n)
}

func (b *batch) putNote(n Note) error {
	subject, mode, path := n.Interface, n.Mode, ""
	var added, removed, total int64
	switch {
	case n.List != nil:
		subject, mode, path = n.List.List, n.List.Type, n.List.Path
		added, removed, total = int64(n.List.Added), int64(n.List.Removed), int64(n.List.Total)
	case n.Lost != nil:
		subject, added = n.Lost.Stage, count(n.Lost.Count)
	}
	_, err := b.exec(insertNote, milli(n.Time), milli(n.End), text(string(n.Action)), text(subject), text(mode), text(path),
		added, removed, total, text(n.Reason))
	return err
}

// alive notes that a daemon was there at a time; clean says that it has
// ended as it should.
func (b *batch) alive(now time.Time, clean bool) error {
	if _, err := b.exec(setMeta, "alive_ms", milli(now)); err != nil {
		return err
	}
	ended := 0
	if clean {
		ended = 1
	}
	_, err := b.exec(setMeta, "clean", ended)
	return err
}

// commit writes the counts and ends the transaction.
func (b *batch) commit() error {
	if err := b.flushCounts(); err != nil {
		return err
	}
	return b.tx.Commit()
}

// rollback ends the transaction unless it has been committed.
func (b *batch) rollback() {
	// SQLite has rolled back by itself after some errors: there is nothing
	// to do about either outcome.
	_ = b.tx.Rollback()
}
