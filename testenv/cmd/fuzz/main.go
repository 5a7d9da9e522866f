// SPDX-License-Identifier: MIT

// Command fuzz runs every fuzz target of the tree and says how often each
// was executed:
//
//	go run ./testenv/cmd/fuzz [-execs N | -time D] [-run REGEXP] [-keep N]
//
// A crash ends it with exit code 1; its input is in testdata/fuzz of the
// package by then, where the ordinary tests run it. FuzzProgram needs root.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"time"
)

type options struct {
	execs int           // executions of each target
	limit time.Duration // instead of execs, if it is not 0
	run   *regexp.Regexp
	keep  int // inputs a target that go into the tree; 0: none do
}

func main() {
	o := options{}
	flag.IntVar(&o.execs, "execs", 1_000_000, "run each target so often")
	flag.DurationVar(&o.limit, "time", 0, "run each target so long instead")
	flag.IntVar(&o.keep, "keep", 0, "copy up to N of the found inputs that reach most code into testdata/fuzz")
	run := flag.String("run", ".", "only targets that match, such as userspace/config.FuzzLoad")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if o.run, err = regexp.Compile(*run); err == nil {
		err = o.all(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

// all runs the targets one after the other, the next one after a crash too.
func (o options) all(ctx context.Context, out io.Writer) error {
	targets, err := findTargets(".")
	if err != nil {
		return err
	}
	var failed []error
	for _, t := range targets {
		if !o.run.MatchString(t.String()) || ctx.Err() != nil {
			continue
		}
		began := time.Now()
		execs, err := o.fuzz(ctx, t, out)
		fmt.Fprintf(out, "%-44s %9d executions  %5.0f s  ", t, execs, time.Since(began).Seconds())
		if err != nil {
			fmt.Fprintln(out, "CRASH")
			failed = append(failed, fmt.Errorf("%s: %w", t, err))
			continue
		}
		fmt.Fprintln(out, "no crash")
		if o.keep > 0 {
			if err := keepInputs(ctx, t, o.keep, out); err != nil {
				failed = append(failed, fmt.Errorf("keep inputs of %s: %w", t, err))
			}
		}
	}
	return errors.Join(append(failed, ctx.Err())...)
}

var progress = regexp.MustCompile(`^fuzz: elapsed: .*, execs: (\d+)`)

// fuzz runs one target and returns how often it was executed.
func (o options) fuzz(ctx context.Context, t target, out io.Writer) (execs int, err error) {
	amount := strconv.Itoa(o.execs) + "x"
	if o.limit > 0 {
		amount = o.limit.String()
	}
	// Left alone, Go spends up to a minute on making one found input smaller,
	// and counts none of it.
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", amount,
		"-fuzzminimizetime", "100x", "./"+t.dir)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	lines, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	scanner := bufio.NewScanner(lines)
	scanner.Buffer(nil, 16<<20)
	var said strings.Builder
	for scanner.Scan() {
		if m := progress.FindStringSubmatch(scanner.Text()); m != nil {
			execs, _ = strconv.Atoi(m[1]) // digits, by the expression
			continue
		}
		fmt.Fprintln(&said, scanner.Text())
	}
	if err = errors.Join(scanner.Err(), cmd.Wait()); err != nil {
		fmt.Fprint(out, said.String())
	}
	return execs, err
}
