// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io"
	"runtime"

	"denmap/testenv/measure"
)

const reportSchema = 2

// report is the JSON document of a run.
type report struct {
	Schema  int          `json:"schema"`
	Kernel  string       `json:"kernel"`
	CPUs    int          `json:"cpus"`
	Rounds  int          `json:"rounds"`
	Seconds float64      `json:"seconds"` // of each measurement
	Drops   []dropRow    `json:"drops,omitempty"`
	Traffic []trafficRow `json:"traffic,omitempty"`
	Daemon  []costRow    `json:"daemon,omitempty"`
	Latency []latencyRow `json:"latency,omitempty"`
}

// dropRow is how one filter drops; all figures are medians.
type dropRow struct {
	Filter    string  `json:"filter"`
	PerSecond float64 `json:"per_second"`
	PerCPU    float64 `json:"per_cpu_second"` // in a second of the receiving core's work
	Ratio     float64 `json:"ratio"`          // DenMap's per_cpu_second to this one's
	P10       float64 `json:"p10"`
	P90       float64 `json:"p90"`
	Target    float64 `json:"target,omitempty"` // at least; 0: none
}

// trafficRow is what a load reached on a link; all figures are medians.
type trafficRow struct {
	Load   string  `json:"load"`
	Link   string  `json:"link"`
	Value  float64 `json:"value"`
	Ratio  float64 `json:"ratio,omitempty"` // to the same load on a link without a program
	P10    float64 `json:"p10,omitempty"`
	P90    float64 `json:"p90,omitempty"`
	Target float64 `json:"target,omitempty"` // at least; 0: none
}

// costRow is something that the daemon takes.
type costRow struct {
	What   string  `json:"what"`
	Value  float64 `json:"value"`
	Target float64 `json:"target,omitempty"` // at most; 0: none
}

func newReport(o options) *report {
	return &report{Schema: reportSchema, Kernel: measure.Kernel(), CPUs: runtime.NumCPU(), Rounds: o.rounds, Seconds: o.duration.Seconds()}
}

func (r *report) missed() (n int) {
	for _, row := range r.Drops {
		if met(row.Ratio, row.Target) == "miss" {
			n++
		}
	}
	for _, row := range r.Traffic {
		if met(row.Ratio, row.Target) == "miss" {
			n++
		}
	}
	for _, row := range r.Daemon {
		if kept(row.Value, row.Target) == "miss" {
			n++
		}
	}
	for _, row := range r.Latency {
		if row.verdict() == "miss" {
			n++
		}
	}
	return n
}

// kept is met for a target that is a limit.
func kept(value, target float64) string { return met(-value, -target) }

func met(value, target float64) string {
	switch {
	case target == 0:
		return ""
	case value >= target:
		return "pass"
	}
	return "miss"
}

// print writes the tables in Markdown.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "Linux %s, %d CPUs, %d rounds of %.1f s\n", r.Kernel, r.CPUs, r.Rounds, r.Seconds)
	if len(r.Drops) > 0 {
		table := [][]string{{"a banned source is dropped by", "M drops/s", "M drops per core-second", "DenMap drops times as many", "p10", "p90", "at least", ""}}
		for _, d := range r.Drops {
			table = append(table, append([]string{d.Filter, fixed2(d.PerSecond / 1e6), fixed2(d.PerCPU / 1e6)}, against(d.Ratio, d.P10, d.P90, d.Target)...))
		}
		fmt.Fprintln(w)
		measure.Markdown(w, table)
	}
	if len(r.Traffic) > 0 {
		table := [][]string{{"traffic", "link", "value", "of no program", "p10", "p90", "at least", ""}}
		for _, t := range r.Traffic {
			table = append(table, append([]string{t.Load, t.Link, fixed2(t.Value)}, against(t.Ratio, t.P10, t.P90, t.Target)...))
		}
		fmt.Fprintln(w)
		measure.Markdown(w, table)
	}
	if len(r.Daemon) > 0 {
		table := [][]string{{"daemon", "value", "at most", ""}}
		for _, d := range r.Daemon {
			limit := ""
			if d.Target > 0 {
				limit = fixed2(d.Target)
			}
			table = append(table, []string{d.What, fixed2(d.Value), limit, kept(d.Value, d.Target)})
		}
		fmt.Fprintln(w)
		measure.Markdown(w, table)
	}
	if len(r.Latency) > 0 {
		table := [][]string{{"log on", "bans a second", "bans", "lines", "lost and told", "not told", "ms to the line, p50", "p99", "max", "at most", ""}}
		for _, l := range r.Latency {
			table = append(table, []string{
				l.Log, fmt.Sprintf("%.0f", l.Rate), fmt.Sprint(l.Detections), fmt.Sprint(l.Lines), fmt.Sprint(l.Lost), fmt.Sprint(l.unaccounted()),
				fixed2(l.P50), fixed2(l.P99), fixed2(l.Max), fixed2(l.Target), l.verdict(),
			})
		}
		fmt.Fprintln(w)
		measure.Markdown(w, table)
	}
}

// against are the cells of a comparison, empty ones where there is none.
func against(ratio, p10, p90, target float64) []string {
	if ratio == 0 {
		return make([]string, 5)
	}
	limit := ""
	if target > 0 {
		limit = fixed2(target)
	}
	return []string{fixed2(ratio), fixed2(p10), fixed2(p90), limit, met(ratio, target)}
}

func fixed2(v float64) string { return fmt.Sprintf("%.2f", v) }
