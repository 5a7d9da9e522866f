// SPDX-License-Identifier: MIT

package history

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"denmap/testenv/measure"
	"denmap/userspace/event"
)

// flood stores n scans with bans, a minute apart, and returns the largest
// size that the files had together after any batch.
func flood(t *testing.T, db *testDB, n int) (largest int64) {
	t.Helper()
	for i := range n {
		after := time.Duration(i) * time.Minute
		source := fmt.Sprintf("2001:db8:%x:%x::/64", i>>8, i&0xff)
		end := scanEvent(name("S", i), source, event.SourceUnbanned, after+time.Second)
		end.Reason = strings.Repeat("long ", 20)
		db.Handle(banEvent(name("S", i), source, after))
		db.Handle(end)
		if i%batchSize == 0 {
			waitStored(t, db)
			largest = max(largest, diskSize(db.path))
		}
	}
	waitStored(t, db)
	return max(largest, diskSize(db.path))
}

func TestMaxSize(t *testing.T) {
	for _, maxSize := range []int64{1e6, 5e6} {
		if measure.Race && maxSize > 1e6 {
			continue // the same, only longer
		}
		t.Run(fmt.Sprint(maxSize), func(t *testing.T) {
			db := mustOpen(t, Options{MaxSize: maxSize})
			n := int(maxSize / 500)
			largest := flood(t, db, n)
			if largest > maxSize {
				t.Errorf("grew to %d bytes, want at most %d", largest, maxSize)
			}
			if s := db.Stats(); s.Lost != 0 || s.Stored != uint64(2*n) || len(db.said.all()) != 0 {
				t.Errorf("stats %+v, said %q", s, db.said.all())
			}
			latest := db.mustScans(t, Filter{Limit: MaxLimit})
			if latest[0].ID != name("S", n-1) || len(latest) < 200 {
				t.Errorf("%d scans, the latest %s", len(latest), latest[0].ID)
			}
			oldest := db.mustScans(t, Filter{Limit: 1, Oldest: true})
			if oldest[0].ID == name("S", 0) {
				t.Error("the oldest scan is still there")
			}
			// Bans go with their scans.
			bans, err := db.Bans(context.Background(), Range{Until: oldest[0].First.Add(-time.Hour * 24)}, netip.Prefix{}, 0)
			if err != nil || len(bans) > 0 {
				t.Errorf("%d old bans, %v", len(bans), err)
			}
		})
	}
}

// A bound that is lowered is kept soon, and the disk gets its space back.
func TestLowerMaxSize(t *testing.T) {
	db := mustOpen(t, Options{})
	flood(t, db, 8000)
	before := db.Stats().Bytes
	const bound = 1e6
	if before < 3*bound {
		t.Fatalf("only %d bytes to begin with", before)
	}
	db.SetBounds(0, bound)
	eventually(t, "the files to shrink", func() bool { db.tick(); return db.Stats().Bytes <= bound })
	if latest := db.mustScans(t, Filter{Limit: 1}); latest[0].ID != name("S", 7999) {
		t.Errorf("the latest is %s", latest[0].ID)
	}
}

// Only bans that do not end, more than there is room for.
func TestMaxSizeOfRunningBans(t *testing.T) {
	db := mustOpen(t, Options{MaxSize: 1e6})
	for i := range 10000 {
		e := banEvent(name("B", i), fmt.Sprintf("2001:db8:%x:%x::/64", i>>8, i&0xff), time.Duration(i)*time.Second)
		e.Scan.Kinds, e.Scan.Grade, e.Scan.BanUntil = 0, event.Manual, time.Time{}
		db.Handle(e)
		if i%1000 == 0 {
			waitStored(t, db)
		}
	}
	waitStored(t, db)
	bans := db.mustBans(t)
	if s := db.Stats(); s.Lost != 0 || s.Bytes > 1e6 || bans[0].ID != name("B", 9999) {
		t.Errorf("stats %+v, the latest %s", s, bans[0].ID)
	}
}

