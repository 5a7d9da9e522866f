// SPDX-License-Identifier: MIT

package scans

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"denmap/userspace/event"
)

func TestAlertThenBanThenExpiry(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.send(alert(event.SYN))
		b.want("scan-detected id1 score 4 of 4")
		d := ban(event.SYN)
		b.banned(d)
		b.want("source-banned id1 score 8 of 8")

		b.kernel.ban(event.Ban{Source: scanner, Until: d.BanUntil, Dropped: 996})
		b.kernel.score(event.Source{Prefix: scanner, Last: d.Time.Add(3 * time.Second), Distinct: 4})
		b.pass(10*time.Minute - time.Second)
		b.want()
		b.pass(time.Second)
		events := b.want("source-unbanned id1 expired", "scan-ended id1 ban ended: expired")

		s := events[1].Scan
		if s.Dropped != 996 || s.Distinct != 4 || s.Probes != 4 || !s.Enforced {
			t.Errorf("totals: dropped %d, distinct %d, probes %d, enforced %v", s.Dropped, s.Distinct, s.Probes, s.Enforced)
		}
		if got := s.Last.Sub(s.First); got != 3200*time.Millisecond {
			t.Errorf("duration %s, want 3.2s", got)
		}
		if !slices.Equal(s.Ports, []uint16{22, 80, 443, 8080}) {
			t.Errorf("ports %v", s.Ports)
		}
		if open := b.tracker.Stats().Open; open != 0 {
			t.Errorf("%d scans still open", open)
		}

		b.send(alert(event.SYN))
		b.want("scan-detected id2 score 4 of 4")
	})
}

func TestBanWithoutAlert(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.banned(ban(event.Xmas))
		b.send(alert(event.Xmas)) // overtaken in the ring buffer
		events := b.want("source-banned id1 score 8 of 8")
		if e := events[0]; !e.Scan.Enforced || e.Interface != "eth0" || e.Scan.BanUntil.IsZero() {
			t.Errorf("event %+v scan %+v", e, e.Scan)
		}
	})
}

func TestQuietEndsScan(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.send(alert(event.SYN))
		b.take()
		// The kernel goes on counting without crossing a threshold.
		b.pass(90 * time.Second)
		b.kernel.score(event.Source{Prefix: scanner, Last: time.Now(), Distinct: 3, Ports: []uint16{25}, Kinds: event.Kinds(0).With(event.SYN)})
		b.pass(time.Minute)
		b.want()
		b.pass(time.Minute)
		events := b.want("scan-ended id1 quiet for 2m0s")
		if s := events[0].Scan; s.Distinct != 3 || !slices.Equal(s.Ports, []uint16{22, 25, 443}) {
			t.Errorf("totals: distinct %d, ports %v", s.Distinct, s.Ports)
		}
	})
}

func TestRepeatsAreSilentUntilKindsGrow(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		for range 20 {
			b.send(alert(event.SYN))
		}
		b.want("scan-detected id1 score 4 of 4")
		for _, k := range []event.Kind{event.FIN, event.FIN, event.Xmas, event.Null, event.ACK, event.UDP, event.SCTP} {
			b.send(alert(k))
		}
		events := b.take()
		if len(events) != maxAlerts-1 {
			t.Fatalf("%d more lines for new kinds, want %d", len(events), maxAlerts-1)
		}
		if got := events[1].Scan.Kinds.Title(event.SYN); got != "SYN, FIN and Xmas" {
			t.Errorf("kinds %q", got)
		}
		b.banned(ban(event.Sweep))
		b.want("source-banned id1 score 8 of 8")
		b.send(alert(event.Fragment), ban(event.OddFlags))
		b.want()
	})
}

