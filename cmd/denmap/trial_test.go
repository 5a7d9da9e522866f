// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// TestInterruptedTrial: Ctrl-C takes the change back at once.
func TestInterruptedTrial(t *testing.T) {
	c := newConsole(t)
	c.write("deny.list", "# mine\n203.0.113.1\n")
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	env := *c.env
	var stdout, stderr bytes.Buffer
	env.Stdout, env.Stderr = &stdout, &stderr
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, &env, strings.Fields("lists add deny 203.0.113.7 --confirm 10m")) }()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(c.read("deny.list"), "203.0.113.7"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the change is not made")
		}
	}
	interrupt()
	select {
	case code := <-ended:
		if code != exitFailed || !strings.Contains(stderr.String(), "denmap: error: interrupted: the change is taken back\n") {
			t.Errorf("exit code %d, %s", code, &stderr)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the command goes on waiting")
	}
	if list := c.read("deny.list"); list != "# mine\n203.0.113.1\n" {
		t.Errorf("the list is %q", list)
	}
	c.expect("lists add deny 203.0.113.8", said("deny list: 1 added, 0 updated, 0 removed; 2 entries", "not attached: in force from the next attach on"))
}
