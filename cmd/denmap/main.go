// SPDX-License-Identifier: MIT

// Denmap protects a Linux host from port scans: it loads an XDP program
// that recognises probes and bans their sources in the kernel, and reads
// and edits what that program knows. This package only wires the command
// line to the packages that do the work.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() { os.Exit(run(signals(), hostEnvironment(), os.Args[1:])) }

// impatience is how long after the first signal a second one counts:
// timeout(1) sends its signal to the process and then to its group.
const impatience = time.Second

// signals returns a context that ends with the first SIGINT or SIGTERM; a
// second one, later, ends the process at once.
func signals() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() { time.AfterFunc(impatience, stop) })
	return ctx
}
