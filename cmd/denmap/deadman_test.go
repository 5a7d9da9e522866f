// SPDX-License-Identifier: MIT

package main

import (
	"testing"
	"time"
)

// TestDeadMan: whoever asks is told that a silent daemon lets all pass.
func TestDeadMan(t *testing.T) {
	a := newAttached(t)
	a.expect("bans add 203.0.113.9", said("banned 203.0.113.9 for 10m"))
	if err := a.kernel.Heartbeat(time.Minute); err != nil {
		t.Fatal(err)
	}
	a.contains("check 203.0.113.9", 0, "203.0.113.9 is dropped: banned")
	if err := a.kernel.Heartbeat(time.Nanosecond); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for silent := false; !silent; time.Sleep(time.Millisecond) {
		var err error
		if silent, err = a.kernel.Silent(); err != nil || time.Now().After(deadline) {
			t.Fatalf("the switch does not let go: %v", err)
		}
	}
	a.contains("check 203.0.113.9", 0, "203.0.113.9 passes: the daemon is silent", "also: banned")
	a.contains("status", 0, "dead man: the daemon is silent, every packet passes\n")
	a.contains("health", 2, "CRITICAL", "the daemon is silent for longer than dead_man allows: every packet passes")
	if err := a.kernel.Heartbeat(0); err != nil {
		t.Fatal(err)
	}
	a.contains("check 203.0.113.9", 0, "203.0.113.9 is dropped: banned")
}
