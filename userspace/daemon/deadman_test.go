// SPDX-License-Identifier: MIT

package daemon

import (
	"slices"
	"testing"
	"time"

	"denmap/userspace/config"
)

// TestDeadMan: the kernel is told every second that the daemon lives, and a
// reload turns that off at once.
func TestDeadMan(t *testing.T) {
	w := newWorld(t, "eth0")
	w.opts.Config.DeadMan = 30 * time.Second
	w.configure(func(c *config.Config) { c.DeadMan = 30 * time.Second })
	w.run()
	beats := func() (out []time.Duration) {
		w.kernel.with(func() { out = slices.Clone(w.kernel.beats) })
		return out
	}
	w.ticking("third heartbeat", func() bool { return len(beats()) >= 3 })
	for _, silence := range beats() {
		if silence != 30*time.Second {
			t.Fatalf("silence of %v allowed, want 30s", silence)
		}
	}
	w.configure(func(c *config.Config) { c.DeadMan = 0 })
	w.reload()
	told := beats()
	if last := told[len(told)-1]; last != 0 {
		t.Errorf("after the reload %v, want none", last)
	}
	w.clock.advance(time.Second)
	w.clock.advance(time.Second)
	w.reload() // the main loop has seen the ticks before this
	if more := beats()[len(told):]; !slices.Equal(more, []time.Duration{0}) {
		t.Errorf("heartbeats %v without a dead man's switch, want that of the reload alone", more)
	}
}

// TestNoDeadMan: a daemon without one ends that of an earlier daemon.
func TestNoDeadMan(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.kernel.with(func() {
		if !slices.Equal(w.kernel.beats, []time.Duration{0}) {
			t.Errorf("heartbeats %v at the start, want [0]", w.kernel.beats)
		}
	})
}
