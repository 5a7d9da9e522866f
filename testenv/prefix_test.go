// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestPrefixBansOutliveTheirLength bans a /64 blindly and a /56 by hand,
// and changes how much of an IPv6 address is scored: what is listed goes on
// being enforced, in the running daemon and after a restart.
func TestPrefixBansOutliveTheirLength(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	far := func(text string, bits int) netip.Prefix {
		return netip.PrefixFrom(netip.MustParseAddr(text), bits)
	}
	scanner, again := far("2001:db8:bad:1::7", 64), far("2001:db8:bad:1::8", 64)
	byHand, innocent := far("2001:db8:dead:2::7", 64), far("2001:db8:cafe::7", 64)
	for _, from := range []netip.Prefix{scanner, again, byHand, innocent} {
		s.attacker.AddAddr(uplink, from)
		// Behind a router: neighbours are scored one by one.
		if err := s.victim.routeVia(from.Masked(), s.attacker.IPv6); err != nil {
			t.Fatal(err)
		}
	}
	status := func(bits int) {
		t.Helper()
		s.victim.Eventually(5*time.Second, func() error {
			if r := s.victim.MustDenmap("status", "--json"); !strings.Contains(r.Stdout, fmt.Sprintf(`"ipv6_prefix": %d`, bits)) {
				return errNotYet(fmt.Sprintf("prefix length %d", bits))
			}
			return nil
		})
	}
	check := func(when string) {
		t.Helper()
		for _, from := range []netip.Prefix{scanner, byHand} {
			if s.attacker.reachesFrom(from.Addr(), s.victim.IPv6, 80, 500*time.Millisecond) {
				t.Errorf("%s: %v reaches the victim", when, from.Addr())
			}
		}
		if !s.attacker.reachesFrom(innocent.Addr(), s.victim.IPv6, 80, 2*time.Second) {
			t.Errorf("%s: %v does not reach the victim", when, innocent.Addr())
		}
		bans := s.victim.MustDenmap("bans", "show", "--format", "plain").Stdout
		for _, want := range []string{"2001:db8:bad:1::/64", "2001:db8:dead::/56"} {
			if !strings.Contains(bans, want) {
				t.Errorf("%s: %s is not listed: %q", when, want, bans)
			}
		}
	}

	s.victim.Configure("detect: {ipv6_prefix: 56}\n")
	daemon := s.victim.Attach()
	s.victim.MustDenmap("bans", "add", "2001:db8:dead::/56", "--for", "1h")
	s.victim.Configure("detect: {ipv6_prefix: 64}\n")
	daemon.Signal(syscall.SIGHUP)
	status(64)
	for i := range uint16(12) {
		from := []netip.Prefix{scanner, again}[i%2]
		s.attacker.SendProbe(uplink, s.victim, uplink, Probe{Source: from.Addr(), Target: s.victim.IPv6, From: 50000, To: 2000 + i, Flags: FlagSYN})
	}
	s.victim.Eventually(5*time.Second, func() error {
		if !strings.Contains(s.victim.MustDenmap("bans", "show", "--format", "plain").Stdout, "2001:db8:bad:1::/64") {
			return errNotYet("ban of the /64")
		}
		return nil
	})
	check("under /64")

	s.victim.Configure("detect: {ipv6_prefix: 48}\n")
	daemon.Signal(syscall.SIGHUP)
	status(48)
	check("after the reload to /48")
	daemon.Kill()
	s.victim.Configure("detect: {ipv6_prefix: 128}\n")
	daemon = s.victim.Attach()
	status(128)
	check("adopted with /128")
	if code := daemon.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.victim.Attach()
	check("restored with /128")
}
