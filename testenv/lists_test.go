// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// listLimit is how long an edit of a list may take to come into force.
const listLimit = time.Second

// denyPath is the deny list's file.
const denyPath = "/etc/denmap/deny.list"

// passes reports whether the victim's stack gets a Xmas probe of the
// attacker's, which DenMap drops on sight unless the source is allowed.
// The same port every time: it never adds up to a ban.
func passes(t *testing.T, attacker, victim *Host, counter *Counter) bool {
	t.Helper()
	before := counter.From(attacker.IPv4).Packets
	attacker.SendProbe(uplink, victim, uplink, Probe{Source: attacker.IPv4, Target: victim.IPv4,
		From: 40000, To: 7, Flags: FlagFIN | FlagPSH | FlagURG})
	return counter.From(attacker.IPv4).Packets > before
}

func TestAllowList(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	victim.Attach()
	counter := victim.CountTCP(uplink)
	if passes(t, attacker, victim, counter) {
		t.Fatal("a Xmas probe passes before the source is allowed")
	}

	victim.MustDenmap("lists", "add", "allow", Net4.String())
	victim.Eventually(listLimit, func() error {
		if !passes(t, attacker, victim, counter) {
			return errNotYet("pass for the allowed source")
		}
		return nil
	})
	logged := len(victim.LogAbout(attacker.IPv4))
	attacker.MustTool("nmap", "-n", "-Pn", "-sS", "-p", "1-200", victim.IPv4.String())
	if ports := counter.From(attacker.IPv4).Closed(); len(ports) != 200 {
		t.Errorf("an allowed scanner reached %d ports, want all 200", len(ports))
	}
	if lines := victim.LogAbout(attacker.IPv4); len(lines) != logged {
		t.Errorf("an allowed scanner was logged: %s", lines[len(lines)-1].Raw)
	}

	victim.MustDenmap("lists", "remove", "allow", Net4.String())
	victim.Eventually(listLimit, func() error {
		if passes(t, attacker, victim, counter) {
			return errNotYet("end of the pass")
		}
		return nil
	})
	attacker.MustTool("nmap", "-n", "-Pn", "-sS", "-p", "1-200", victim.IPv4.String())
	victim.WaitBan(attacker.IPv4)
}

func TestDenyList(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	daemon := s.victim.Attach()

	cut := func(want bool) {
		t.Helper()
		s.victim.Eventually(listLimit, func() error {
			if s.client.Reaches(s.victim.IPv4, 80, 100*time.Millisecond) == want {
				return fmt.Errorf("client is reached = %v, want %v", want, !want)
			}
			return nil
		})
		if !s.attacker.Reaches(s.victim.IPv4, 80, time.Second) {
			t.Error("somebody else was cut off too")
		}
	}
	cut(false)
	s.victim.MustDenmap("lists", "add", "deny", s.client.IPv4.String(), "--comment", "from the test")
	cut(true)
	if !s.client.Reaches(s.victim.IPv6, 80, time.Second) {
		t.Error("denying the IPv4 address cut off the IPv6 address")
	}
	if list := s.victim.ReadFile(denyPath); !strings.Contains(list, s.client.IPv4.String()) {
		t.Errorf("deny list without the address: %q", list)
	}
	s.victim.MustDenmap("lists", "remove", "deny", s.client.IPv4.String())
	cut(false)

	// The same by an editor, and then an edit that cannot be read.
	s.victim.WriteFile(denyPath, "# by hand\n"+s.client.IPv4.String()+"\n")
	cut(true)
	s.victim.WriteFile(denyPath, "# by hand\n\n\n\n\n\n198.51.100.300\n")
	daemon.WaitStderr(5*time.Second, "198.51.100.300")
	cut(true)
	s.victim.WriteFile(denyPath, "# by hand\n")
	cut(false)
}

// TestImport loads a feed of 100,000 prefixes, all of them documentation
// addresses, and asks from inside and outside of it.
func TestImport(t *testing.T) {
	t.Parallel()
	const total, limit = 100_000, 10 * time.Second
	feed4 := netip.MustParsePrefix("203.0.113.0/25")
	var feed strings.Builder
	feed.WriteString("# a public feed\n")
	count := 0
	for addr := feed4.Addr(); feed4.Contains(addr); addr = addr.Next() {
		fmt.Fprintln(&feed, addr)
		count++
	}
	for i := range total - count {
		fmt.Fprintln(&feed, netip.PrefixFrom(feedAddr(i, 0), 64))
	}

	s := newScene(t)
	for _, network := range []string{"203.0.113.0/24", "2001:db8:1000::/36"} {
		s.victim.AddRoute(uplink, netip.MustParsePrefix(network))
	}
	sources := []struct {
		addr netip.Addr
		want bool // it reaches the victim after the import
	}{
		{netip.MustParseAddr("203.0.113.5"), false},
		{netip.MustParseAddr("203.0.113.127"), false},
		{netip.MustParseAddr("203.0.113.128"), true},
		{feedAddr(0, 1), false},
		{feedAddr(77_777, 0xfe), false},
		{feedAddr(total-count-1, 2), false},
		{feedAddr(total-count, 2), true},
		{s.attacker.IPv4, true},
		{s.attacker.IPv6, true},
	}
	for _, source := range sources {
		s.attacker.AddAddr(uplink, netip.PrefixFrom(source.addr, source.addr.BitLen()))
	}
	s.victim.Attach()
	reaches := func(source netip.Addr) bool {
		target := s.victim.IPv4
		if source.Is6() {
			target = s.victim.IPv6
		}
		return s.attacker.reachesFrom(source, target, 80, 300*time.Millisecond)
	}
	for _, source := range sources {
		if !reaches(source.addr) {
			t.Fatalf("%v does not reach the victim before the import", source.addr)
		}
	}

	s.victim.WriteFile("/run/feed.list", feed.String())
	imported := s.victim.MustDenmap("lists", "import", "deny", "/run/feed.list")
	t.Logf("%v", imported)
	if imported.Elapsed > limit {
		t.Errorf("import took %v, want at most %v", imported.Elapsed, limit)
	}
	for _, source := range sources {
		s.victim.Eventually(limit, func() error {
			if reaches(source.addr) != source.want {
				return fmt.Errorf("%v reaches the victim = %v, want %v", source.addr, !source.want, source.want)
			}
			return nil
		})
	}
}

// feedAddr returns an address of the feed's IPv6 prefix number i.
func feedAddr(i int, host byte) netip.Addr {
	raw := netip.MustParseAddr("2001:db8:1000::").As16()
	raw[5], raw[6], raw[7] = byte(i>>16), byte(i>>8), byte(i)
	raw[15] = host
	return netip.AddrFrom16(raw)
}
