// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"

	"denmap/testenv/measure"
)

const reportSchema = 2

// report is the JSON document of a run.
type report struct {
	Schema int    `json:"schema"`
	Kernel string `json:"kernel"`
	CPUs   int    `json:"cpus"`
	Rounds int    `json:"rounds"`
	Repeat int    `json:"repeat"`
	Rows   []row  `json:"rows"`
	Loads  []load `json:"loads,omitempty"`
	Sizes  []size `json:"sizes,omitempty"`
}

// row is one measured path.
type row struct {
	Path   string  `json:"path"`
	NS     float64 `json:"ns"`    // median, per packet, without giving it a source
	Median float64 `json:"ratio"` // to a bare drop
	P10    float64 `json:"p10"`
	P90    float64 `json:"p90"`
	Target float64 `json:"target,omitempty"` // at most; 0: none
}

// load is one measured change of a list.
type load struct {
	What    string  `json:"what"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu"`     // seconds of processor time, garbage collection included
	Written int     `json:"written"` // entries or blocks of the kernel's tables
	Memory  uint64  `json:"memory"`  // bytes that the lists take in the kernel after it
	Target  float64 `json:"target,omitempty"`
}

// size is what the tables take in the kernel, in bytes.
type size struct {
	What   string `json:"what"`
	Memory uint64 `json:"memory"`
	Target uint64 `json:"target,omitempty"` // at most; 0: none
}

func (s size) mib() (value, target float64) {
	return float64(s.Memory) / (1 << 20), float64(s.Target) / (1 << 20)
}

func newReport(o options) *report {
	return &report{Schema: reportSchema, Kernel: measure.Kernel(), CPUs: runtime.NumCPU(), Rounds: o.rounds, Repeat: o.repeat}
}

func readReport(path string) (*report, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read earlier run: %w", err)
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("read earlier run %q: %w", path, err)
	}
	if r.Schema != reportSchema {
		return nil, fmt.Errorf("read earlier run %q: schema %d, expected %d", path, r.Schema, reportSchema)
	}
	return &r, nil
}

func (r *report) missed() (n int) {
	for _, row := range r.Rows {
		if verdict(row.Median, row.Target) == "miss" {
			n++
		}
	}
	for _, l := range r.Loads {
		if verdict(l.Seconds, l.Target) == "miss" {
			n++
		}
	}
	for _, s := range r.Sizes {
		if verdict(s.mib()) == "miss" {
			n++
		}
	}
	return n
}

func verdict(value, target float64) string {
	switch {
	case target == 0:
		return ""
	case value <= target:
		return "pass"
	}
	return "miss"
}

// print writes the tables in Markdown; before, if not nil, adds a column.
func (r *report) print(w io.Writer, before *report) {
	fmt.Fprintf(w, "Linux %s, %d CPUs, %d rounds of %d packets a path\n\n", r.Kernel, r.CPUs, r.Rounds, r.Repeat)
	head := []string{"path", "ns", "ratio", "p10", "p90", "at most", ""}
	if before != nil {
		head = append(head, "before")
	}
	table := [][]string{head}
	for _, row := range r.Rows {
		cells := []string{row.Path, fmt.Sprintf("%.0f", row.NS), fixed2(row.Median), fixed2(row.P10), fixed2(row.P90), limit(row.Target), verdict(row.Median, row.Target)}
		if before != nil {
			cells = append(cells, before.ratio(row.Path))
		}
		table = append(table, cells)
	}
	measure.Markdown(w, table)
	if len(r.Loads) > 0 {
		r.printLoads(w)
	}
	if len(r.Sizes) > 0 {
		r.printSizes(w)
	}
}

func (r *report) printLoads(w io.Writer) {
	table := [][]string{{"list", "seconds", "at most", "", "CPU seconds", "written", "kernel memory, MiB"}}
	for _, l := range r.Loads {
		table = append(table, []string{l.What, fixed2(l.Seconds), limit(l.Target), verdict(l.Seconds, l.Target), fixed2(l.CPU), fmt.Sprint(l.Written), fmt.Sprintf("%.1f", float64(l.Memory)/(1<<20))})
	}
	fmt.Fprintln(w)
	measure.Markdown(w, table)
}

func (r *report) printSizes(w io.Writer) {
	table := [][]string{{"tables", "kernel memory, MiB", "at most", ""}}
	for _, s := range r.Sizes {
		value, target := s.mib()
		table = append(table, []string{s.What, fmt.Sprintf("%.0f", value), fmt.Sprintf("%.0f", target), verdict(value, target)})
	}
	fmt.Fprintln(w)
	measure.Markdown(w, table)
}

func (r *report) ratio(path string) string {
	for _, row := range r.Rows {
		if row.Path == path {
			return fixed2(row.Median)
		}
	}
	return ""
}

func fixed2(v float64) string { return fmt.Sprintf("%.2f", v) }

func limit(v float64) string {
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", v)
}