func TestWouldBanOncePerScan(t *testing.T) {
	rows := map[string]func(*event.Detection){
		"monitor":   func(*event.Detection) {},
		"protected": func(d *event.Detection) { d.Protected = true },
		"watched":   func(d *event.Detection) { d.Watched = true },
	}
	for name, change := range rows {
		t.Run(name, func(t *testing.T) {
			o := Options{Monitor: func(iface string) bool { return name == "monitor" && iface == "eth0" }}
			inBubble(t, o, func(b *bench) {
				first := alert(event.SYN)
				change(&first)
				b.send(first)
				would := ban(event.SYN)
				would.Verdict, would.BanUntil = event.VerdictWouldBan, time.Time{}
				change(&would)
				b.send(would, would, would)
				for _, e := range b.want("scan-detected id1 score 4 of 4", "source-banned id1 score 8 of 8") {
					if e.Scan.Enforced {
						t.Errorf("%s is enforced", e.Action)
					}
				}
				b.pass(2 * time.Minute)
				events := b.want("scan-ended id1 quiet for 2m0s")
				if events[0].Scan.Enforced {
					t.Error("scan-ended is enforced")
				}
			})
		})
	}
}

func TestProlongedBanIsFollowed(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		d := ban(event.SYN)
		b.banned(d)
		b.take()
		b.kernel.ban(event.Ban{Source: scanner, Until: d.BanUntil.Add(30 * time.Minute)})
		b.pass(35 * time.Minute)
		b.want()
		b.pass(5 * time.Minute)
		events := b.want("source-unbanned id1 expired", "scan-ended id1 ban ended: expired")
		if got := events[0].Time.Sub(d.Time); got != 40*time.Minute {
			t.Errorf("ended after %s, want 40m", got)
		}
	})
}

func TestOperatorUnban(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.banned(ban(event.SYN))
		b.take()
		b.kernel.lift(scanner)
		b.tracker.Unbanned(event.Ban{Source: scanner, Dropped: 12})
		events := b.want("source-unbanned id1 by operator", "scan-ended id1 ban ended: by operator")
		if got := events[1].Scan.Dropped; got != 12 {
			t.Errorf("dropped %d, want 12", got)
		}
		b.tracker.Unbanned(event.Ban{Source: scanner})
		b.pass(time.Hour)
		b.want()
	})
}

// TestBanAgainSoonAfterUnban bans, lifts and bans again before anybody has
// looked: the new ban is a scan of its own, whatever is told late.
func TestBanAgainSoonAfterUnban(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		first := ban(event.SYN)
		b.banned(first)
		b.want("source-banned id1 score 8 of 8")
		b.kernel.lift(scanner)
		b.pass(3 * time.Second)
		second := ban(event.Xmas)
		b.banned(second)
		b.want("source-unbanned id1 removed before its end", "scan-ended id1 ban ended: removed before its end",
			"source-banned id2 score 8 of 8")
		// The daemon's sweep notices only now that the first is gone.
		b.tracker.Unbanned(event.Ban{Source: scanner, Since: first.Time, Until: first.BanUntil})
		b.want()
		b.tracker.Unbanned(event.Ban{Source: scanner, Since: second.Time, Until: second.BanUntil})
		b.want("source-unbanned id2 by operator", "scan-ended id2 ban ended: by operator")
	})
}

// TestSameBanAgain gets a ban that is renewed for the same probes: it is
// the one that is known.
func TestSameBanAgain(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		d := ban(event.SYN)
		b.banned(d)
		b.take()
		b.pass(5 * time.Second)
		again := ban(event.SYN)
		again.First = d.First
		b.banned(again)
		b.tracker.Unbanned(event.Ban{Source: scanner, Since: d.Time})
		b.want()
	})
}

func TestBanLiftedBehindTheBack(t *testing.T) {
	inBubble(t, Options{Poll: 10 * time.Second}, func(b *bench) {
		b.banned(ban(event.SYN))
		b.take()
		b.kernel.lift(scanner)
		b.pass(10 * time.Second)
		b.want("source-unbanned id1 removed before its end", "scan-ended id1 ban ended: removed before its end")
	})
}

