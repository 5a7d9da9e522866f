// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// spanSteps says how each span is divided, and which table counts it. The
// steps are multiples of the table's.
var spanSteps = map[Span]struct {
	step  time.Duration
	steps int
	table string
	unit  time.Duration
}{
	Hour:  {time.Minute, 60, "minutes", time.Minute},
	Day:   {15 * time.Minute, 96, "minutes", time.Minute},
	Week:  {2 * time.Hour, 84, "hours", time.Hour},
	Month: {8 * time.Hour, 90, "hours", time.Hour},
}

// Spans returns every Span, shortest first.
func Spans() []Span { return []Span{Hour, Day, Week, Month} }

// Timeline returns every bucket of the span that ends now, empty ones
// included, oldest first; the last one is not over yet. Buckets start at
// multiples of their length in UTC.
func (r *Reader) Timeline(ctx context.Context, span Span) ([]Bucket, error) {
	s, ok := spanSteps[span]
	if !ok {
		return nil, fmt.Errorf("timeline of %q: expected one of %v", span, Spans())
	}
	end := r.now().UTC().Truncate(s.step)
	buckets := make([]Bucket, s.steps)
	for i := range buckets {
		buckets[i].Start = end.Add(-time.Duration(s.steps-1-i) * s.step)
	}
	unitMS := s.unit.Milliseconds()
	first, last := milli(buckets[0].Start)/unitMS, milli(end.Add(s.step))/unitMS
	err := r.query(ctx, timelineStatement(s.table), []any{first, last}, func(rows *sql.Rows) error {
		var at int64
		var probes, scans, bans, wouldBan, passed, dropped, lost uint64
		if err := rows.Scan(&at, &probes, &scans, &bans, &wouldBan, &passed, &dropped, &lost); err != nil {
			return err
		}
		b := &buckets[(at-first)*unitMS/s.step.Milliseconds()]
		b.Probes += probes
		b.Scans += scans
		b.Bans += bans
		b.WouldBan += wouldBan
		b.Passed += passed
		b.Dropped += dropped
		b.Lost += lost
		return nil
	})
	if err != nil {
		return nil, err
	}
	return buckets, nil
}

func timelineStatement(table string) string {
	return "SELECT at, probes, scans, bans, would_ban, passed, dropped, lost FROM " + table + " WHERE at >= ? AND at < ?"
}
