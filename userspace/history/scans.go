// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// wideBits is from which length on, in the bits of a stored address, a
// network is looked up in the index of sources: a shorter one has so many
// that going by time is quicker.
const (
	wideBits4 = mappedBits + 16
	wideBits6 = 32
)

// Scans returns one page of the scans that fit. A scan that goes on while
// pages are read moves to the front, and so may be missed; with
// Filter.Oldest none is.
func (r *Reader) Scans(ctx context.Context, f Filter) (Page, error) {
	limit := bounded(f.Limit)
	text, args, err := f.statement(limit + 1)
	if err != nil {
		return Page{}, err
	}
	var page Page
	var last cursor
	err = r.query(ctx, text, args, func(rows *sql.Rows) error {
		if len(page.Scans) == limit {
			page.Next = last.String()
			return nil
		}
		s, at, err := readScan(rows)
		page.Scans, last = append(page.Scans, s), at
		return err
	})
	if err != nil {
		return Page{}, err
	}
	return page, nil
}

// Scan returns one scan, and false if there is none of that ID.
func (r *Reader) Scan(ctx context.Context, id string) (s Scan, found bool, err error) {
	err = r.query(ctx, "SELECT seq, "+scanColumns+" FROM scans WHERE id = ?", []any{id}, func(rows *sql.Rows) error {
		found = true
		s, _, err = readScan(rows)
		return err
	})
	return s, found && err == nil, err
}

func readScan(rows *sql.Rows) (Scan, cursor, error) {
	var at cursor
	var r row
	if err := rows.Scan(append([]any{&at.seq}, r.fields()...)...); err != nil {
		return Scan{}, at, err
	}
	at.last = r.last
	s, err := r.scan()
	return s, at, err
}

// cursor is a place in an order of scans.
type cursor struct{ last, seq int64 }

func (c cursor) String() string { return fmt.Sprintf("%d.%d", c.last, c.seq) }

func parseCursor(text string) (c cursor, err error) {
	n, err := fmt.Sscanf(text, "%d.%d", &c.last, &c.seq)
	if err != nil || n != 2 || c.String() != text {
		return cursor{}, fmt.Errorf("%q: %w", text, ErrBadCursor)
	}
	return c, nil
}

// conditions are the terms of a WHERE clause with their arguments.
type conditions struct {
	terms []string
	args  []any
}

func (c *conditions) add(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

func (c *conditions) String() string {
	if len(c.terms) == 0 {
		return "1"
	}
	return strings.Join(c.terms, " AND ")
}

// statement returns the query. The inner one finds the places of the rows
// in an index alone; which one is said and not left to the planner, whose
// choice would depend on what is stored.
func (f Filter) statement(limit int) (text string, args []any, err error) {
	order, c, err := f.conditions()
	if err != nil {
		return "", nil, err
	}
	var inner string
	switch {
	case f.Source.IsValid() && !wide(f.Source):
		inner, args = f.bySource(c)
	case f.Source.IsValid():
		c.inside(f.Source)
		fallthrough
	default:
		index := "INDEXED BY scans_last"
		if f.Oldest {
			index = "NOT INDEXED"
		}
		inner, args = selectPlaces(index, c), c.args
	}
	text = "SELECT seq, " + scanColumns + " FROM scans WHERE seq IN (SELECT place FROM (" + inner + ") ORDER BY " +
		strings.ReplaceAll(order, "seq", "place") + " LIMIT ?) ORDER BY " + order
	return text, append(args, limit), nil
}

const bySource = "INDEXED BY scans_addr"

func selectPlaces(index string, c conditions) string {
	return "SELECT seq AS place, last_ms FROM scans " + index + " WHERE " + c.String()
}

// conditions returns all but Source, and the order.
func (f Filter) conditions() (order string, c conditions, err error) {
	if f.Country != "" {
		c.add("country = ?", strings.TrimPrefix(f.Country, NoCountry))
	}
	if !f.Since.IsZero() {
		c.add("last_ms >= ?", milli(f.Since))
	}
	if !f.Until.IsZero() {
		c.add("first_ms < ?", milli(f.Until))
	}
	if f.Kinds != 0 {
		c.add("kinds & ? <> 0", int64(f.Kinds))
	}
	if f.Action != "" {
		n := slices.Index(Actions(), f.Action)
		if n < 0 {
			return "", c, fmt.Errorf("action %q: expected one of %v", f.Action, Actions())
		}
		c.add("action = ?", n)
	}
	var after cursor
	if f.After != "" {
		if after, err = parseCursor(f.After); err != nil {
			return "", c, err
		}
	}
	if f.Oldest {
		c.add("seq > ?", after.seq)
		return "seq", c, nil
	}
	if f.After != "" {
		c.add("(last_ms, seq) < (?, ?)", after.last, after.seq)
	}
	return "last_ms DESC, seq DESC", c, nil
}

// wide reports whether a network is to be looked for by time.
func wide(p netip.Prefix) bool {
	_, bits := key(p)
	if p.Addr().Is4() {
		return bits < wideBits4
	}
	return bits < wideBits6
}

// inside adds that the source is inside a network.
func (c *conditions) inside(p netip.Prefix) {
	first, bits := key(p)
	c.add("addr BETWEEN ? AND ?", first, lastKey(p))
	if bits < mappedBits { // no IPv4 address is inside an IPv6 network
		mapped := netip.MustParsePrefix("0.0.0.0/0")
		low, _ := key(mapped)
		c.add("addr NOT BETWEEN ? AND ?", low, lastKey(mapped))
	}
}

// bySource returns the places of scans whose source is inside f.Source, or
// contains it.
func (f Filter) bySource(c conditions) (text string, args []any) {
	in := conditions{slices.Clone(c.terms), slices.Clone(c.args)}
	in.inside(f.Source)
	_, bits := key(f.Source)
	in.add("bits >= ?", bits)
	text, args = selectPlaces(bySource, in), in.args

	var around []string
	var networks []any
	for wider := range widerNetworks(f.Source) {
		addr, bits := key(wider)
		around = append(around, "(?, ?)")
		networks = append(networks, addr, bits)
	}
	if len(around) == 0 {
		return text, args
	}
	out := conditions{}
	out.add("(addr, bits) IN (VALUES "+strings.Join(around, ", ")+")", networks...)
	out.terms, out.args = append(out.terms, c.terms...), append(out.args, c.args...)
	return text + " UNION ALL " + selectPlaces(bySource, out), append(args, out.args...)
}

// widerNetworks are those that contain p and may be a source: the kernel
// scores and bans IPv6 networks of 32 bits and more, IPv4 addresses alone.
func widerNetworks(p netip.Prefix) func(yield func(netip.Prefix) bool) {
	return func(yield func(netip.Prefix) bool) {
		if p.Addr().Is4() {
			return
		}
		for bits := p.Bits() - 1; bits >= wideBits6; bits-- {
			if !yield(netip.PrefixFrom(p.Addr(), bits).Masked()) {
				return
			}
		}
	}
}
