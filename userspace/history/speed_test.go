// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"denmap/testenv/measure"
	"denmap/userspace/event"
)

// timeBound is what each query may take of 100,000 scans, in processor time
// of this process: what else the machine does is not counted. Most take a
// tenth of it, and there is room: a view has a second.
const timeBound = 250 * time.Millisecond

// manyScans is fewer when the race detector makes each take ten times as
// long.
func manyScans() int {
	if measure.Race {
		return 5_000
	}
	return 100_000
}

// fill stores many scans of the last 60 days, from sources and countries
// of very different activity.
func fill(t testing.TB, db *testDB, n int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	names := []string{"CN", "US", "RU", "NL", "DE", "FR", "GB", "BR", "IN", "VN", ""}
	pending := 0
	for i := range n {
		after := -time.Duration(n-i) * 60 * 24 * time.Hour / time.Duration(n)
		e := scanEvent(name("S", i), randomSource(random), event.ScanDetected, after)
		switch random.IntN(10) {
		case 0, 1, 2, 3:
			e.Action, e.Scan.BanUntil = event.SourceBanned, e.Time.Add(10*time.Minute)
		case 4:
			e.Action, e.Scan.Enforced = event.SourceBanned, false
		}
		country := names[min(int(random.ExpFloat64()*2), len(names)-1)]
		e.Scan.Place = event.Place{CountryISO: country, Country: "Name of " + country, City: "City", ASName: "Example network", ASNumber: 64500}
		e.Scan.Place.Latitude, e.Scan.Place.Longitude, e.Scan.Place.HasCoordinates = float64(random.IntN(60)), float64(random.IntN(90)), i%5 > 0
		e.Scan.Kinds = event.Kinds(1 << random.IntN(14))
		e.Scan.Probes, e.Scan.Distinct, e.Scan.Score = uint64(4+random.IntN(40)), 4+random.IntN(12), 4+random.IntN(8)
		db.Handle(e)
		if pending++; pending == queueLength/2 {
			waitStored(t, db)
			pending = 0
		}
	}
	waitStored(t, db)
	if s := db.Stats(); s.Lost != 0 || s.Stored != uint64(n) {
		t.Fatalf("stored %+v", s)
	}
}

func waitStored(t testing.TB, db *testDB) {
	eventually(t, "the queue to be stored", func() bool { db.sync(); return db.Stats().Queued == 0 })
}

// randomSource is an address of 10.0.0.0/8, some of them often: a test of
// this size needs more addresses than documentation has. None is sent to.
func randomSource(random *rand.Rand) string {
	if random.IntN(20) == 0 {
		return fmt.Sprintf("2001:db8:0:%x::/64", random.IntN(500))
	}
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 10<<24|random.Uint32N(1<<24))
	if random.IntN(3) == 0 {
		a[1], a[2] = 0, 0
	}
	return netip.PrefixFrom(netip.AddrFrom4(a), 32).String()
}

type timedQuery struct {
	name string
	run  func(context.Context, *Reader) error
}

func filterQuery(name string, f Filter) timedQuery {
	return timedQuery{name, func(ctx context.Context, r *Reader) error { _, err := r.Scans(ctx, f); return err }}
}

func timedQueries() []timedQuery {
	month := Range{Since: testStart.Add(-30 * 24 * time.Hour)}
	rare := netip.MustParsePrefix("10.77.0.0/16")
	return []timedQuery{
		filterQuery("latest", Filter{}),
		filterQuery("most", Filter{Limit: MaxLimit}),
		filterQuery("deep page", Filter{After: fmt.Sprintf("%d.500", milli(testStart.Add(-59*24*time.Hour)))}),
		filterQuery("until long ago", Filter{Range: Range{Until: testStart.Add(-59 * 24 * time.Hour)}}),
		filterQuery("country", Filter{Country: "BR"}),
		filterQuery("country that does not exist", Filter{Country: "XX"}),
		filterQuery("kind", Filter{Kinds: event.Kinds(0).With(event.Sweep), Range: month}),
		filterQuery("kind that does not occur", Filter{Kinds: 1 << 20}),
		filterQuery("action", Filter{Action: WouldBan, Country: "FR"}),
		filterQuery("address", Filter{Source: netip.MustParsePrefix("10.0.0.7/32")}),
		filterQuery("IPv6 address", Filter{Source: netip.MustParsePrefix("2001:db8:0:7::1/128")}),
		filterQuery("network", Filter{Source: rare}),
		filterQuery("busy network", Filter{Source: netip.MustParsePrefix("10.0.0.0/16"), Kinds: 1 << 20}),
		filterQuery("wide network", Filter{Source: netip.MustParsePrefix("10.0.0.0/8")}),
		filterQuery("wide network without scans", Filter{Source: netip.MustParsePrefix("192.0.0.0/8")}),
		{"countries", func(ctx context.Context, r *Reader) error { _, err := r.Countries(ctx, Range{}); return err }},
		{"countries of a month", func(ctx context.Context, r *Reader) error { _, err := r.Countries(ctx, month); return err }},
		{"places", func(ctx context.Context, r *Reader) error { _, err := r.Places(ctx, Range{}, MaxLimit); return err }},
		{"places of a month", func(ctx context.Context, r *Reader) error { _, err := r.Places(ctx, month, 0); return err }},
		{"source", func(ctx context.Context, r *Reader) error {
			_, _, err := r.Source(ctx, netip.MustParsePrefix("10.0.0.7/32"))
			return err
		}},
		{"bans", func(ctx context.Context, r *Reader) error {
			_, err := r.Bans(ctx, month, netip.Prefix{}, 0)
			return err
		}},
		{"bans of a source", func(ctx context.Context, r *Reader) error {
			_, err := r.Bans(ctx, Range{}, netip.MustParsePrefix("10.0.0.7/32"), 0)
			return err
		}},
		{"notes", func(ctx context.Context, r *Reader) error { _, err := r.Notes(ctx, month, 0); return err }},
		{"impact", func(ctx context.Context, r *Reader) error { _, err := r.Impact(ctx, Range{}, 6, 12); return err }},
		{"hour", func(ctx context.Context, r *Reader) error { _, err := r.Timeline(ctx, Hour); return err }},
		{"day", func(ctx context.Context, r *Reader) error { _, err := r.Timeline(ctx, Day); return err }},
		{"week", func(ctx context.Context, r *Reader) error { _, err := r.Timeline(ctx, Week); return err }},
		{"month", func(ctx context.Context, r *Reader) error { _, err := r.Timeline(ctx, Month); return err }},
	}
}

