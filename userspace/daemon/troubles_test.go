// SPDX-License-Identifier: MIT

package daemon

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/daemon/control"
)

// troubles asks the daemon what is wrong.
func (w *world) troubles() map[string]Trouble {
	w.t.Helper()
	r, err := control.Call(w.t.Context(), w.opts.Control, control.Request{Command: CommandTroubles})
	if err != nil || r.Error != "" {
		w.t.Fatalf("ask for troubles: %+v, %v", r, err)
	}
	var list []Trouble
	if err := json.Unmarshal([]byte(r.Message), &list); err != nil {
		w.t.Fatalf("troubles %q: %v", r.Message, err)
	}
	found := make(map[string]Trouble)
	for _, t := range list {
		found[t.Matter] = t
	}
	return found
}

// TestTroubles asks a daemon about a list and a configuration that are
// refused, and after both are mended.
func TestTroubles(t *testing.T) {
	w := newWorld(t, "eth0")
	var refuse error
	load := w.opts.Load
	w.opts.Load = func() (config.Config, error) {
		if refuse != nil {
			return config.Config{}, refuse
		}
		return load()
	}
	w.run()
	if got := w.troubles(); len(got) != 0 {
		t.Fatalf("troubles of a daemon that is well: %+v", got)
	}
	w.write(w.config.Lists.Deny, "192.0.2.1/24\n")
	w.until("trouble with the list", func() bool {
		return strings.Contains(w.troubles()["deny list"].Text, filepath.Base(w.config.Lists.Deny))
	})
	refuse = errors.New("denmap.yaml:3: unknown key")
	w.reload()
	if got := w.troubles()["configuration"]; !strings.Contains(got.Text, "denmap.yaml:3") || got.Since.IsZero() {
		t.Errorf("trouble with the configuration: %+v", got)
	}
	refuse = nil
	w.reload()
	w.write(w.config.Lists.Deny, "192.0.2.1\n")
	w.until("end of the troubles", func() bool { return len(w.troubles()) == 0 })
}

// TestTroublesOfLog asks while the log cannot be written.
func TestTroublesOfLog(t *testing.T) {
	w := newWorld(t, "eth0")
	var unlogged atomic.Int64
	w.opts.Unlogged = func() { unlogged.Add(1) }
	w.run()
	dir := filepath.Dir(w.config.Log.Path)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	w.write(dir, "") // a file where the directory was
	w.host.plug("eth1")
	w.configure(func(c *config.Config) { c.Interfaces = append(c.Interfaces, config.Interface{Name: "eth1"}) })
	w.reload()
	w.until("trouble with the log", func() bool {
		got := w.troubles()["event log"]
		return got.Lost > 0 && !got.Since.IsZero() && got.Text != ""
	})
	if unlogged.Load() == 0 {
		t.Error("nobody was told that an event is in no log")
	}
}

// TestTendsTheKernel: every second, whatever the last time said.
func TestTendsTheKernel(t *testing.T) {
	w := newWorld(t, "eth0")
	w.kernel.badTend = errors.New("no such program")
	w.run()
	w.ticking("trouble with probes", func() bool { return strings.Contains(w.troubles()["probes"].Text, "no such program") })
	tended := 0
	w.kernel.with(func() { w.kernel.badTend, tended = nil, w.kernel.tended })
	w.ticking("end of the trouble", func() bool { return len(w.troubles()) == 0 })
	w.kernel.with(func() {
		if w.kernel.tended <= tended {
			t.Error("not tended again")
		}
	})
}

func TestLogHealth(t *testing.T) {
	var h logHealth
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	h.note(errors.New("no space"), now)
	h.note(errors.New("no space"), now.Add(time.Minute))
	if got, ok := h.trouble(); !ok || got.Lost != 2 || !got.Since.Equal(now) {
		t.Errorf("trouble %+v, %v", got, ok)
	}
	h.note(nil, now)
	if got, ok := h.trouble(); ok {
		t.Errorf("trouble %+v of a log that is written again", got)
	}
}
