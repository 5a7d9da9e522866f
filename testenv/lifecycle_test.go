// SPDX-License-Identifier: MIT

package testenv

import (
	"testing"
	"time"
)

// protectLimit is how long an interface that came back may be without a
// program, on two processors that all other labs use at the same time: the
// verifier alone takes half a second of one. An idle machine needs one.
const protectLimit = 3 * time.Second

// waitProtected waits until an interface has a program and health agrees.
func waitProtected(victim *Host, iface string) {
	victim.t.Helper()
	victim.Eventually(protectLimit, func() error {
		program, err := victim.XDP(iface)
		if err == nil && program == 0 {
			err = errNotYet("program on " + iface)
		}
		return err
	})
	victim.Eventually(2*time.Second, func() error {
		if r := victim.Denmap("health"); r.Code != 0 {
			return errNotYet("good health: " + r.String())
		}
		return nil
	})
}

// actions counts the log lines of an action about an interface.
func actions(victim *Host, action, iface string) (n int) {
	victim.t.Helper()
	for _, l := range victim.Log() {
		if l.Event.Action == action && l.Observer.Ingress.Interface.Name == iface {
			n++
		}
	}
	return n
}

func TestInterfaceReplaced(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	victim.Attach()
	ban(victim, attacker)

	if err := victim.Netlink().LinkDel(victim.Link(uplink)); err != nil {
		t.Fatal(err)
	}
	victim.Eventually(5*time.Second, func() error {
		if r := victim.Denmap("health"); r.Code != 2 {
			return errNotYet("exit code 2 of health without the interface: " + r.String())
		}
		return nil
	})
	victim.WaitLog(5*time.Second, "detached", func(l LogLine) bool {
		return l.Event.Action == "detached" && l.Observer.Ingress.Interface.Name == uplink
	})
	lab.Replug(victim)
	waitProtected(victim, uplink)
	checkCut(t, "on the new interface", victim, attacker, client)
	checkListed(t, "on the new interface", victim, attacker)
	victim.Eventually(5*time.Second, func() error {
		if actions(victim, "attached", uplink) < 2 {
			return errNotYet("second attached line")
		}
		return nil
	})
}

func TestInterfaceRenamed(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	victim.Attach()
	ban(victim, attacker)
	for _, name := range []string{"wan0", uplink} {
		current := uplink
		if name == uplink {
			current = "wan0"
		}
		if err := victim.Netlink().LinkSetName(victim.Link(current), name); err != nil {
			t.Fatal(err)
		}
		checkCut(t, "named "+name, victim, attacker, client)
	}
	waitProtected(victim, uplink)
	checkListed(t, "renamed and back", victim, attacker)
}

func TestInterfaceDownUp(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	victim.Attach()
	ban(victim, attacker)
	link := victim.Link(uplink)
	if err := victim.Netlink().LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	if err := victim.Netlink().LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	waitProtected(victim, uplink)
	victim.Eventually(3*time.Second, func() error { // the link needs a moment
		if !client.Reaches(victim.IPv4, 80, 200*time.Millisecond) {
			return errNotYet("connection from the client")
		}
		return nil
	})
	checkCut(t, "up again", victim, attacker, client)
}
