// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"database/sql"
	"net/netip"

	"denmap/userspace/event"
)

const banColumns = "id, addr, bits, grade, since_ms, until_ms, ended_ms, reason, end_reason, interface, dropped, country"

// Bans returns the bans that ran in the range, latest first. An invalid
// source is any; otherwise bans inside it or, for an address, of a network
// that contains it. limit is as Filter.Limit.
func (r *Reader) Bans(ctx context.Context, in Range, source netip.Prefix, limit int) ([]Ban, error) {
	text, args := banStatement(in, source, bounded(limit))
	var bans []Ban
	err := r.query(ctx, text, args, func(rows *sql.Rows) error {
		b, err := readBan(rows)
		bans = append(bans, b)
		return err
	})
	return bans, err
}

func banStatement(in Range, source netip.Prefix, limit int) (text string, args []any) {
	var c conditions
	if !in.Until.IsZero() {
		c.add("since_ms < ?", milli(in.Until))
	}
	if !in.Since.IsZero() {
		c.add("(ended_ms = 0 OR ended_ms >= ?)", milli(in.Since))
	}
	if source.IsValid() {
		return banStatementOf(c, source, limit)
	}
	return "SELECT " + banColumns + " FROM bans INDEXED BY bans_since WHERE " + c.String() +
		" ORDER BY since_ms DESC, seq DESC LIMIT ?", append(c.args, limit)
}

// banStatementOf looks for bans inside a network and for those of networks
// around it: operators ban networks of any length.
func banStatementOf(c conditions, source netip.Prefix, limit int) (text string, args []any) {
	in := c
	in.terms, in.args = nil, nil
	in.inside(source)
	text = "SELECT seq AS place, since_ms FROM bans INDEXED BY bans_addr WHERE " + joined(&in, c)
	args = in.args
	if source.Bits() > 0 {
		var around conditions
		var marks string
		for bits := source.Bits() - 1; bits >= 0; bits-- {
			addr, n := key(netip.PrefixFrom(source.Addr(), bits))
			marks += ", (?, ?)"
			around.args = append(around.args, addr, n)
		}
		around.terms = []string{"(addr, bits) IN (VALUES " + marks[2:] + ")"}
		text += " UNION SELECT seq AS place, since_ms FROM bans INDEXED BY bans_addr WHERE " + joined(&around, c)
		args = append(args, around.args...)
	}
	return "SELECT " + banColumns + " FROM bans WHERE seq IN (SELECT place FROM (" + text +
		") ORDER BY since_ms DESC, place DESC LIMIT ?) ORDER BY since_ms DESC, seq DESC", append(args, limit)
}

// joined adds the terms of b to a.
func joined(a *conditions, b conditions) string {
	a.terms, a.args = append(a.terms, b.terms...), append(a.args, b.args...)
	return a.String()
}

func readBan(rows *sql.Rows) (Ban, error) {
	var b Ban
	var addr []byte
	var bits int
	var grade, since, until, ended, dropped int64
	err := rows.Scan(&b.ID, &addr, &bits, &grade, &since, &until, &ended, &b.Reason, &b.EndReason, &b.Interface, &dropped, &b.Country)
	if err != nil {
		return b, err
	}
	b.Grade, b.Dropped = event.Grade(grade), uint64(dropped)
	b.Since, b.Until, b.Ended = fromMilli(since), fromMilli(until), fromMilli(ended)
	b.Source, err = prefixOf(addr, bits)
	return b, err
}

// RunningBans returns the IDs of the bans that are not known to have ended
// by now, by source: what scans.Tracker.Adopt needs to go on with them
// after a restart.
func (r *Reader) RunningBans(ctx context.Context) (map[netip.Prefix]string, error) {
	const text = "SELECT id, addr, bits FROM bans INDEXED BY bans_open WHERE ended_ms = 0 AND (until_ms = 0 OR until_ms > ?)"
	running := make(map[netip.Prefix]string)
	err := r.query(ctx, text, []any{milli(r.now())}, func(rows *sql.Rows) error {
		var id string
		var addr []byte
		var bits int
		if err := rows.Scan(&id, &addr, &bits); err != nil {
			return err
		}
		source, err := prefixOf(addr, bits)
		running[source] = id
		return err
	})
	return running, err
}
