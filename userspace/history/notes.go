// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"database/sql"

	"denmap/userspace/event"
)

// Notes returns what else happened in the range, latest first. limit is as
// Filter.Limit.
func (r *Reader) Notes(ctx context.Context, in Range, limit int) ([]Note, error) {
	text, args := noteStatement(in, bounded(limit))
	var notes []Note
	err := r.query(ctx, text, args, func(rows *sql.Rows) error {
		n, err := readNote(rows)
		notes = append(notes, n)
		return err
	})
	return notes, err
}

func noteStatement(in Range, limit int) (text string, args []any) {
	var c conditions
	if !in.Since.IsZero() {
		c.add("(at_ms >= ?1 OR end_ms >= ?1)", milli(in.Since))
	}
	if !in.Until.IsZero() {
		c.add("at_ms < ?", milli(in.Until))
	}
	return "SELECT at_ms, end_ms, action, subject, mode, path, added, removed, total, reason FROM notes INDEXED BY notes_at WHERE " +
		c.String() + " ORDER BY at_ms DESC, seq DESC LIMIT ?", append(c.args, limit)
}

func readNote(rows *sql.Rows) (Note, error) {
	var n Note
	var at, end, added, removed, total int64
	var subject, mode, path string
	err := rows.Scan(&at, &end, &n.Action, &subject, &mode, &path, &added, &removed, &total, &n.Reason)
	if err != nil {
		return n, err
	}
	n.Time, n.End = fromMilli(at), fromMilli(end)
	switch n.Action {
	case event.ListChanged:
		n.List = &event.ListChange{List: subject, Path: path, Added: int(added), Removed: int(removed), Total: int(total), Type: mode}
	case event.EventsLost:
		n.Lost = &event.Loss{Stage: subject, Count: uint64(added)}
	default:
		n.Interface, n.Mode = subject, mode
	}
	return n, nil
}
