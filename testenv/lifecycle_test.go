// SPDX-License-Identifier: MIT

package testenv

import (
	"testing"
	"time"
)

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
	s := newScene(t)
	s.attachAndBan()

	if err := s.victim.Netlink().LinkDel(s.victim.Link(uplink)); err != nil {
		t.Fatal(err)
	}
	waitHealth(s.victim, 5*time.Second, 2)
	s.victim.WaitLog(5*time.Second, "detached", func(l LogLine) bool {
		return l.Event.Action == "detached" && l.Observer.Ingress.Interface.Name == uplink
	})
	s.Replug(s.victim)
	waitProtected(s.victim, uplink)
	s.checkCut("on the new interface")
	s.checkListed("on the new interface")
	s.victim.Eventually(5*time.Second, func() error {
		if actions(s.victim, "attached", uplink) < 2 {
			return errNotYet("second attached line")
		}
		return nil
	})
}

func TestInterfaceRenamed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.attachAndBan()
	for _, name := range []string{"wan0", uplink} {
		current := uplink
		if name == uplink {
			current = "wan0"
		}
		if err := s.victim.Netlink().LinkSetName(s.victim.Link(current), name); err != nil {
			t.Fatal(err)
		}
		s.checkCut("named " + name)
	}
	waitProtected(s.victim, uplink)
	s.checkListed("renamed and back")
}

func TestInterfaceDownUp(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.attachAndBan()
	link := s.victim.Link(uplink)
	if err := s.victim.Netlink().LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	if err := s.victim.Netlink().LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	waitProtected(s.victim, uplink)
	waitServed(s.victim, s.client, 3*time.Second)
	s.checkCut("up again")
}