// A reader that stands still must not make the write-ahead log grow.
func TestMaxSizeWithReader(t *testing.T) {
	const maxSize = 1e6
	db := mustOpen(t, Options{MaxSize: maxSize})
	flood(t, db, 500)
	reader, err := connectReader(db.path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	rows, err := reader.Query("SELECT seq FROM scans")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	rows.Next()
	var largest int64
	for i := 0; db.said.count("a reader keeps") == 0; i++ {
		if i > 100 {
			t.Fatal("nothing said of the reader")
		}
		for n := range batchSize {
			db.Handle(scanEvent(name("R", i*batchSize+n), "192.0.2.1/32", event.ScanDetected, 24*time.Hour))
		}
		db.sync()
		largest = max(largest, diskSize(db.path))
	}
	if largest > maxSize {
		t.Errorf("grew to %d bytes, want at most %d", largest, int64(maxSize))
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	waitStored(t, db)
	if s := db.Stats(); s.Lost != 0 || !s.Available || db.said.count("written again") != 1 {
		t.Errorf("stats %+v, said %q", s, db.said.all())
	}
}

func TestKeep(t *testing.T) {
	db := mustOpen(t, Options{Keep: 24 * time.Hour})
	db.handle(filterScans()...)
	db.handle(
		scanEvent("B", "192.0.2.2/32", event.SourceUnbanned, 11*time.Minute),
		event.Event{ID: "N", Time: testStart, Action: event.Attached, Interface: "eth0"},
	)
	manual := banEvent("M", "203.0.113.0/24", 0)
	manual.Scan.Kinds, manual.Scan.BanUntil = 0, time.Time{}
	db.handle(manual)
	db.clock.add(24*time.Hour + 4*time.Minute + time.Second)
	db.tick()
	if got := ids(db.mustScans(t, Filter{})); strings.Join(got, "") != "BF" {
		t.Errorf("scans %q, want F, and B, whose ban ended later", got)
	}
	db.clock.add(time.Hour)
	db.tick()
	if got := db.mustScans(t, Filter{}); len(got) != 0 {
		t.Errorf("scans %q", ids(got))
	}
	if got := db.mustNotes(t); len(got) != 0 {
		t.Errorf("notes %+v", got)
	}
	got := ""
	for _, b := range db.mustBans(t) {
		got += b.ID
	}
	if got != "MD" && got != "DM" {
		t.Errorf("bans %q, want those that are not known to have ended", got)
	}
}

func TestPackets(t *testing.T) {
	totals := make(chan [2]uint64, 8)
	db := mustOpen(t, Options{Packets: func() (uint64, uint64, error) {
		n := <-totals
		if n[0] == 13 {
			return 0, 0, context.Canceled
		}
		return n[0], n[1], nil
	}})
	totals <- [2]uint64{1000, 100} // before the start
	for _, n := range [][2]uint64{{1010, 101}, {13, 13}, {1030, 103}, {5, 1}, {6, 2}} {
		totals <- n
		db.tick()
	}
	buckets, err := db.Timeline(context.Background(), Hour)
	if last := buckets[len(buckets)-1]; err != nil || last.Passed != 31 || last.Dropped != 4 {
		t.Errorf("the last bucket %+v, %v", last, err)
	}
}

func TestLimits(t *testing.T) {
	for _, maxSize := range []int64{1, 1e6, 5e6, largeMin - 1, largeMin, 1e9, 1e12} {
		l := limitsOf(maxSize)
		// The largest transaction rewrites the file, or what a batch touches.
		transaction := min(l.pages, batchSize*12) * (pageSize + 24)
		if total := l.pages*pageSize + l.hard + transaction + 64<<10; maxSize >= 1e6 && total > maxSize {
			t.Errorf("%d: %d bytes in the worst case", maxSize, total)
		}
		if l.pages < 50 || l.soft > l.hard {
			t.Errorf("%d: %+v", maxSize, l)
		}
	}
	if l := limitsOf(0); l.hard != unbounded {
		t.Errorf("unbounded: %+v", l)
	}
}
