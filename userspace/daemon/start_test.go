// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/lists"
	"denmap/userspace/netstate"
)

// TestStart wants the kernel to know everything before an interface is
// attached, and everybody to be told after.
func TestStart(t *testing.T) {
	w := newWorld(t, "eth0")
	w.write(w.config.Lists.Allow, "192.0.2.7\n2001:db8::/32 watch\n")
	w.write(w.config.Lists.Deny, "198.51.100.0/24\n203.0.113.9 until=2026-01-01T00:00:00Z\n")
	w.host.snapshot.Own = []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	w.host.snapshot.Gateways = []netip.Addr{netip.MustParseAddr("192.0.2.254")}
	w.host.snapshot.Resolvers = []netip.Addr{netip.MustParseAddr("192.0.2.53")}
	w.host.snapshot.Sessions = []netip.Addr{netip.MustParseAddr("198.51.100.5"), netip.MustParseAddr("192.0.2.254")}
	saved := event.Ban{Source: netip.MustParsePrefix("203.0.113.1/32"), Grade: event.Manual, Since: w.clock.Now(), Reason: "by hand"}
	if err := w.opts.Bans(w.config.StateDir).Update(t.Context(), func([]event.Ban) []event.Ban { return []event.Ban{saved} }); err != nil {
		t.Fatal(err)
	}
	w.run()

	want := "open, ban 203.0.113.1/32, list allow 2, list deny 1, host, attach eth0"
	w.kernel.with(func() {
		if got := strings.Join(w.kernel.calls[:min(6, len(w.kernel.calls))], ", "); got != want {
			t.Errorf("calls = %s, want %s", got, want)
		}
	})
	var facts Host
	w.kernel.with(func() { facts = w.kernel.facts })
	if len(facts.Own) != 1 || len(facts.Protected) != 4 {
		t.Errorf("host = %+v, want 1 own and 4 protected addresses", facts)
	}
	if !reflect.DeepEqual(w.kernel.settings, settingsOf(w.config)) {
		t.Errorf("settings = %+v", w.kernel.settings)
	}
	w.says("protecting eth0 (native XDP)")
	if e := w.logged(event.Attached, nil); e.Interface != "eth0" || e.Mode != "native" || e.ID == "" {
		t.Errorf("event = %+v", e)
	}
	if got := w.service.all(); got != "ready: protecting eth0" {
		t.Errorf("the supervisor was told %q", got)
	}
	if got := w.savedBans(); len(got) != 1 || got[0].Reason != "by hand" {
		t.Errorf("saved bans = %+v, want the restored one with its reason", got)
	}
	info, err := os.Stat(w.config.StateDir)
	if err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("state directory: %v, %v, want mode 0750", info, err)
	}
}

// TestAdopted takes over what an earlier daemon left: its bans, not those
// of the file, and its interfaces, of which one is no longer wanted.
func TestAdopted(t *testing.T) {
	w := newWorld(t, "eth0")
	old := event.Ban{Source: netip.MustParsePrefix("203.0.113.1/32"), Since: w.clock.Now(), Until: w.clock.Now().Add(time.Hour)}
	file := event.Ban{Source: netip.MustParsePrefix("203.0.113.2/32"), Until: w.clock.Now().Add(time.Hour)}
	if err := w.opts.Bans(w.config.StateDir).Update(t.Context(), func([]event.Ban) []event.Ban { return []event.Ban{file} }); err != nil {
		t.Fatal(err)
	}
	w.kernel.adopted = true
	w.kernel.bans[banKey{old.Source, old.Grade}] = old
	for _, name := range []string{"eth0", "eth1"} {
		if _, err := w.kernel.Attach(name, AttachOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w.run()
	if got := w.kernel.names(); got != "eth0" {
		t.Errorf("attached: %q, want eth0 alone", got)
	}
	w.logged(event.Attached, func(e event.Event) bool { return e.Interface == "eth0" && strings.Contains(e.Reason, "taken over") })
	w.logged(event.Detached, func(e event.Event) bool { return e.Interface == "eth1" && e.Reason == "stopped: no longer configured" })
	if bans, _ := w.kernel.Bans(); len(bans) != 1 || bans[0].Source != old.Source {
		t.Errorf("bans = %+v, want the kernel's own", bans)
	}
}

func TestRefusedStart(t *testing.T) {
	full := func(w *world, dir string) {
		// A file where a directory should be: nobody can write there.
		w.write(dir, "")
	}
	tests := []struct {
		name    string
		arrange func(*world)
		want    []string
		opened  bool
	}{
		{"no interface", func(w *world) { w.opts.Config.Interfaces = nil }, []string{"no interface"}, false},
		{"unknown interface", func(w *world) {
			w.opts.Named = true
			w.opts.Config.Interfaces = []config.Interface{{Name: "eth0"}, {Name: "eth9"}}
		}, []string{`attach to "eth9": no such interface (this host has: eth0`}, false},
		{"no match", func(w *world) {
			w.opts.Named = true
			w.opts.Config.Interfaces = []config.Interface{{Name: "wl*"}}
		}, []string{`"wl*"`, "matches"}, false},
		{"bad list", func(w *world) {
			w.write(w.config.Lists.Deny, "192.0.2.1\n\n\n\n\n\n192.0.2.1/24\n")
		}, []string{"deny.list", "line 7", "192.0.2.1/24"}, false},
		{"blind", func(w *world) {
			w.host.failing = errors.New("no netlink")
			w.host.snapshot.Interfaces = nil
		}, []string{"no netlink"}, false},
		{"kernel", func(w *world) {
			w.opts.Open = func(Settings) (Kernel, error) { return nil, errors.New("another one") }
		}, []string{"another one"}, false},
		{"log", func(w *world) { full(w, filepath.Join(w.dir, "log")) }, []string{"log"}, true},
		{"state", func(w *world) { full(w, w.config.StateDir) }, []string{"state"}, true},
		{"list too big for the kernel", func(w *world) { w.kernel.badLists = errors.New("no room") }, []string{"no room"}, true},
		{"second interface", func(w *world) {
			w.opts.Config.Interfaces = []config.Interface{{Name: "eth0"}, {Name: "eth1"}}
			w.kernel.refuse["eth1"] = errors.New("another XDP program")
		}, []string{"another XDP program"}, true},
	}
	for _, adopted := range []bool{false, true} {
		for _, test := range tests {
			name := test.name
			if adopted {
				name += ", adopted"
			}
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, "eth0")
				w.kernel.adopted = adopted
				if adopted {
					if _, err := w.kernel.Attach("eth0", AttachOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				test.arrange(w)
				err := w.fail()
				for _, text := range test.want {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("error %q, want %q in it", err, text)
					}
				}
				want := ""
				if adopted {
					want = "eth0"
				}
				if got := attachedNames(w.kernel); got != want {
					t.Errorf("left attached: %q, want %q", got, want)
				}
				if w.kernel.closed != test.opened || w.kernel.kept != (adopted && test.opened) {
					t.Errorf("closed %v, kept %v", w.kernel.closed, w.kernel.kept)
				}
				if len(w.log()) != 0 {
					t.Errorf("logged %+v", w.log())
				}
			})
		}
	}
}

