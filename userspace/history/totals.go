// SPDX-License-Identifier: MIT

package history

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"net/netip"
	"slices"

	"denmap/userspace/event"
)

// Countries counts the scans that were going on in the range by country,
// most scans first.
func (r *Reader) Countries(ctx context.Context, in Range) ([]CountryTotal, error) {
	scans, sources, args := countryStatements(in)
	var totals []CountryTotal
	err := r.query(ctx, scans, args, func(rows *sql.Rows) error {
		var t CountryTotal
		err := rows.Scan(&t.ISO, &t.Scans, &t.Banned, &t.Name)
		totals = append(totals, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	distinct := make(map[string]int)
	err = r.query(ctx, sources, args, func(rows *sql.Rows) error {
		var iso string
		var n int
		err := rows.Scan(&iso, &n)
		distinct[iso] = n
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range totals {
		totals[i].Sources = distinct[totals[i].ISO]
	}
	slices.SortFunc(totals, func(a, b CountryTotal) int {
		return cmp.Or(cmp.Compare(b.Scans, a.Scans), cmp.Compare(a.ISO, b.ISO))
	})
	return totals, nil
}

// countryStatements count in the index alone. They are two, because
// distinct sources alone are counted in the order of the index, several
// times as quick as together with the rest.
func countryStatements(in Range) (scans, sources string, args []any) {
	var c conditions
	c.add("country >= ''")
	c.during(in)
	from := "FROM scans INDEXED BY scans_country WHERE " + c.String() + " GROUP BY country"
	scans = `SELECT country, scans, banned, (SELECT country_name FROM scans INDEXED BY scans_country WHERE country = counted.country LIMIT 1)
FROM (SELECT country, count(*) AS scans, sum(action = 2) AS banned ` + from + ") AS counted"
	return scans, "SELECT country, count(DISTINCT addr) " + from, c.args
}

// during adds that a scan was going on in a range.
func (c *conditions) during(in Range) {
	if !in.Since.IsZero() {
		c.add("last_ms >= ?", milli(in.Since))
	}
	if !in.Until.IsZero() {
		c.add("first_ms < ?", milli(in.Until))
	}
}

// maxSummed bounds the scans that Source adds up: networks have many.
const maxSummed = 10 * MaxLimit

// Source adds up the latest ten thousand scans, and all bans, of one
// source, an address or a network; false if there are none.
func (r *Reader) Source(ctx context.Context, source netip.Prefix) (sum SourceSummary, found bool, err error) {
	if !source.IsValid() {
		return sum, false, nil
	}
	source = source.Masked()
	sum.Source = source
	f := Filter{Source: source, Limit: MaxLimit}
	for sum.Scans < maxSummed {
		page, err := r.Scans(ctx, f)
		if err != nil {
			return SourceSummary{}, false, err
		}
		for _, s := range page.Scans {
			sum.add(s)
		}
		if page.Next == "" {
			break
		}
		f.After = page.Next
	}
	bans, err := r.countBans(ctx, source)
	sum.Bans = bans
	return sum, sum.Scans > 0 || bans > 0, err
}

func (r *Reader) countBans(ctx context.Context, source netip.Prefix) (n int, err error) {
	text, args := banStatement(Range{}, source, math.MaxInt32)
	_, err = r.one(ctx, "SELECT count(*) FROM ("+text+")", args, &n)
	return n, err
}

func (sum *SourceSummary) add(s Scan) {
	sum.Scans++
	if sum.First.IsZero() || s.First.Before(sum.First) {
		sum.First = s.First
	}
	if s.Last.After(sum.Last) {
		sum.Last = s.Last
	}
	sum.Kinds |= s.Kinds
	if s.Tool != event.ToolUnknown {
		if i, known := slices.BinarySearch(sum.Tools, s.Tool); !known {
			sum.Tools = slices.Insert(sum.Tools, i, s.Tool)
		}
	}
	sum.MaxScore = max(sum.MaxScore, s.Score)
	sum.Probes += s.Probes
	sum.Dropped += s.Dropped
	sum.Ports = union(sum.Ports, s.Ports, MaxLimit)
	sum.Place = betterPlace(s.Place, sum.Place) // the latest that is known
}

// Impact counts the scans that were going on in the range, reached the
// score and were not banned. udpScore is for scans of UDP and sweeps alone,
// which the kernel scores apart.
func (r *Reader) Impact(ctx context.Context, in Range, score, udpScore int) (Impact, error) {
	where, args := impactConditions(in, score, udpScore)
	var result Impact
	_, err := r.one(ctx, impactStatement(where), args, &result.Scans, &result.Sources)
	if err != nil {
		return Impact{}, err
	}
	const examples = 5
	text := "SELECT seq, " + scanColumns + " FROM scans WHERE seq IN (SELECT seq FROM scans INDEXED BY scans_last WHERE " +
		where + " ORDER BY last_ms DESC, seq DESC LIMIT ?) ORDER BY last_ms DESC, seq DESC"
	err = r.query(ctx, text, append(args, examples), func(rows *sql.Rows) error {
		s, _, err := readScan(rows)
		result.Examples = append(result.Examples, s)
		return err
	})
	return result, err
}

func impactStatement(where string) string {
	return "SELECT coalesce(sum(scans), 0), count(*) FROM (SELECT count(*) AS scans FROM scans INDEXED BY scans_addr WHERE addr >= x'' AND " +
		where + " GROUP BY addr)"
}

func impactConditions(in Range, score, udpScore int) (where string, args []any) {
	var c conditions
	c.during(in)
	c.add("action <> 2")
	c.add("peak >= CASE WHEN kinds & ~? = 0 THEN ? ELSE ? END", int64(event.UDPScored), udpScore, score)
	return c.String(), c.args
}
