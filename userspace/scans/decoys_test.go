// SPDX-License-Identifier: MIT

package scans

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"denmap/userspace/event"
)

// decoy returns d as source number n sent it: as nmap's decoys, microseconds
// later and the same otherwise.
func decoy(n int, d event.Detection) event.Detection {
	d.Source = netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(n)}), 32)
	d.Time = d.Time.Add(time.Duration(n) * 10 * time.Microsecond)
	d.Sequence, d.SourcePort, d.IPID = 0x6610e74d, 40482, uint16(0xb8b8+d.Score)
	return d
}

// checkGroup wants e to name n sources of one group, the first ones whole.
func checkGroup(t *testing.T, e event.Event, id string, n int) {
	t.Helper()
	g := e.Scan.Group
	if g == nil {
		t.Errorf("%s of %s names no group", e.Action, e.Scan.Source)
		return
	}
	if g.ID != id || g.Size != n || len(g.Sources) != min(n, maxNamed) {
		t.Errorf("%s of %s: group %+v, want %q of %d", e.Action, e.Scan.Source, *g, id, n)
	}
}

func TestDecoysAreOneEvent(t *testing.T) {
	inBubble(t, Options{DecoyWait: defaultDecoyWait}, func(b *bench) {
		first, second := alert(event.SYN), ban(event.SYN)
		for n := 1; n <= 4; n++ {
			b.send(decoy(n, first))
		}
		for n := 1; n <= 4; n++ {
			b.banned(decoy(n, second))
		}
		if got := b.take(); len(got) != 0 {
			t.Fatalf("%d lines before all decoys can be known", len(got))
		}
		b.pass(defaultDecoyWait)
		for _, e := range b.want("scan-detected id1 score 4 of 4", "source-banned id1 score 8 of 8", "source-banned id2 score 8 of 8",
			"source-banned id3 score 8 of 8", "source-banned id4 score 8 of 8") {
			checkGroup(t, e, "id1", 4)
		}
		if s := b.tracker.Stats(); s.Groups != 1 || s.Folded != 3 || s.Scans != 4 {
			t.Errorf("stats %+v", s)
		}
		b.pass(11 * time.Minute)
		ends := b.take()
		if len(ends) != 8 {
			t.Fatalf("%d lines at the end, want 8", len(ends))
		}
		for _, e := range ends {
			checkGroup(t, e, "id1", 4)
		}
	})
}

// TestLineWaitsForDecoys: no longer than they keep coming, nor than it may.
func TestLineWaitsForDecoys(t *testing.T) {
	step := decoyPause / 4
	for _, test := range []struct {
		decoys int
		alone  bool
		wait   time.Duration // of the first line
	}{
		{1, true, alonePause},
		{1, false, decoyPause},
		{4, false, 3*step + decoyPause},
		{50, false, defaultDecoyWait},
	} {
		inBubble(t, Options{DecoyWait: defaultDecoyWait}, func(b *bench) {
			began, d := time.Now(), alert(event.SYN)
			d.Alone = test.alone
			for n := 1; n <= test.decoys && time.Since(began) < test.wait; n++ {
				if len(b.take()) > 0 {
					t.Errorf("%d decoys: a line after %v", test.decoys, time.Since(began))
				}
				b.send(decoy(n, d))
				b.pass(min(step, test.wait-time.Since(began)))
			}
			if rest := test.wait - time.Since(began); rest > 0 {
				b.pass(rest - time.Microsecond)
				if len(b.take()) > 0 {
					t.Errorf("%d decoys: a line before %v", test.decoys, test.wait)
				}
				b.pass(time.Microsecond)
			}
			if len(b.take()) == 0 {
				t.Errorf("%d decoys: no line after %v", test.decoys, time.Since(began))
			}
		})
	}
}

// TestOneDecoyHadAScore: the threshold is crossed by another packet then,
// with another IP id, of the same try.
func TestOneDecoyHadAScore(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		d := decoy(1, alert(event.SYN))
		b.send(d)
		other := decoy(2, alert(event.SYN))
		other.IPID, other.Ports, other.Distinct = 7, []uint16{8080, 1, 2, 3}, 4
		b.send(other)
		events := b.want("scan-detected id1 score 4 of 4", "scan-detected id2 score 4 of 4")
		if events[0].Scan.Group != nil {
			t.Error("the first line names a group before it has company")
		}
		checkGroup(t, events[1], "id1", 2)
	})
}

// protocols makes d one of nmap -sO, whose decoys have IP ids of their own.
func protocols(d *event.Detection) {
	d.Kinds, d.Main, d.Sequence, d.SourcePort, d.Transport = event.Kinds(0).With(event.IPProtocol), event.IPProtocol, 0, 0, ""
	d.Ports = []uint16{132, 47, 33, 254}
}

