// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestThousandScanners has a thousand sources scan within a minute. Two
// mails come of it, the alert and a digest, and every source is counted.
func TestThousandScanners(t *testing.T) {
	t.Parallel()
	const sources = 1000
	lab, victim, server := mailLab(t)
	attacker := lab.Host("attacker")
	server.Start()
	victim.Configure(mailConfig("digest: 1m"))
	victim.Attach()

	began := time.Now()
	for _, source := range manySources(sources) {
		target := victim.IPv4
		if source.Is6() {
			target = victim.IPv6
		}
		var probes []Probe
		for port := range uint16(9) {
			probes = append(probes, Probe{Source: source, Target: target, From: 40000, To: 7000 + port, Flags: FlagSYN})
		}
		attacker.SendProbe(uplink, victim, uplink, probes...)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("sending took %v, want less than a minute", took)
	}
	s := waitMailStatus(t, victim, 30*time.Second, "all sources", func(s notifyStatus) bool { return s.PendingSources >= sources })
	if s.PendingSources != sources {
		t.Errorf("%d sources counted, want %d", s.PendingSources, sources)
	}
	mails := server.WaitMails(2*time.Minute, 2)
	i := slices.IndexFunc(mails, func(m Mail) bool { return strings.Contains(m.Subject, "sources scanned") })
	if i < 0 {
		t.Fatalf("no digest among %q and %q", mails[0].Subject, mails[1].Subject)
	}
	contains(t, "digest", mails[i].Subject, fmt.Sprintf("%d sources scanned, %d bans", sources, sources))
	t.Logf("the digest:\nSubject: %s\n\n%s", mails[i].Subject, mails[i].Text)
	t.Logf("the other: %s", mails[1-i].Subject)
	// Another interval brings no third.
	time.Sleep(65 * time.Second)
	if mails := server.Mails(); len(mails) != 2 {
		t.Errorf("%d mails, want 2", len(mails))
	}
}

// manySources returns n documentation addresses that the scoring takes for
// n sources: IPv6 ones each of a /64 of its own.
func manySources(n int) []netip.Addr {
	var out []netip.Addr
	for i := range n {
		switch {
		case i < 250:
			out = append(out, netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}))
		case i < 500:
			out = append(out, netip.AddrFrom4([4]byte{203, 0, 113, byte(i - 249)}))
		default:
			out = append(out, netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 0xff, 0, byte(i >> 8), byte(i), 15: 1}))
		}
	}
	return out
}

// TestMemory measures the daemon at rest, with the location data that is
// built in and mail configured.
func TestMemory(t *testing.T) {
	const limit = 40 << 20
	_, victim, _ := mailLab(t)
	victim.Configure(strings.Replace(mailConfig(), "geo:", "#geo:", 1))
	daemon := victim.Attach()
	time.Sleep(6 * time.Second) // what is measured is a daemon at rest
	rss, parts := daemon.Memory()
	if rss > limit {
		t.Errorf("resident memory %d KiB, want at most %d", rss>>10, limit>>10)
	}
	t.Logf("resident memory at rest: %d KiB: %s", rss>>10, parts)
}