func TestAdoptedBanEndIsLogged(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		until := time.Now().Add(5 * time.Minute)
		bans := []event.Ban{
			{Source: scanner, Grade: event.Proven, Since: time.Now().Add(-time.Minute), Until: until},
			{Source: netip.MustParsePrefix("203.0.113.0/24"), Grade: event.Manual, Until: until.Add(time.Minute)},
		}
		for i, ban := range bans {
			b.kernel.ban(ban)
			b.tracker.Adopt(ban, []string{"old", ""}[i])
		}
		b.pass(5*time.Minute - time.Second)
		b.want()
		b.pass(time.Second)
		events := b.want("source-unbanned old expired", "scan-ended old ban ended: expired")
		if g := events[0].Scan.Grade; g != event.Proven {
			t.Errorf("grade %s", g)
		}
		b.pass(time.Minute)
		b.want("source-unbanned id1 expired") // no scan was behind it
	})
}

func TestOperatorBan(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		manual := event.Ban{Source: scanner, Grade: event.Manual, Since: time.Now(), Reason: "abuse report"}
		b.kernel.ban(manual)
		b.tracker.Banned(manual)
		b.want("source-banned id1 abuse report")
		b.pass(24 * time.Hour)
		b.want()
		b.tracker.Unbanned(manual)
		b.want("source-unbanned id1 by operator")
	})
}

func TestIPv6SourceGrowsToPrefix(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		one := netip.MustParsePrefix("2001:db8:1:2::a/128")
		net := netip.MustParsePrefix("2001:db8:1:2::/64")
		d := alert(event.SYN)
		d.Source = one
		b.send(d)
		b.want("scan-detected id1 score 4 of 4")
		d = ban(event.SYN)
		d.Source = net
		b.banned(d)
		events := b.want("source-banned id1 score 8 of 8")
		if events[0].Scan.Source != net {
			t.Errorf("source %s, want %s", events[0].Scan.Source, net)
		}
		d = alert(event.FIN)
		d.Source = netip.MustParsePrefix("2001:db8:1:2::b/128")
		b.send(d)
		b.want()
		if open := b.tracker.Stats().Open; open != 1 {
			t.Errorf("%d scans open, want 1", open)
		}
		b.pass(10 * time.Minute)
		b.want("source-unbanned id1 expired", "scan-ended id1 ban ended: expired")
	})
}

// TestBanWidens tells of the network that is banned after its one address
// was, as more of the same scan.
func TestBanWidens(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		one := ban(event.SYN)
		one.Source = netip.MustParsePrefix("2001:db8:1:2::a/128")
		b.banned(one)
		b.want("source-banned id1 score 8 of 8")
		b.pass(time.Second)
		wide := ban(event.SYN)
		wide.First, wide.Source = one.First, netip.MustParsePrefix("2001:db8:1:2::/64")
		b.banned(wide)
		b.send(wide)
		events := b.want("source-banned id1 score 8 of 8")
		if got := events[0].Scan.Source; got != wide.Source {
			t.Errorf("source %s, want %s", got, wide.Source)
		}
	})
}

func TestNeighboursInOneNetworkStayApart(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		for i := range 2 {
			d := alert(event.SYN)
			d.Source = netip.MustParsePrefix(fmt.Sprintf("2001:db8:1:2::%d/128", i+1))
			b.send(d)
		}
		b.want("scan-detected id1 score 4 of 4", "scan-detected id2 score 4 of 4")
	})
}

func TestMappedAddressIsIPv4(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		d := alert(event.SYN)
		d.Source = netip.MustParsePrefix("::ffff:192.0.2.7/128")
		b.send(alert(event.SYN), d)
		b.want("scan-detected id1 score 4 of 4")
	})
}

func TestMixedTransportIsLeftOut(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		udp := alert(event.UDP)
		udp.Transport = "udp"
		b.send(alert(event.SYN), udp)
		events := b.take()
		if events[0].Scan.Transport != "tcp" || events[1].Scan.Transport != "" {
			t.Errorf("transports %q, %q", events[0].Scan.Transport, events[1].Scan.Transport)
		}
	})
}
