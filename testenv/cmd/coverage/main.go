// SPDX-License-Identifier: MIT

// Coverage runs every scanner of the lab against a protected host, each in
// fresh namespaces, and writes a Markdown table of what was found, under
// which label, after how many probes, and what got through. It exits 1 if
// a scan is missed, mislabelled or banned late that should not be, or if a
// benign twin is not silent. Run as root.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"
	"time"

	"denmap/testenv"
)

// options is the parsed command line.
type options struct {
	denmap string // the binary under test
	out    string // empty: standard output
	only   *regexp.Regexp
	jobs   int
	twins  bool
	log    io.Writer
}

func main() {
	testenv.Reexec()
	o := options{log: os.Stderr}
	flag.StringVar(&o.denmap, "denmap", "build/denmap", "the `binary` to try")
	flag.StringVar(&o.out, "o", "", "write the table to `FILE`; default: standard output")
	only := flag.String("only", "", "run only the scans whose command line matches `REGEXP`, and no twins")
	flag.IntVar(&o.jobs, "j", 4, "`N` labs at once")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*only); err != nil || flag.NArg() > 0 || o.jobs < 1 {
		fmt.Fprintln(os.Stderr, "usage: coverage [-denmap BINARY] [-o FILE] [-only REGEXP] [-j N]")
		os.Exit(2)
	}
	o.twins = *only == ""
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	unexpected, err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "coverage: error:", err)
		os.Exit(1)
	}
	if unexpected > 0 {
		fmt.Fprintf(os.Stderr, "coverage: %d rows are not as they should be\n", unexpected)
		os.Exit(1)
	}
}

// run tries everything and writes the page.
func run(ctx context.Context, o options) (unexpected int, err error) {
	path, err := filepath.Abs(o.denmap)
	if err != nil {
		return 0, err
	}
	if _, err := os.Stat(path); err != nil {
		return 0, fmt.Errorf("find the binary to try: %w", err)
	}
	attempts := selected(o.only)
	if len(attempts) == 0 {
		return 0, fmt.Errorf("no scan matches %q", o.only)
	}
	// The lab takes the binary under test from there.
	if err := os.Setenv("DENMAP_BINARY", path); err != nil {
		return 0, err
	}
	start := time.Now()
	p := page{}
	if o.twins {
		if p.twins, err = runTwins(ctx, o); err != nil {
			return 0, err
		}
	}
	if p.rows, err = runScans(ctx, o, attempts); err != nil {
		return 0, err
	}
	fmt.Fprintf(o.log, "coverage: %d scans and %d twins in %v\n", len(p.rows), len(p.twins), time.Since(start).Round(time.Second))
	if o.out == "" {
		p.write(os.Stdout)
		return p.unexpected(), nil
	}
	f, err := os.Create(o.out)
	if err != nil {
		return 0, err
	}
	p.write(f)
	return p.unexpected(), f.Close()
}

// attempt is a scan by one IP version.
type attempt struct {
	scan
	version int
}

// String is the command line with its IP version.
func (a attempt) String() string { return fmt.Sprintf("%s (IPv%d)", a.name, a.version) }

func selected(only *regexp.Regexp) (out []attempt) {
	for _, s := range scans {
		for _, version := range s.versions() {
			if a := (attempt{s, version}); only == nil || only.MatchString(a.String()) {
				out = append(out, a)
			}
		}
	}
	return out
}

// runScans runs the attempts, some at once, and returns their rows in the
// order of the attempts.
func runScans(ctx context.Context, o options, attempts []attempt) ([]row, error) {
	rows := make([]row, len(attempts))
	err := inParallel(ctx, o, len(attempts), func(i int) (string, func(*testenv.Console)) {
		return attempts[i].String(), func(c *testenv.Console) { rows[i] = attempts[i].measure(c, o) }
	})
	return rows, err
}

func runTwins(ctx context.Context, o options) (all []twin, err error) {
	type try struct {
		group   string
		version int
	}
	var tries []try
	for _, group := range testenv.TwinGroups() {
		tries = append(tries, try{group, 4}, try{group, 6})
	}
	found := make([][]testenv.Silence, len(tries))
	err = inParallel(ctx, o, len(tries), func(i int) (string, func(*testenv.Console)) {
		return fmt.Sprintf("twins: %s (IPv%d)", tries[i].group, tries[i].version), func(c *testenv.Console) {
			found[i] = testenv.RunTwins(c, tries[i].group, tries[i].version)
		}
	})
	for i, silences := range found {
		for _, s := range silences {
			all = append(all, twin{s, tries[i].version})
		}
	}
	return all, err
}

// inParallel runs n jobs, each with a console of its own. An error names
// the jobs that could not be run at all.
func inParallel(ctx context.Context, o options, n int, job func(i int) (string, func(*testenv.Console))) error {
	var running sync.WaitGroup
	var mu sync.Mutex
	failed := []string{}
	slots := make(chan struct{}, o.jobs)
	for i := range n {
		name, do := job(i)
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			c := testenv.NewConsole(ctx, name, o.log)
			if !c.Run(func() { do(c) }) {
				mu.Lock()
				defer mu.Unlock()
				failed = append(failed, name)
			}
		})
	}
	running.Wait()
	if len(failed) > 0 {
		return fmt.Errorf("run %q: see above", failed)
	}
	return ctx.Err()
}
