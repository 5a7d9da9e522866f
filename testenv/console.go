// SPDX-License-Identifier: MIT

package testenv

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// Console is the T of a program without tests: it writes to a log and runs
// the cleanups itself. Its methods may be called from several goroutines.
type Console struct {
	name string
	ctx  context.Context
	log  io.Writer

	mu       sync.Mutex
	cleanups []func()
	failed   bool
}

// NewConsole returns a Console of that name, whose commands end with ctx.
func NewConsole(ctx context.Context, name string, log io.Writer) *Console {
	return &Console{name: name, ctx: ctx, log: log}
}

// Run calls f, then the cleanups, last one first. It reports whether
// nothing failed.
func (c *Console) Run(f func()) bool {
	done := make(chan struct{})
	go func() { // a goroutine of its own, so that Fatalf can end it
		defer close(done)
		f()
	}()
	<-done
	for cleanup := c.pop(); cleanup != nil; cleanup = c.pop() {
		cleanup()
	}
	return !c.Failed()
}

func (c *Console) pop() (last func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.cleanups); n > 0 {
		last = c.cleanups[n-1]
		c.cleanups = c.cleanups[:n-1]
	}
	return last
}

// Helper does nothing: a Console names no lines.
func (c *Console) Helper() {}

// Name returns the name that the log lines begin with.
func (c *Console) Name() string { return c.name }

// Context returns the context of NewConsole.
func (c *Console) Context() context.Context { return c.ctx }

// Logf writes a line.
func (c *Console) Logf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.log, c.name+": "+format+"\n", args...) // where else to complain
}

// Skipf is Fatalf: a program that was asked for a thing does not skip it.
func (c *Console) Skipf(format string, args ...any) { c.Fatalf(format, args...) }

// Fatalf writes a line, notes the failure and ends the goroutine.
func (c *Console) Fatalf(format string, args ...any) { c.Errorf(format, args...); runtime.Goexit() }

// Errorf writes a line and notes the failure.
func (c *Console) Errorf(format string, args ...any) {
	c.Logf(format, args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true
}

// Failed reports whether Errorf or Fatalf was called.
func (c *Console) Failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

// Cleanup has f called when Run ends.
func (c *Console) Cleanup(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cleanups = append(c.cleanups, f)
}
