// SPDX-License-Identifier: MIT

package daemon

import (
	"errors"
	"strings"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/netstate"
)

func TestChoice(t *testing.T) {
	tests := []struct {
		name    string
		entries []config.Interface
		mode    config.Mode
		want    string
		says    string
	}{
		{"name", []config.Interface{{Name: "eth1"}}, config.Enforce, "eth1", "protecting eth1 (native XDP)"},
		{"glob", []config.Interface{{Name: "eth*"}}, config.Enforce, "eth0 eth1", "protecting eth1 (native XDP)"},
		{"everything", []config.Interface{{Name: "*"}}, config.Enforce, "eth0 eth1", "protecting eth0"},
		{"generic", []config.Interface{{Name: "eth0", XDP: config.XDPGeneric}}, config.Enforce, "eth0", "protecting eth0 (generic XDP)"},
		{"monitor", []config.Interface{{Name: "eth0"}}, config.Monitor, "eth0", "protecting eth0 (native XDP), monitor mode: detects and reports, bans nobody"},
		{"monitor one", []config.Interface{{Name: "eth0", Mode: config.Monitor}, {Name: "eth1"}}, config.Enforce, "eth0 eth1", "protecting eth0 (native XDP), monitor mode"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.opts.Config.Interfaces, w.opts.Config.Mode = test.entries, test.mode
			w.run()
			if got := w.kernel.names(); got != test.want {
				t.Errorf("attached %q, want %q", got, test.want)
			}
			w.says(test.says)
		})
	}
}

func TestDescribe(t *testing.T) {
	got := describe(Interface{Name: "eth0", Fallback: "operation not supported"})
	if want := "eth0 (generic XDP; native is refused: operation not supported)"; got != want {
		t.Errorf("describe = %q, want %q", got, want)
	}
}

// TestAbsent waits for an interface of the configuration and for one that
// a pattern names.
func TestAbsent(t *testing.T) {
	w := newWorld(t, "eth9", "wl*")
	w.run()
	w.says(`waiting for "eth9": no such interface yet`)
	w.says(`waiting for "wl*"`)
	for range 3 {
		w.clock.advance(time.Second)
	}
	w.host.plug("eth9")
	w.says("protecting eth9")
	w.host.plug("wlan0")
	w.says("protecting wlan0")
	if n := w.count("waiting for"); n != 2 {
		t.Errorf("waiting was said %d times, want once for each", n)
	}
	w.host.unplug("wlan0")
	w.says("wlan0 is gone")
	w.until("end of the pattern's interface in the kernel", func() bool { return attachedNames(w.kernel) == "eth9" })
	w.host.unplug("eth9")
	w.says("eth9 is gone; it is protected again")
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if n := w.count("waiting for"); n != 2 {
		t.Errorf("waiting was said %d times, want once for each entry:\n%s", n, w.saying())
	}
}

// TestReplaced deletes an interface and makes it again.
func TestReplaced(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.host.unplug("eth0")
	w.says("eth0 is gone; it is protected again when it comes back")
	w.logged(event.Detached, func(e event.Event) bool { return e.Interface == "eth0" && e.Reason == "link is gone" })
	if got := attachedNames(w.kernel); got != "eth0" {
		t.Errorf("the kernel lists %q, want the missing eth0", got)
	}
	w.host.plug("eth0")
	w.until("second protection", func() bool { return w.count("protecting eth0") == 2 })
	w.until("second event", func() bool { return strings.Count(w.rawLog(), `"attached"`) == 2 })
	if got := attachedNames(w.kernel); got != "eth0" {
		t.Errorf("the kernel lists %q, want one eth0", got)
	}
}

// TestRenamed protects an interface under every name it has, until another
// one takes over the configured name.
func TestRenamed(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.host.rename("eth0", "wan0")
	w.logged(event.Attached, func(e event.Event) bool { return e.Interface == "wan0" && e.Reason == `renamed from "eth0"` })
	w.host.rename("wan0", "eth0")
	w.logged(event.Attached, func(e event.Event) bool { return e.Interface == "eth0" && e.Reason == `renamed from "wan0"` })
	w.host.rename("eth0", "wan0")
	w.until("second name again", func() bool { return w.kernel.names() == "wan0" })
	w.host.plug("eth0")
	w.until("protection of the new one", func() bool { return w.kernel.names() == "eth0" })
}

func TestGoneNoise(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	// Deleted between the look at the host and the attempt: nothing is said
	// but what the next look finds.
	w.kernel.with(func() { w.kernel.refuse["eth0"] = ErrNoInterface })
	w.clock.advance(time.Second)
	w.host.unplug("eth0")
	w.says("eth0 is gone")
	if w.count("NOT protected") != 0 {
		t.Errorf("said:\n%s", w.saying())
	}
}

// TestTakenOff has the program removed behind the daemon's back, and then
// another one put in its place.
func TestTakenOff(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.kernel.with(func() { clear(w.kernel.attached) })
	w.ticking("new protection", func() bool { return w.count("the program had been taken off") == 1 })

	w.kernel.with(func() { w.kernel.refuse["eth0"] = errors.New(`another XDP program is attached: "other", id 7`) })
	w.ticking("warning", func() bool { return w.count("warning: eth0 is NOT protected: another XDP program") == 1 })
	w.logged(event.Detached, func(e event.Event) bool { return strings.Contains(e.Reason, "another XDP program") })
	before := w.kernel.tries()
	w.ticking("more tries", func() bool { return w.kernel.tries() > before+5 })
	if n := w.count("NOT protected"); n != 1 {
		t.Errorf("the warning was said %d times", n)
	}
	w.kernel.with(func() { clear(w.kernel.refuse) })
	w.ticking("protection again", func() bool { return w.count("protecting eth0") == 3 })
}

// TestUpdateRefused keeps an interface that stays protected as it was.
func TestUpdateRefused(t *testing.T) {
	h := newFakeHost("eth0")
	k := newFakeKernel(h, newFakeClock())
	i, err := k.Attach("eth0", AttachOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	g := newGuard(k, config.Default(), newTeller(func(s string) { said = append(said, s) }), func(event.Event) {})
	g.lose(i.Index, "eth0", errors.New("no memory"))
	if len(said) != 1 || !strings.Contains(said[0], "stays protected") || g.held[i.Index] == nil {
		t.Errorf("said %q, holds %v", said, g.held)
	}
}

// TestGlobMember goes on without a member of a pattern that cannot be
// protected.
func TestGlobMember(t *testing.T) {
	w := newWorld(t, "eth*")
	w.kernel.refuse["eth0"] = errors.New("link type is not supported")
	w.run()
	w.says("warning: eth0 is NOT protected: link type is not supported")
	if got := w.kernel.names(); got != "eth1" {
		t.Errorf("attached %q, want eth1", got)
	}
}

// TestMAC attaches again when an interface changes, without a word.
func TestMAC(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	before := w.kernel.tries()
	w.host.change(func(s *netstate.Snapshot) { s.Interfaces[1].MAC = []byte{2, 0, 0, 0, 0, 1} })
	w.until("refresh", func() bool { return w.kernel.tries() > before })
	if n := w.count("protecting"); n != 1 {
		t.Errorf("said:\n%s", w.saying())
	}
}

func TestMonitors(t *testing.T) {
	w := newWorld(t, "eth0")
	w.opts.Config.Mode = config.Monitor
	w.run()
	w.detect("198.51.100.1/32", event.VerdictWouldBan)
	e := w.logged(event.SourceBanned, nil)
	if e.Scan.Enforced {
		t.Error("enforced in monitor mode")
	}
}
