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
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	victim.Attach()
	ban(victim, attacker)

	away := elsewhere(t)
	if err := victim.Netlink().LinkSetNsPid(victim.Link(uplink), away); err != nil {
		t.Fatal(err)
	}
	victim.Eventually(5*time.Second, func() error {
		if r := victim.Denmap("health"); r.Code != 2 {
			return errNotYet("exit code 2 of health without the interface: " + r.String())
		}
		return nil
	})
	home := victim.keeper.cmd.Process.Pid
	bringHome := exec.CommandContext(t.Context(), "nsenter", "-t", strconv.Itoa(away), "-n", "ip", "link", "set", uplink, "netns", strconv.Itoa(home))
	if out, err := bringHome.CombinedOutput(); err != nil {
		t.Fatalf("move back: %v: %s", err, out)
	}
	if err := lab.raise(victim, uplink, lab.fab, "p-victim",
		netip.PrefixFrom(victim.IPv4, Net4.Bits()), netip.PrefixFrom(victim.IPv6, Net6.Bits())); err != nil {
		t.Fatal(err)
	}
	waitProtected(victim, uplink)
	checkCut(t, "back home", victim, attacker, client)
	checkListed(t, "back home", victim, attacker)
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
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	victim.Attach()
	ban(victim, attacker)
	program, err := victim.XDP(uplink)
	if err != nil {
		t.Fatal(err)
	}
	lines := len(victim.Log())
	port, err := lab.fab.nl.LinkByName("p-victim")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if err := lab.fab.nl.LinkSetDown(port); err != nil {
			t.Fatal(err)
		}
		if err := lab.fab.nl.LinkSetUp(port); err != nil {
			t.Fatal(err)
		}
	}
	victim.Eventually(5*time.Second, func() error {
		if !client.Reaches(victim.IPv4, 80, 200*time.Millisecond) {
			return errNotYet("connection from the client")
		}
		return nil
	})
	checkCut(t, "after twenty flaps", victim, attacker, client)
	waitProtected(victim, uplink)
	if now, err := victim.XDP(uplink); err != nil || now != program {
		t.Errorf("program %d, %v; want %d as before", now, err, program)
	}
	if n := len(victim.Log()); n != lines {
		t.Errorf("%d lines about flaps", n-lines)
	}
}

// TestMTUChange makes frames larger and smaller under the program, which
// must not fall off nor lose its bans.
func TestMTUChange(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	victim.Attach()
	ban(victim, attacker)
	for _, mtu := range []int{9000, 1280, 1500} {
		for _, end := range []struct {
			host *Host
			link netlink.Link
		}{{lab.fab, mustLink(t, lab.fab, "p-victim")}, {victim, victim.Link(uplink)}} {
			if err := end.host.nl.LinkSetMTU(end.link, mtu); err != nil {
				t.Errorf("MTU %d on %q: %v", mtu, end.host.Name, err)
			}
		}
		waitProtected(victim, uplink)
		checkCut(t, "with MTU "+strconv.Itoa(mtu), victim, attacker, client)
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