// attachedNames lists what the kernel holds, whatever the host has.
func attachedNames(k *fakeKernel) string {
	var names []string
	for _, i := range k.Attached() {
		names = append(names, i.Name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestMissingNamesWhatIsThere(t *testing.T) {
	w := newWorld(t, "eth9")
	w.opts.Named = true
	var missing *NoInterfaceError
	if err := w.fail(); !errors.As(err, &missing) || !slices.Equal(missing.Have, []string{"eth0", "eth1"}) {
		t.Errorf("error %v, %+v", err, missing)
	}
}

// TestPartialLook goes on when only a part of the host cannot be read.
func TestPartialLook(t *testing.T) {
	w := newWorld(t, "eth0")
	w.host.failing = errors.New("strange route")
	w.run()
	w.says("strange route; changes of interfaces go unnoticed")
	w.host.mu.Lock()
	w.host.failing = nil
	w.host.mu.Unlock()
	w.ticking("watch of the network", func() bool { return w.count("the network is watched again") > 0 })
}

func TestProgress(t *testing.T) {
	w := newWorld(t, "eth0")
	var text strings.Builder
	base := netip.MustParseAddr("2001:db8::").As16()
	for i := range bigList {
		base[6], base[7] = byte(i>>8), byte(i)
		text.WriteString(netip.PrefixFrom(netip.AddrFrom16(base), 64).String() + "\n")
	}
	w.write(w.config.Lists.Deny, text.String())
	w.write(w.config.Lists.Allow, "192.0.2.1\n")
	shown := map[string]int{}
	w.opts.Progress = func(list string, done, total int) { shown[list] = total }
	w.run()
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if len(shown) != 1 || shown["deny"] != bigList {
		t.Errorf("progress %v, want the deny list alone", shown)
	}
}

func TestHost(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	own := netip.MustParseAddr("192.0.2.77")
	w.host.change(func(s *netstate.Snapshot) { s.Own = []netip.Addr{own} })
	w.until("new address in the kernel", func() bool {
		w.kernel.mu.Lock()
		defer w.kernel.mu.Unlock()
		return slices.Contains(w.kernel.facts.Own, own) && slices.Contains(w.kernel.facts.Protected, own)
	})
}

// TestCancelledStart is told to end before it has begun.
func TestCancelledStart(t *testing.T) {
	w := newWorld(t, "eth0")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Run(ctx, w.opts); err != nil {
		t.Error(err)
	}
	if !w.kernel.closed || w.kernel.kept || len(w.kernel.Attached()) != 0 {
		t.Error("something is left attached")
	}
}

func TestListKinds(t *testing.T) {
	w := newWorld(t, "eth0")
	w.write(w.config.Lists.Allow, "192.0.2.1 watch\n")
	w.run()
	w.kernel.with(func() {
		if l := w.kernel.lists[lists.Allow]; len(l) != 1 || !l[0].Watch {
			t.Errorf("allow list in the kernel: %+v", l)
		}
	})
}
