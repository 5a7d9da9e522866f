// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/pending"
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

// TestWaitingIsTold: status, health and the page know of a change that
// waits, and the page edits nothing else of it.
func TestWaitingIsTold(t *testing.T) {
	a := newAttached(t)
	cfg := config.Default()
	cfg.StateDir = a.path("state")
	journal := pending.In(cfg.StateDir, nil)
	change := pending.Change{What: "deny", Text: "additions to the deny list", Path: a.path("deny.list")}
	change, err := journal.Begin(t.Context(), change, nil, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	p := &page{cfg: cfg}
	for what, want := range map[string]bool{"deny": true, "allow": false, "config": false} {
		if err := p.waiting(what); errors.Is(err, pending.ErrWaiting) != want {
			t.Errorf("page edits %s: %v", what, err)
		}
	}
	const told = "additions to the deny list: taken back in "
	for _, line := range []string{"status", "health"} {
		if got := a.run(line); !strings.Contains(got.stdout, told) || !strings.Contains(got.stdout, "unless denmap confirm is run") {
			t.Errorf("%s: %+v", line, got)
		}
		if got := a.run(line, "--json"); !strings.Contains(got.stdout, `"unconfirmed": {`) {
			t.Errorf("%s --json: %+v", line, got)
		}
	}
	if _, err := journal.Confirm(t.Context(), change.ID); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"status", "health"} {
		if got := a.run(line); strings.Contains(got.stdout, told) {
			t.Errorf("%s after the confirmation: %+v", line, got)
		}
	}
	if err := p.waiting("deny"); err != nil {
		t.Errorf("page after the confirmation: %v", err)
	}
}
