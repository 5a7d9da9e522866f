// SPDX-License-Identifier: MIT

// Benchwire measures DenMap on a link: how many packets of a banned source a
// core drops, beside other filters, what a host's TCP connections lose, and what
// the daemon itself takes. The link is a veth pair between two namespaces of the lab. Every round
// measures each filter once, in turn. Run as root, on at least two CPUs.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"denmap/testenv"
	"denmap/testenv/measure"
)

type options struct {
	rounds   int
	duration time.Duration // of each measurement
	output   string        // JSON file to write, "" for none
	only     string        // "drops", "traffic", "daemon", "latency" or "" for all
	strict   bool          // a missed target is an error
}

func main() {
	testenv.Reexec()
	var o options
	flag.IntVar(&o.rounds, "rounds", 9, "interleaved `rounds` to measure")
	flag.DurationVar(&o.duration, "duration", time.Second, "how long each measurement takes")
	flag.StringVar(&o.output, "json", "", "also write the rows to this `file`")
	flag.StringVar(&o.only, "only", "", "measure only `drops`, traffic, daemon or latency")
	flag.BoolVar(&o.strict, "strict", false, "fail if a target is missed")
	flag.Parse()
	switch {
	case flag.NArg() > 0 || o.rounds < 1 || o.duration < 100*time.Millisecond || !slices.Contains([]string{"", "drops", "traffic", "daemon", "latency"}, o.only):
		fmt.Fprintln(os.Stderr, "benchwire: error: expected no arguments, at least 1 round, at least 100ms, and drops, traffic, daemon or latency")
		os.Exit(2)
	case runtime.NumCPU() < 2:
		fmt.Fprintln(os.Stderr, "benchwire: error: sender and receiver need a CPU each, this machine has one")
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	c := testenv.NewConsole(ctx, "benchwire", os.Stderr)
	ok := c.Run(func() {
		if err := run(c, o); err != nil {
			c.Fatalf("%v", err)
		}
	})
	stop()
	if !ok {
		os.Exit(1)
	}
}

func run(c *testenv.Console, o options) error {
	now := newReport(o)
	var err error
	if o.only == "" || o.only == "drops" {
		if now.Drops, err = measureDrops(c, o); err != nil {
			return err
		}
	}
	if o.only == "" || o.only == "traffic" {
		if now.Traffic, err = measureTraffic(c, o); err != nil {
			return err
		}
	}
	if o.only == "" || o.only == "daemon" {
		if now.Daemon, err = measureDaemon(c, o); err != nil {
			return err
		}
	}
	if o.only == "" || o.only == "latency" {
		if now.Latency, err = measureLatency(c, o); err != nil {
			return err
		}
	}
	now.print(os.Stdout)
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
