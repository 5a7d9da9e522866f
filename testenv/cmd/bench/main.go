// SPDX-License-Identifier: MIT

// Bench measures what the XDP program costs per packet, as a ratio to a
// program that drops everything at once. Every round times each path once,
// in turn, so that a machine that changes speed changes all of them; the
// table shows the median of the ratios. Run as root.
package main

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"

	"golang.org/x/sys/unix"
)

// row is one measured path.
type row struct {
	Path   string  `json:"path"`
	NS     float64 `json:"ns"`    // median, per packet
	Median float64 `json:"ratio"` // to a bare drop of the same kind of frame
	P10    float64 `json:"p10"`
	P90    float64 `json:"p90"`
}

func main() {
	rounds := flag.Int("rounds", 11, "interleaved `rounds` to measure, at least 9")
	repeat := flag.Int("repeat", 200_000, "`packets` of each path in a round")
	output := flag.String("json", "", "also write the rows to this `file`")
	flag.Parse()
	if err := run(max(*rounds, 9), *repeat, *output); err != nil {
		fmt.Fprintf(os.Stderr, "bench: error: %+v\n", err)
		os.Exit(1)
	}
}

func run(rounds, repeat int, output string) error {
	runtime.LockOSThread() // socket look-ups happen in this thread's namespace
	paths, err := build()
	if err != nil {
		return err
	}
	bare := make(map[bool][]float64) // by whether sources are random
	times := make(map[string][]float64)
	ratios := make(map[string][]float64)
	for range rounds {
		base := make(map[bool]float64)
		for _, p := range paths {
			ns, err := p.time(repeat)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if p.bare {
				base[p.random] = ns
				bare[p.random] = append(bare[p.random], ns)
			}
			times[p.name] = append(times[p.name], ns)
			ratios[p.name] = append(ratios[p.name], ns/base[p.random])
		}
	}
	var rows []row
	for _, p := range paths {
		rows = append(rows, row{p.name, quantile(times[p.name], 0.5), quantile(ratios[p.name], 0.5), quantile(ratios[p.name], 0.1), quantile(ratios[p.name], 0.9)})
	}
	if err := print(rows, rounds, repeat); err != nil {
		return err
	}
	if output == "" {
		return nil
	}
	data, err := json.MarshalIndent(map[string]any{"schema": 1, "kernel": kernel(), "rounds": rounds, "repeat": repeat, "rows": rows}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode rows: %w", err)
	}
	return os.WriteFile(output, append(data, '\n'), 0o644)
}

func print(rows []row, rounds, repeat int) error {
	fmt.Printf("Linux %s, %d CPUs, %d rounds of %d packets a path\n\n", kernel(), runtime.NumCPU(), rounds, repeat)
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 1, ' ', 0)
	fmt.Fprintln(w, "| path\t| ns\t| ratio to a bare drop\t| p10\t| p90\t|")
	fmt.Fprintln(w, "|---\t|---\t|---\t|---\t|---\t|")
	for _, r := range rows {
		fmt.Fprintf(w, "| %s\t| %.0f\t| %.2f\t| %.2f\t| %.2f\t|\n", r.Path, r.NS, r.Median, r.P10, r.P90)
	}
	return w.Flush()
}

func quantile[T cmp.Ordered](values []T, q float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

func kernel() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return "unknown"
	}
	return unix.ByteSliceToString(u.Release[:])
}
