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
)

func main() { os.Exit(run(signals(), hostEnvironment(), os.Args[1:])) }

// signals returns a context that ends with the first SIGINT or SIGTERM; a
// second one ends the process at once.
func signals() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	return ctx
}
