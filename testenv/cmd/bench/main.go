// SPDX-License-Identifier: MIT

// Bench measures what the XDP program costs per packet, as a ratio to a
// program that drops everything at once, and what loading big lists takes.
// Every round times each path once, in turn, so that a machine that changes
// speed changes all of them; the table shows the median of the ratios. Run
// as root.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"

	"denmap/testenv/measure"
)

type options struct {
	rounds  int
	repeat  int
	output  string // JSON file to write, "" for none
	compare string // JSON file of an earlier run, "" for none
	only    string // measure only rows whose name contains this
	strict  bool   // a missed target is an error
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 11, "interleaved `rounds` to measure, at least 9")
	flag.IntVar(&o.repeat, "repeat", 200_000, "`packets` of each path in a round")
	flag.StringVar(&o.output, "json", "", "also write the rows to this `file`")
	flag.StringVar(&o.compare, "compare", "", "also show the rows of this `file`, written by an earlier -json")
	flag.StringVar(&o.only, "only", "", "measure only rows whose name contains this `text`")
	flag.BoolVar(&o.strict, "strict", false, "fail if a target is missed")
	flag.Parse()
	o.rounds = max(o.rounds, 9)
	if err := run(o); err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %+v\n", err)
		os.Exit(1)
	}
}

func run(o options) error {
	runtime.LockOSThread() // socket look-ups happen in this thread's namespace
	var before *report
	if o.compare != "" {
		var err error
		if before, err = readReport(o.compare); err != nil {
			return err
		}
	}
	now := newReport(o)
	var err error
	if now.Rows, err = measurePaths(o); err != nil {
		return err
	}
	if o.only == "" || strings.Contains("load", o.only) {
		if now.Loads, err = measureLoads(); err != nil {
			return err
		}
	}
	if o.only == "" || strings.Contains("memory", o.only) {
		if now.Sizes, err = measureSizes(); err != nil {
			return err
		}
	}
	now.print(os.Stdout, before)
	if o.output != "" {
		if err := measure.WriteJSON(o.output, now); err != nil {
			return err
		}
	}
	if missed := now.missed(); o.strict && missed > 0 {
		return fmt.Errorf("%d targets missed", missed)
	}
	return nil
}

// measurePaths times every path in turn, round after round.
func measurePaths(o options) ([]row, error) {
	paths, err := build(o.only)
	if err != nil {
		return nil, err
	}
	bare := make(map[sourceKind]path)
	for _, p := range paths {
		if p.bare {
			bare[p.sources] = p
		}
	}
	times := make([][]float64, len(paths))
	ratios := make([][]float64, len(paths))
	for range o.rounds {
		for i, p := range paths {
			ns, ratio, err := p.compare(bare, o.repeat)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", p.name, err)
			}
			times[i] = append(times[i], ns)
			ratios[i] = append(ratios[i], ratio)
		}
	}
	var rows []row
	for i, p := range paths {
		if p.bare && p.sources != fixed {
			continue
		}
		rows = append(rows, row{
			Path: p.name, Target: p.target, NS: measure.Quantile(times[i], 0.5),
			Median: measure.Quantile(ratios[i], 0.5), P10: measure.Quantile(ratios[i], 0.1), P90: measure.Quantile(ratios[i], 0.9),
		})
	}
	return rows, nil
}
