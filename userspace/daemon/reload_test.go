// SPDX-License-Identifier: MIT

package daemon

import (
	"errors"
	"os"
	"strings"
	"testing"

	"denmap/userspace/config"
	"denmap/userspace/daemon/control"
	"denmap/userspace/event"
)

func TestReload(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.configure(func(c *config.Config) {
		c.Interfaces = []config.Interface{{Name: "eth1"}}
		c.Detect.BanScore = 5
		c.Mode = config.Monitor
	})
	w.reload()
	if got := w.kernel.names(); got != "eth1" {
		t.Errorf("attached %q, want eth1", got)
	}
	w.kernel.with(func() {
		if w.kernel.settings.Detect.BanScore != 5 {
			t.Errorf("settings %+v", w.kernel.settings)
		}
	})
	w.says("eth0 is no longer protected: no longer configured")
	w.says("protecting eth1 (native XDP), monitor mode")
	if got := w.service.all(); !strings.Contains(got, "reloading") || !strings.HasSuffix(strings.ReplaceAll(got, "\nalive", ""), "ready: protecting eth1") {
		t.Errorf("the supervisor was told %q", got)
	}
	w.configure(func(c *config.Config) { c.Mode = config.Enforce })
	w.reload()
	w.logged(event.Attached, func(e event.Event) bool { return e.Reason == "configuration changed" })
}

func TestBadReload(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.mu.Lock()
	w.config.Interfaces, w.badly = nil, errors.New("denmap.yaml:3: ban_skore: unknown key")
	w.mu.Unlock()
	w.reload()
	w.says("reload: denmap.yaml:3: ban_skore: unknown key; the old configuration stays in force")
	if got := w.kernel.names(); got != "eth0" {
		t.Errorf("attached %q, want eth0 still", got)
	}
}

// TestPartlyBadReload puts in force what can be.
func TestPartlyBadReload(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.kernel.with(func() { w.kernel.badConfig = errors.New("verifier said no") })
	before := w.config.StateDir
	w.configure(func(c *config.Config) {
		c.StateDir = "/elsewhere"
		c.Detect.AlertScore = 1
		c.Interfaces = append(c.Interfaces, config.Interface{Name: "eth1"})
	})
	w.reload()
	w.says(`state_dir stays "` + before + `": another one needs a restart`)
	w.says("verifier said no; detect and ban stay as they were")
	if got := w.kernel.names(); got != "eth0 eth1" {
		t.Errorf("attached %q, want both", got)
	}
	// The next reload tries again.
	w.kernel.with(func() { w.kernel.badConfig = nil })
	w.reload()
	w.kernel.with(func() {
		if w.kernel.settings.Detect.AlertScore != 1 {
			t.Errorf("settings %+v", w.kernel.settings)
		}
	})
}

// TestReopen moves the log away as logrotate does.
func TestReopen(t *testing.T) {
	w := newWorld(t, "eth0")
	l := &fakeLocator{}
	w.opts.Locate = func(config.Config) (Locator, error) { return l, nil }
	w.run()
	w.logged(event.Attached, nil)
	if err := os.Rename(w.config.Log.Path, w.config.Log.Path+".old"); err != nil {
		t.Fatal(err)
	}
	w.reload()
	w.detect("198.51.100.1/32", event.VerdictBan)
	w.logged(event.SourceBanned, nil)
	w.says("key file is gone")
	if l.reloaded != 1 || l.closed {
		t.Errorf("locator reloaded %d times, closed %v", l.reloaded, l.closed)
	}
}

// TestNewOutputs replaces what the configuration says differently.
func TestNewOutputs(t *testing.T) {
	w := newWorld(t, "eth0")
	var locators []*fakeLocator
	var notifiers []*fakeNotifier
	w.opts.Locate = func(c config.Config) (Locator, error) {
		locators = append(locators, &fakeLocator{})
		return locators[len(locators)-1], nil
	}
	w.opts.Notify = func(c config.Config) (Notifier, error) {
		for _, n := range notifiers {
			n.mu.Lock()
			if n.ended == 0 {
				t.Error("two notifiers at the same time")
			}
			n.mu.Unlock()
		}
		notifiers = append(notifiers, &fakeNotifier{})
		return notifiers[len(notifiers)-1], nil
	}
	w.run()
	w.configure(func(c *config.Config) {
		c.Geo.Databases = []string{"/new.mmdb"}
		c.Notify.URLs = []string{"ntfy://example/topic"}
	})
	w.reload()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if len(locators) != 2 || !locators[0].closed || !locators[1].closed {
		t.Errorf("%d locators", len(locators))
	}
	if len(notifiers) != 2 || notifiers[1].ended != 1 {
		t.Errorf("%d notifiers", len(notifiers))
	}
}

func TestReloadToNothing(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.configure(func(c *config.Config) { c.Interfaces = nil })
	w.reload()
	w.says("warning: reload: no interface is configured: nothing is protected")
	if got := w.kernel.names(); got != "" {
		t.Errorf("attached %q", got)
	}
}

// TestReloadRequest answers when the configuration is in force, or why not.
func TestReloadRequest(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	ask := func() string {
		t.Helper()
		resp, err := control.Call(t.Context(), w.opts.Control, control.Request{Command: CommandReload})
		if err != nil {
			t.Fatal(err)
		}
		return resp.Error
	}
	w.configure(func(c *config.Config) { c.Detect.BanScore = 5 })
	if text := ask(); text != "" {
		t.Errorf("a good configuration: %q", text)
	}
	w.kernel.with(func() {
		if w.kernel.settings.Detect.BanScore != 5 {
			t.Errorf("settings %+v", w.kernel.settings)
		}
		w.kernel.badConfig = errors.New("verifier said no")
	})
	w.configure(func(c *config.Config) { c.Detect.BanScore = 6 })
	if text := ask(); text != "verifier said no" {
		t.Errorf("a configuration that the kernel refuses: %q", text)
	}
	w.mu.Lock()
	w.badly = errors.New("denmap.yaml:3: unknown key")
	w.mu.Unlock()
	if text := ask(); text != "denmap.yaml:3: unknown key" {
		t.Errorf("a bad configuration: %q", text)
	}
}
