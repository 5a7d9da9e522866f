// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"denmap/testenv"
	"denmap/testenv/measure"
)

// latencyTarget is how long 99 % of the lines may take from the packet that
// brings a ban until they can be read, in ms.
const latencyTarget = 5

// latencyPlan is one measurement: how many sources a second are banned, and
// where the log is.
type latencyPlan struct {
	rate   int
	inTree bool // on the file system of this tree; else on a tmpfs
}

// latencyRow is what came of it. Times are in milliseconds.
type latencyRow struct {
	Log        string  `json:"log"` // its file system
	Rate       float64 `json:"rate"`
	Detections int     `json:"detections"`
	Lines      int     `json:"lines"` // about as many different sources
	P50        float64 `json:"p50"`
	P99        float64 `json:"p99"`
	Max        float64 `json:"max"`
	Lost       uint64  `json:"lost"` // that the log tells of
	Target     float64 `json:"target"`
}

// unaccounted are the detections that the log says nothing of, not even that
// they were lost.
func (r latencyRow) unaccounted() int { return max(0, r.Detections-r.Lines-int(r.Lost)) }

func (r latencyRow) verdict() string {
	if r.unaccounted() > 0 {
		return "miss"
	}
	return kept(r.P99, r.Target)
}

// measureLatency measures how long a line of the event log takes from the
// packet to a reader of the file, with a daemon of its own for each plan.
func measureLatency(c *testenv.Console, o options) (rows []latencyRow, err error) {
	for _, plan := range []latencyPlan{{rate: 100, inTree: true}, {rate: 1000, inTree: true}, {rate: 10_000, inTree: true}, {rate: 10_000}} {
		row, err := plan.measure(c, o)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (p latencyPlan) measure(c *testenv.Console, o options) (row latencyRow, err error) {
	w := newWire(c)
	path := w.server.Path(testenv.LogPath)
	if p.inTree {
		// Every process of a host sees the machine's own file system.
		if err := os.MkdirAll("build", 0o755); err != nil {
			return row, err
		}
		dir, err := os.MkdirTemp("build", "latency")
		if err != nil {
			return row, err
		}
		defer os.RemoveAll(dir)
		if dir, err = filepath.Abs(dir); err != nil {
			return row, err
		}
		path = filepath.Join(dir, "events.log")
		w.server.Configure(fmt.Sprintf("log: {path: %q}\n", path))
	}
	d := w.server.Attach(w.near)
	time.Sleep(settled)
	f, err := follow(path)
	if err != nil {
		return row, err
	}
	crowd := newCrowd(w, p.rate, latencyFor)
	if err := crowd.send(); err != nil {
		return row, err
	}
	// What is found in the kernel's table after its event was lost comes
	// later than that, and is no line of a detection.
	f.awaitQuiet(latencyPatience)
	d.Stop() // tells of losses that were not told of yet
	lines, err := f.end()
	if err != nil {
		return row, err
	}
	row = latencyRow{Rate: crowd.rate(), Detections: len(crowd.sent), Target: latencyTarget}
	if row.Log, err = fileSystem(filepath.Dir(path)); err != nil {
		return row, err
	}
	return row, row.take(lines, crowd)
}

// take finds each detection's line.
func (r *latencyRow) take(lines []readLine, crowd *crowd) error {
	seen := make(map[int]bool, len(crowd.sent))
	var took []float64
	for _, l := range lines {
		if l.Event.Action == "events-lost" {
			r.Lost += l.Denmap.Lost.Count
			continue
		}
		if l.Event.Action != "source-banned" || strings.Contains(l.Event.Reason, "event was lost") {
			continue
		}
		addr, err := netip.ParseAddr(l.Source.IP)
		if err != nil {
			return fmt.Errorf("read the log's source: %w", err)
		}
		n, ours := crowd.number(addr)
		if !ours || seen[n] {
			return fmt.Errorf("an unexpected line, or a second one, about %s", addr)
		}
		seen[n] = true
		took = append(took, float64(l.at.Sub(crowd.sent[n]).Microseconds())/1000)
	}
	if len(took) == 0 {
		return fmt.Errorf("no line about any of %d detections", len(crowd.sent))
	}
	r.Lines = len(took)
	r.P50, r.P99, r.Max = measure.Quantile(took, 0.5), measure.Quantile(took, 0.99), measure.Quantile(took, 1)
	return nil
}