func TestNoDecoys(t *testing.T) {
	base := func() event.Detection {
		d := decoy(1, alert(event.SYN))
		d.Ports = []uint16{443, 22, 80, 21}
		return d
	}
	tests := []struct {
		name   string
		same   bool
		first  func(*event.Detection)
		change func(*event.Detection)
	}{
		{"the same", true, nil, func(d *event.Detection) {}},
		{"another sequence number", false, nil, func(d *event.Detection) { d.Sequence++ }},
		{"another source port", false, nil, func(d *event.Detection) { d.SourcePort++ }},
		{"another destination", false, nil, func(d *event.Detection) { d.Destination = netip.MustParseAddr("198.51.100.2") }},
		{"later", false, nil, func(d *event.Detection) { d.Time = d.Time.Add(60 * time.Millisecond) }},
		{"reported late and out of order", true, nil, func(d *event.Detection) { d.Time = d.Time.Add(-40 * time.Millisecond) }},
		{"no sequence number, same id", true, func(d *event.Detection) { d.Sequence = 0 }, func(d *event.Detection) {}},
		{"no sequence number, other id", false, func(d *event.Detection) { d.Sequence = 0 }, func(d *event.Detection) { d.IPID++ }},
		{"no sequence number, other port", false, func(d *event.Detection) { d.Sequence = 0 }, func(d *event.Detection) { d.Ports = []uint16{80, 22} }},
		{"no sequence number, other order", false, func(d *event.Detection) { d.Sequence = 0 }, func(d *event.Detection) { d.Ports = []uint16{443, 80, 22, 21} }},
		{"neither number", true, func(d *event.Detection) { d.Sequence, d.IPID = 0, 0 }, func(d *event.Detection) {}},
		{"neither number, few ports", false, func(d *event.Detection) { d.Sequence, d.IPID, d.Ports = 0, 0, d.Ports[:2] }, func(d *event.Detection) {}},
		{"protocols in one order", true, protocols, func(d *event.Detection) { d.IPID++ }},
		{"protocols in another order", false, protocols, func(d *event.Detection) { d.IPID, d.Ports = d.IPID+1, []uint16{132, 47, 254, 33} }},
		{"few protocols", false, func(d *event.Detection) { protocols(d); d.Ports = d.Ports[:3] }, func(d *event.Detection) {}},
		{"bots of Mirai", false, func(d *event.Detection) { d.Sequence = 0xc6336401 }, func(d *event.Detection) { d.IPID++ }},
		{"forged Mirai", true, func(d *event.Detection) { d.Sequence = 0xc6336401 }, func(d *event.Detection) {}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			inBubble(t, Options{}, func(b *bench) {
				d := base()
				if test.first != nil {
					test.first(&d)
				}
				b.send(d)
				e := d
				e.Source = netip.MustParsePrefix("192.0.2.99/32")
				test.change(&e)
				b.send(e)
				if n := b.tracker.Stats().Groups; (n == 1) != test.same {
					t.Errorf("%d groups, want one: %v", n, test.same)
				}
			})
		})
	}
}

// TestProvenDecoy: whoever completes handshakes is no decoy.
func TestProvenDecoy(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.send(decoy(1, alert(event.SYN)), decoy(2, alert(event.SYN)), decoy(3, alert(event.SYN)))
		b.take()
		real := decoy(2, ban(event.SYN))
		real.Grade = event.Proven
		b.banned(real)
		b.banned(decoy(3, ban(event.SYN)))
		for _, e := range b.want("source-banned id2 score 8 of 8", "source-banned id3 score 8 of 8") {
			checkGroup(t, e, "id1", 3)
			if p := e.Scan.Group.Proven; len(p) != 1 || p[0] != real.Source {
				t.Errorf("proven %v, want %s", p, real.Source)
			}
		}
	})
}

// TestCaredForDecoys: an alert about an address that must not be lost is
// never left out.
func TestCaredForDecoys(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.send(decoy(1, alert(event.SYN)), decoy(2, alert(event.SYN)))
		gateway := decoy(3, alert(event.SYN))
		gateway.Protected = true
		b.send(gateway, decoy(4, alert(event.SYN)))
		events := b.take()
		if last := events[len(events)-1]; !last.Scan.Protected {
			t.Errorf("%d lines, none about the protected address", len(events))
		}
	})
}

// TestTwoGroupsThatMeet: sources that crossed the alert score apart are
// one group when they cross the ban score together, and a source stays
// with the group that its lines have named.
func TestTwoGroupsThatMeet(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.send(decoy(1, alert(event.SYN)))
		b.pass(time.Second)
		b.send(decoy(2, alert(event.SYN)))
		b.pass(time.Second)
		b.take()
		d := ban(event.SYN)
		b.banned(decoy(1, d))
		b.banned(decoy(2, d))
		events := b.want("source-banned id1 score 8 of 8", "source-banned id2 score 8 of 8")
		checkGroup(t, events[1], "id1", 2)

		b.pass(time.Second)
		c, e := decoy(3, alert(event.SYN)), decoy(4, alert(event.SYN))
		c.Sequence, e.Sequence = 9, 9
		b.send(c, e)
		again := decoy(2, alert(event.FIN))
		again.Sequence, again.Time = 9, e.Time
		b.send(again)
		b.pass(20 * time.Minute)
		for _, e := range b.take() {
			if e.ID == "id2" {
				checkGroup(t, e, "id1", 2)
			}
		}
	})
}

// TestManyDecoys: a flood of decoys is one group of bounded size.
func TestManyDecoys(t *testing.T) {
	inBubble(t, Options{MaxOpen: 3 * maxRecent}, func(b *bench) {
		const flood = 2 * maxRecent
		at := time.Now()
		for n := range flood {
			d := decoy(1, alert(event.SYN))
			d.Source = netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, byte(n >> 8), byte(n)}), 32)
			d.Time = at
			b.in <- d
		}
		b.send()
		s := b.tracker.Stats()
		if s.Groups != 1 || s.Folded < flood-2 { // the first line may have gone out alone
			t.Errorf("stats %+v", s)
		}
		b.take()
		b.send(decoy(200, alert(event.FIN)))
		checkGroup(t, b.want(fmt.Sprintf("scan-detected id%d score 4 of 4", flood+1))[0], "id1", flood+1)

		for n := range flood {
			d := decoy(1, alert(event.SYN))
			d.Source = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), 32)
			d.Time, d.Sequence = at, uint32(n+1)
			b.in <- d
		}
		b.send()
		if n, m := len(b.tracker.decoys.latest), len(b.tracker.decoys.queue); n > maxRecent || m > maxRecent {
			t.Errorf("%d and %d probes remembered, want at most %d", n, m, maxRecent)
		}
	})
}
