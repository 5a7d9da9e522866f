// SPDX-License-Identifier: MIT

package main

import (
	"time"

	"denmap/testenv"
	"denmap/testenv/measure"
)

// restFor is how long a daemon at rest is watched, and settled how long it
// has before to load what it needs. Its garbage is collected after 2 minutes
// at the latest, so memory is read shortly before, when it is most.
const (
	settled = 5 * time.Second
	restFor = 110 * time.Second
)

// measureDaemon measures how soon an interface is protected, with empty
// lists, and what the daemon then takes while nothing happens.
func measureDaemon(c *testenv.Console, o options) (rows []costRow, err error) {
	w := newWire(c)
	var starts []float64
	for range o.rounds {
		began := time.Now()
		d := w.server.Attach(w.near)
		starts = append(starts, time.Since(began).Seconds()*1000)
		d.Stop()
	}
	d := w.server.Attach(w.near)
	defer d.Stop()
	time.Sleep(settled)
	before, err := ranFor(d.PID())
	if err != nil {
		return nil, err
	}
	time.Sleep(restFor)
	after, err := ranFor(d.PID())
	if err != nil {
		return nil, err
	}
	memory, _ := d.Memory()
	return []costRow{
		{What: "attach to protected, ms, median", Value: measure.Quantile(starts, 0.5), Target: 300},
		{What: "attach to protected, ms, least", Value: measure.Quantile(starts, 0)},
		{What: "at rest: resident memory, MiB", Value: float64(memory) / (1 << 20), Target: 40},
		{What: "at rest: % of a core", Value: 100 * (after - before).Seconds() / restFor.Seconds(), Target: 0.5},
	}, nil
}
