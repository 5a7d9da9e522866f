// SPDX-License-Identifier: MIT

// Command lab builds the test lab, protects the victim with denmap and
// runs a scan or a shell in it, for debugging by hand:
//
//	go run ./testenv/cmd/lab run nmap-sS
//	go run ./testenv/cmd/lab shell victim
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"denmap/testenv"
)

const usage = `usage: lab [-no-denmap] [-no-offload] [-config FILE] COMMAND
  run SCAN [ARG...]   run a scan from the attacker; tell what got through and was logged
  exec HOST CMD...    run a command on a host
  picture FILE.svg    scan without and with denmap, and draw both terminals
  shell [HOST]        open a shell on a host (victim, attacker, client)
scans: `

func main() {
	testenv.Reexec()
	opts, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n%s%s\n", err, usage, strings.Join(scanNames(), " "))
		os.Exit(2)
	}
	signals := []os.Signal{syscall.SIGTERM, os.Interrupt}
	if opts.command == "shell" {
		// Ctrl-C belongs to what runs in the shell.
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
		signals = signals[:1]
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	c := testenv.NewConsole(ctx, "lab", os.Stderr)
	ok := c.Run(func() { opts.act(c) })
	stop()
	if !ok {
		os.Exit(1)
	}
}

// options is the parsed command line.
type options struct {
	plain     bool // without denmap
	noOffload bool
	config    string // content of the configuration file
	command   string
	args      []string
}

func parse(args []string) (opts options, err error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch args[0] {
		case "-no-denmap":
			opts.plain = true
		case "-no-offload":
			opts.noOffload = true
		case "-config":
			if len(args) < 2 {
				return opts, fmt.Errorf("-config needs a file")
			}
			content, err := os.ReadFile(args[1])
			if err != nil {
				return opts, err
			}
			opts.config, args = string(content), args[1:]
		default:
			return opts, fmt.Errorf("unknown option %q", args[0])
		}
		args = args[1:]
	}
	if len(args) == 0 {
		return opts, fmt.Errorf("no command")
	}
	opts.command, opts.args = args[0], args[1:]
	switch {
	case opts.command == "run" && len(opts.args) > 0 && slices.Contains(scanNames(), opts.args[0]):
	case opts.command == "exec" && len(opts.args) > 1:
	case opts.command == "picture" && len(opts.args) == 1:
	case opts.command == "shell" && len(opts.args) <= 1:
	default:
		return opts, fmt.Errorf("unknown command %q", strings.Join(args, " "))
	}
	return opts, nil
}

// act builds the lab and does what was asked for.
func (o options) act(c *testenv.Console) {
	lab := testenv.New(c, testenv.Options{NoOffload: o.noOffload})
	victim := lab.Host("victim")
	victim.ServeHTTP(22, 80, 443)
	if o.config != "" {
		victim.Configure(o.config)
	}
	if o.command == "picture" {
		if err := picture(lab, o.args[0]); err != nil {
			c.Fatalf("draw picture: %v", err)
		}
		return
	}
	var daemon *testenv.Daemon
	if !o.plain {
		daemon = victim.Attach()
	}
	switch o.command {
	case "run":
		runScan(lab, scans[o.args[0]], o.args[1:], os.Stdout)
	case "exec":
		r := lab.Host(o.args[0]).Command(c.Context(), o.args[1], o.args[2:]...).Result()
		fmt.Println(r)
	case "shell":
		host := victim
		if len(o.args) > 0 {
			host = lab.Host(o.args[0])
		}
		if err := host.Shell(); err != nil {
			c.Fatalf("open shell: %v", err)
		}
	}
	if daemon != nil {
		report(victim, daemon, os.Stdout)
	}
}

func report(victim *testenv.Host, daemon *testenv.Daemon, w io.Writer) {
	fmt.Fprintf(w, "\ndenmap said:\n%s\ndenmap logged:\n", daemon.Stderr())
	for _, line := range victim.Log() {
		fmt.Fprint(w, line.Raw)
	}
	for _, args := range [][]string{{"bans"}, {"status"}} {
		fmt.Fprintf(w, "\n%v\n", victim.Denmap(args...))
	}
}
