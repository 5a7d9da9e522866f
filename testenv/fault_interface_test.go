// SPDX-License-Identifier: MIT

package testenv

import (
	"net/netip"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestInterfaceMoved takes the interface to another network namespace and
// back, as starting and stopping a container does. The program goes along
// or stays off; back home the interface is protected again.
func TestInterfaceMoved(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.attachAndBan()

	away := elsewhere(t)
	if err := s.victim.Netlink().LinkSetNsPid(s.victim.Link(uplink), away); err != nil {
		t.Fatal(err)
	}
	waitHealth(s.victim, 5*time.Second, 2)
	home := s.victim.keeper.cmd.Process.Pid
	bringHome := exec.CommandContext(t.Context(), "nsenter", "-t", strconv.Itoa(away), "-n", "ip", "link", "set", uplink, "netns", strconv.Itoa(home))
	if out, err := bringHome.CombinedOutput(); err != nil {
		t.Fatalf("move back: %v: %s", err, out)
	}
	if err := s.raise(s.victim, uplink, s.fab, portOf(s.victim),
		netip.PrefixFrom(s.victim.IPv4, Net4.Bits()), netip.PrefixFrom(s.victim.IPv6, Net6.Bits())); err != nil {
		t.Fatal(err)
	}
	waitProtected(s.victim, uplink)
	s.checkCut("back home")
	s.checkListed("back home")
}

// elsewhere starts a process in a network namespace of its own and returns
// its number; t.Cleanup ends it.
func elsewhere(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("cat") // until standard input closes
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("process elsewhere: %v", err)
		}
	})
	return cmd.Process.Pid
}

// TestCarrierFlaps takes the carrier away and back twenty times: the
// program stays, and nothing is logged about it.
func TestCarrierFlaps(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.attachAndBan()
	program, err := s.victim.XDP(uplink)
	if err != nil {
		t.Fatal(err)
	}
	lines := len(s.victim.Log())
	port, err := s.fab.nl.LinkByName(portOf(s.victim))
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := s.fab.nl.LinkSetDown(port); err != nil {
			t.Fatal(err)
		}
		if err := s.fab.nl.LinkSetUp(port); err != nil {
			t.Fatal(err)
		}
	}
	waitServed(s.victim, s.client, 5*time.Second)
	s.checkCut("after twenty flaps")
	waitProtected(s.victim, uplink)
	if now, err := s.victim.XDP(uplink); err != nil || now != program {
		t.Errorf("program %d, %v; want %d as before", now, err, program)
	}
	if n := len(s.victim.Log()); n != lines {
		t.Errorf("%d lines about flaps", n-lines)
	}
}

// TestMTUChange makes frames larger and smaller under the program, which
// must not fall off nor lose its bans.
func TestMTUChange(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.attachAndBan()
	for _, mtu := range []int{9000, 1280, 1500} {
		for _, end := range []struct {
			host *Host
			link netlink.Link
		}{{s.fab, mustLink(t, s.fab, portOf(s.victim))}, {s.victim, s.victim.Link(uplink)}} {
			if err := end.host.nl.LinkSetMTU(end.link, mtu); err != nil {
				t.Errorf("MTU %d on %q: %v", mtu, end.host.Name, err)
			}
		}
		waitProtected(s.victim, uplink)
		s.checkCut("with MTU " + strconv.Itoa(mtu))
	}
}

func mustLink(t *testing.T, h *Host, name string) netlink.Link {
	t.Helper()
	link, err := h.nl.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	return link
}
