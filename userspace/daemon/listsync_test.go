// SPDX-License-Identifier: MIT

package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

func TestListChanges(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	deny := w.config.Lists.Deny
	change := func(kind string, added, removed, total int) {
		t.Helper()
		w.logged(event.ListChanged, func(e event.Event) bool {
			return e.List.Type == kind && e.List.List == "deny" && e.List.Path == deny &&
				e.List.Added == added && e.List.Removed == removed && e.List.Total == total
		})
	}
	w.write(deny, "192.0.2.1\n192.0.2.2\n")
	change("creation", 2, 0, 2)
	w.write(deny, "# one less\n192.0.2.2\n192.0.2.3\n192.0.2.4\n")
	change("change", 2, 1, 3)

	w.write(deny, "192.0.2.9\n192.0.2.1/24\n")
	w.says("deny list: read list")
	w.says("the last good list stays in force")
	if got := w.kernel.list(lists.Deny); got != "192.0.2.2/32 192.0.2.3/32 192.0.2.4/32" {
		t.Errorf("in force with a bad file: %s", got)
	}
	w.write(deny, "192.0.2.2\n")
	change("change", 0, 2, 1)
	w.says("is good again")
	if err := os.Remove(deny); err != nil {
		t.Fatal(err)
	}
	change("deletion", 0, 1, 0)
}

// TestComments changes nothing that matters: no event.
func TestComments(t *testing.T) {
	w := newWorld(t, "eth0")
	w.write(w.config.Lists.Allow, "192.0.2.1\n")
	w.run()
	w.write(w.config.Lists.Allow, "192.0.2.1 # the office\n")
	w.write(w.config.Lists.Deny, "192.0.2.2\n")
	w.logged(event.ListChanged, func(e event.Event) bool { return e.List.List == "deny" })
	w.until("look at the other file", func() bool {
		w.kernel.mu.Lock()
		defer w.kernel.mu.Unlock()
		n := 0
		for _, call := range w.kernel.calls {
			if call == "list allow 1" {
				n++
			}
		}
		return n == 2
	})
	for _, e := range w.log() {
		if e.Action == event.ListChanged && e.List.List == "allow" {
			t.Errorf("event %+v", e.List)
		}
	}
}

func TestListExpiry(t *testing.T) {
	w := newWorld(t, "eth0")
	w.write(w.config.Lists.Deny, "192.0.2.1 until=2026-01-02T03:05:00Z\n192.0.2.2\n")
	w.run()
	if got := w.kernel.list(lists.Deny); got != "192.0.2.1/32 192.0.2.2/32" {
		t.Fatalf("in force %s", got)
	}
	w.clock.advance(time.Minute)
	e := w.logged(event.ListChanged, nil)
	if e.Reason != "entries expired" || e.List.Removed != 1 || e.List.Total != 1 {
		t.Errorf("event %q %+v", e.Reason, e.List)
	}
	if got := w.kernel.list(lists.Deny); got != "192.0.2.2/32" {
		t.Errorf("in force %s", got)
	}
}

// TestListRefused has the kernel without room for a while.
func TestListRefused(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.kernel.with(func() { w.kernel.badLists = errors.New("no room") })
	w.write(w.config.Lists.Deny, "192.0.2.1\n")
	w.says("deny list: no room; trying again")
	w.kernel.with(func() { w.kernel.badLists = nil })
	w.clock.advance(retryList)
	w.says("deny list: in force again")
	w.logged(event.ListChanged, func(e event.Event) bool { return e.List.Added == 1 })
}

func TestListsMoved(t *testing.T) {
	w := newWorld(t, "eth0")
	w.write(w.config.Lists.Deny, "192.0.2.1\n")
	w.run()
	other := filepath.Join(w.dir, "other.list")
	w.write(other, "192.0.2.2\n")
	w.configure(func(c *config.Config) { c.Lists.Deny = other })
	w.reload()
	w.logged(event.ListChanged, func(e event.Event) bool {
		return e.List.Path == other && e.List.Added == 1 && e.List.Removed == 1 && e.Reason == "configuration changed"
	})
	w.write(other, "192.0.2.3\n")
	w.until("change of the other file", func() bool { return w.kernel.list(lists.Deny) == "192.0.2.3/32" })
}
