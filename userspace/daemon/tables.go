// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"fmt"
	"time"
)

const (
	// tablePause is how often the tables are looked at, and tableCost how
	// much longer than a look the pause after it is at least.
	tablePause = 10 * time.Second
	tableCost  = 20

	// From fullPercent on a table counts as full, until it is below
	// roomPercent again.
	fullPercent = 95
	roomPercent = 90
)

// Fill is how full a table of the kernel is.
type Fill struct {
	Table             string
	Entries, Capacity int
}

func (f Fill) percent() int {
	if f.Capacity <= 0 {
		return 0
	}
	return int(int64(f.Entries) * 100 / int64(f.Capacity))
}

// whenFull says what it means that a table is full. Lists have no place
// here: one that does not fit is refused and said.
var whenFull = map[string]string{
	"sources":    "those longest out of use are forgotten first",
	"blind_bans": "the oldest bans give way to new ones",
	"bans":       "no more proven or manual bans fit: denmap bans shows them, denmap unban makes room",
}

// watchTables tells people when a table of sources or bans gets full, once
// each time.
func (d *daemon) watchTables(ctx context.Context) {
	ticks, stop := d.opts.Clock.Tick(time.Second)
	defer stop()
	full := make(map[string]bool)
	var next time.Time
	for {
		d.pulses.beat("kernel table")
		select {
		case <-ctx.Done():
			return
		case now := <-ticks:
			if now.Before(next) {
				continue
			}
			began := d.opts.Clock.Now()
			d.checkTables(full)
			next = began.Add(max(tablePause, tableCost*d.opts.Clock.Now().Sub(began)))
		}
	}
}

// checkTables compares the tables with those that were full before.
func (d *daemon) checkTables(full map[string]bool) {
	fills, err := d.kernel.Fills()
	if err != nil {
		d.tell.trouble("tables", err.Error())
		return
	}
	d.tell.fine("tables", "")
	for _, f := range fills {
		meaning, watched := whenFull[f.Table]
		switch {
		case !watched:
		case f.percent() > fullPercent && !full[f.Table]:
			full[f.Table] = true
			text := fmt.Sprintf("table %s is full (%d of %d entries): %s", f.Table, f.Entries, f.Capacity, meaning)
			d.tell.say("warning: " + text)
			d.out.notice(Notice{Class: TableFull, Key: f.Table, Text: text})
		case f.percent() < roomPercent && full[f.Table]:
			delete(full, f.Table)
			d.tell.say(fmt.Sprintf("table %s has room again", f.Table))
		}
	}
}
