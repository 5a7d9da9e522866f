// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"denmap/loader"
	"denmap/userspace/daemon/control"
	"denmap/userspace/event"
	"denmap/userspace/netstate"
)

func (c *console) detach(args ...string) outcome {
	c.t.Helper()
	return c.run(append([]string{"detach", "--control", c.path("control.sock")}, args...)...)
}

func TestDetachNothing(t *testing.T) {
	needRoot(t)
	c := newConsole(t)
	c.compare("detach", c.detach(), said("nothing is attached"))
	c.compare("detach eth0", c.detach("eth0"), refused(1, "DenMap is not attached"))
	c.compare("detach ''", c.detach(""), refused(2, "detach: expected an interface, got an empty argument"))
}

// TestDetachAsks has a daemon that is asked.
func TestDetachAsks(t *testing.T) {
	needRoot(t)
	c := newConsole(t)
	var asked []control.Request
	s, err := control.Listen(c.path("control.sock"), func(r control.Request) control.Response {
		asked = append(asked, r)
		if slices.Contains(r.Args, "eth9") {
			return control.Response{Error: `detach "eth9": it is not protected`}
		}
		return control.Response{}
	})
	if err != nil {
		t.Fatal(err)
	}
	c.compare("detach", c.detach(), said("detached: nothing is protected any more"))
	c.compare("detach eth0 eth1", c.detach("eth0", "eth1"), said("detached eth0", "detached eth1"))
	c.compare("detach eth9", c.detach("eth9"), refused(1, `detach "eth9": it is not protected`))
	s.Stop()
	s.Wait()
	if len(asked) != 3 || len(asked[0].Args) != 0 || !slices.Equal(asked[1].Args, []string{"eth0", "eth1"}) {
		t.Errorf("asked %+v", asked)
	}
}

// TestDetachDeaf has a daemon that cannot be asked.
func TestDetachDeaf(t *testing.T) {
	a := newAttached(t)
	a.compare("detach", a.detach(), refused(1, "another denmap attach is running",
		"it does not listen for requests: end it with systemctl stop denmap, or SIGTERM"))
}

// TestDetachHere does it without a daemon: one interface after the other,
// and with the last one everything. Bans are kept.
func TestDetachHere(t *testing.T) {
	a := newAttached(t)
	// The namespace's own loopback; eth0 is the link the test made.
	if _, err := a.kernel.Attach("lo", loader.AttachOptions{Hook: loader.HookGeneric}); err != nil {
		t.Fatal(err)
	}
	a.env.Network = netstate.Read
	ban := event.Ban{Source: netip.MustParsePrefix("203.0.113.7/32"), Grade: event.Manual, Until: time.Now().Add(time.Hour)}
	if err := a.kernel.AddBan(ban); err != nil {
		t.Fatal(err)
	}
	a.leave()
	a.compare("detach wan9", a.detach("eth0", "wan9"), refused(1, `detach "wan9": it is not protected`))
	a.contains("status", 0, "eth0", "lo")

	a.compare("detach lo", a.detach("lo"), said("detached lo"))
	state, err := loader.OpenState(a.env.PinDir)
	if err != nil {
		t.Fatal(err)
	}
	left, err := state.Interfaces()
	if err != nil || len(left) != 1 || left[0].Name != "eth0" {
		t.Errorf("left: %+v, %v, want eth0", left, err)
	}
	rules, err := state.Rules()
	if err != nil || rules.BanScore != 8 || rules.UDPBan != 16 {
		t.Errorf("rules after a detach: %+v, %v, want them unchanged", rules, err)
	}
	state.Close()

	a.compare("detach eth0", a.detach("eth0"), said("detached eth0"))
	if _, err := loader.OpenState(a.env.PinDir); !errors.Is(err, loader.ErrNotAttached) {
		t.Errorf("after the last one: %v, want nothing pinned", err)
	}
	if text := a.read("state/bans.json"); !strings.Contains(text, "203.0.113.7/32") {
		t.Errorf("saved bans: %s", text)
	}
}

// TestDetachReasons keeps what the operator wrote about a ban.
func TestDetachReasons(t *testing.T) {
	a := newAttached(t)
	a.expect("bans add 203.0.113.7 --for 1h --reason noise", said("banned 203.0.113.7 for 1h"))
	a.leave()
	a.compare("detach", a.detach(), said("detached: nothing is protected any more"))
	if text := a.read("state/bans.json"); !strings.Contains(text, "203.0.113.7/32") || !strings.Contains(text, `"noise"`) {
		t.Errorf("saved bans: %s", text)
	}
}

// TestDetachFull detaches although bans cannot be saved.
func TestDetachFull(t *testing.T) {
	a := newAttached(t)
	a.write("state", "a file where the directory should be")
	a.leave()
	got := a.detach()
	if got.code != 0 || !strings.Contains(got.stderr, "warning: ") || !strings.HasSuffix(got.stderr, "denmap: detached: nothing is protected any more\n") {
		t.Errorf("detach: %+v", got)
	}
}
