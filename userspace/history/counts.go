// SPDX-License-Identifier: MIT

package history

import "time"

const (
	minuteMS = int64(time.Minute / time.Millisecond)
	hourMS   = int64(time.Hour / time.Millisecond)

	// keepMinutes is how long the counts of minutes are kept: the views of
	// hour and day need no more.
	keepMinutes = 2 * 24 * time.Hour
)

const (
	addMinutes = "INSERT INTO minutes" + addValues
	addHours   = "INSERT INTO hours" + addValues
	addValues  = ` (at, probes, scans, bans, would_ban, passed, dropped, lost) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (at) DO UPDATE SET probes = probes + excluded.probes, scans = scans + excluded.scans, bans = bans + excluded.bans,
	would_ban = would_ban + excluded.would_ban, passed = passed + excluded.passed, dropped = dropped + excluded.dropped,
	lost = lost + excluded.lost`
)

// increments are what one batch adds to a minute, and to its hour.
type increments struct {
	probes, scans, bans, wouldBan, passed, dropped, lost uint64
}

// at returns the increments of the minute that t is in.
func (b *batch) at(t time.Time) *increments {
	minute := milli(t) / minuteMS
	n := b.counts[minute]
	if n == nil {
		n = &increments{}
		b.counts[minute] = n
	}
	return n
}

// add counts what an event has changed about a scan. old is the zero Scan if
// it is new.
func (n *increments) add(old, s Scan) {
	if old.ID == "" {
		n.scans++
	}
	if s.Probes > old.Probes {
		n.probes += s.Probes - old.Probes
	}
	if s.Action == WouldBan && old.Action != WouldBan {
		n.wouldBan++
	}
}

func (b *batch) flushCounts() error {
	hours := make(map[int64]*increments)
	for minute, n := range b.counts {
		if *n == (increments{}) {
			continue
		}
		if err := b.addCounts(addMinutes, minute, n); err != nil {
			return err
		}
		hour := minute * minuteMS / hourMS
		if hours[hour] == nil {
			hours[hour] = &increments{}
		}
		hours[hour].join(n)
	}
	for hour, n := range hours {
		if err := b.addCounts(addHours, hour, n); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) addCounts(statement string, at int64, n *increments) error {
	_, err := b.exec(statement, at, count(n.probes), count(n.scans), count(n.bans), count(n.wouldBan),
		count(n.passed), count(n.dropped), count(n.lost))
	return err
}

func (n *increments) join(m *increments) {
	n.probes += m.probes
	n.scans += m.scans
	n.bans += m.bans
	n.wouldBan += m.wouldBan
	n.passed += m.passed
	n.dropped += m.dropped
	n.lost += m.lost
}