// TestSpeed fills the history with 100,000 scans and wants each query
// answered in time, at its best of five.
func TestSpeed(t *testing.T) {
	db := mustOpen(t, Options{})
	began := time.Now()
	n := manyScans()
	fill(t, db, n)
	t.Logf("%d scans stored in %v, %d bytes", n, time.Since(began).Round(time.Millisecond), db.Stats().Bytes)
	for _, q := range timedQueries() {
		best := time.Hour
		for range 5 {
			began := measure.ProcessorTime()
			if err := q.run(context.Background(), db.Reader); err != nil {
				t.Fatalf("%s: %v", q.name, err)
			}
			best = min(best, measure.ProcessorTime()-began)
		}
		t.Logf("%-30s %v", q.name, best.Round(10*time.Microsecond))
		if best > timeBound && !measure.Race {
			t.Errorf("%s takes %v, want at most %v", q.name, best, timeBound)
		}
	}
}

// TestPlans wants every query to go by an index, whatever is stored.
func TestPlans(t *testing.T) {
	db := mustOpen(t, Options{})
	source := netip.MustParsePrefix("2001:db8::1/128")
	in := Range{testStart, testStart.Add(time.Hour)}
	filters := map[string]Filter{
		"scans_last": {Range: in, Kinds: 1, Action: Banned, Country: "GB", After: "1.1"},
		"scans_addr": {Range: in, Source: source, Kinds: 1, Country: "GB", Oldest: true},
	}
	for index, f := range filters {
		text, args, err := f.statement(10)
		if err != nil {
			t.Fatal(err)
		}
		checkPlan(t, db, index, text, args)
	}
	scans, sources, args := countryStatements(in)
	checkPlan(t, db, "scans_country", scans, args)
	checkPlan(t, db, "scans_country", sources, args)
	text, args := placeStatement(in, 10)
	checkPlan(t, db, "scans_place", text, args)
	text, args = banStatement(in, netip.Prefix{}, 10)
	checkPlan(t, db, "bans_since", text, args)
	text, args = banStatement(in, source, 10)
	checkPlan(t, db, "bans_addr", text, args)
	text, args = noteStatement(Range{Until: in.Until}, 10)
	checkPlan(t, db, "notes_at", text, args)
	where, args := impactConditions(in, 4, 8)
	checkPlan(t, db, "scans_addr", impactStatement(where), args)
	checkPlan(t, db, "INTEGER PRIMARY KEY", timelineStatement("minutes"), []any{1, 2})
	for _, text := range deleteStatements {
		checkPlan(t, db, "", text, []any{1, 2})
	}
}

// checkPlan wants SEARCH steps only, or SCAN steps of a covering index or
// of what the query itself has made, and the index among them.
func checkPlan(t *testing.T, db *testDB, index, text string, args []any) {
	t.Helper()
	var steps []string
	err := db.query(context.Background(), "EXPLAIN QUERY PLAN "+text, args, func(rows *sql.Rows) error {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		steps = append(steps, detail)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	plan := strings.Join(steps, "\n")
	for _, table := range []string{"scans", "bans", "notes", "minutes", "hours"} {
		if slices.ContainsFunc(steps, func(s string) bool { return s == "SCAN "+table }) {
			t.Errorf("the plan reads all of %s:\n%s\nof %s", table, plan, text)
		}
	}
	if !strings.Contains(plan, index) {
		t.Errorf("the plan does not use %s:\n%s\nof %s", index, plan, text)
	}
}
