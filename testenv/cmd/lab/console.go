// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
)

// console is the testenv.T of a program without tests: it writes to a log
// and runs the cleanups itself.
type console struct {
	ctx context.Context
	log io.Writer

	mu       sync.Mutex
	cleanups []func()
	failed   bool
}

// run calls f, then the cleanups, last one first, and returns the exit
// code.
func (c *console) run(f func()) int {
	done := make(chan struct{})
	go func() { // a goroutine of its own, so that Fatalf can end it
		defer close(done)
		f()
	}()
	<-done
	for len(c.cleanups) > 0 {
		last := c.cleanups[len(c.cleanups)-1]
		c.cleanups = c.cleanups[:len(c.cleanups)-1]
		last()
	}
	if c.Failed() {
		return 1
	}
	return 0
}

func (c *console) Helper()                           {}
func (c *console) Name() string                      { return "lab" }
func (c *console) Context() context.Context          { return c.ctx }
func (c *console) Logf(format string, args ...any)   { fmt.Fprintf(c.log, "lab: "+format+"\n", args...) }
func (c *console) Skipf(format string, args ...any)  { c.Fatalf(format, args...) }
func (c *console) Fatalf(format string, args ...any) { c.Errorf(format, args...); runtime.Goexit() }

func (c *console) Errorf(format string, args ...any) {
	c.Logf(format, args...)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed = true
}

func (c *console) Failed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failed
}

func (c *console) Cleanup(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cleanups = append(c.cleanups, f)
}
