// SPDX-License-Identifier: MIT

package scans

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"denmap/userspace/event"
)

// numbered is a source of its own for each i below 65536.
func numbered(i int) netip.Prefix {
	a := netip.MustParseAddr("2001:db8::").As16()
	a[4], a[5] = byte(i>>8), byte(i)
	return netip.PrefixFrom(netip.AddrFrom16(a), 128)
}

func TestOldestIsEndedWhenFull(t *testing.T) {
	inBubble(t, Options{MaxOpen: 3}, func(b *bench) {
		for i := range 5 {
			d := alert(event.SYN)
			d.Source = numbered(i)
			b.send(d)
		}
		b.want("scan-detected id1 score 4 of 4", "scan-detected id2 score 4 of 4", "scan-detected id3 score 4 of 4",
			"scan-ended id1 too many open scans", "scan-detected id4 score 4 of 4",
			"scan-ended id2 too many open scans", "scan-detected id5 score 4 of 4")
		if s := b.tracker.Stats(); s.Open != 3 || s.Overflowed != 2 || s.Scans != 5 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestKernelErrorsNeitherEndNorKeepBans(t *testing.T) {
	inBubble(t, Options{}, func(b *bench) {
		b.banned(ban(event.SYN))
		b.take()
		b.kernel.breakDown(true)
		b.pass(9 * time.Minute)
		b.want()
		b.pass(2 * time.Minute)
		b.want("source-unbanned id1 expired", "scan-ended id1 ban ended: expired")
		if b.tracker.Stats().KernelErrors == 0 {
			t.Error("errors are not counted")
		}
	})
}

func TestPlaceIsFilledIn(t *testing.T) {
	locate := func(a netip.Addr) event.Place {
		time.Sleep(100 * time.Millisecond)
		return event.Place{Country: "Testland " + a.String()}
	}
	inBubble(t, Options{Locate: locate}, func(b *bench) {
		b.send(alert(event.SYN))
		b.banned(ban(event.SYN))
		b.want()
		b.pass(100 * time.Millisecond)
		for _, e := range b.want("scan-detected id1 score 4 of 4", "source-banned id1 score 8 of 8") {
			if e.Scan.Place.Country != "Testland 192.0.2.7" {
				t.Errorf("%s: place %+v", e.Action, e.Scan.Place)
			}
		}
	})
}

func TestHangingLocatorHoldsUpFewLines(t *testing.T) {
	locate := func(netip.Addr) event.Place {
		time.Sleep(time.Hour)
		return event.Place{}
	}
	inBubble(t, Options{Locate: locate, LocateWait: time.Second}, func(b *bench) {
		for i := range 50 {
			d := alert(event.SYN)
			d.Source = numbered(i)
			b.send(d)
		}
		b.pass(maxLate * time.Second)
		if got := len(b.take()); got != 50 {
			t.Errorf("%d lines after %d s, want 50", got, maxLate)
		}
		if got := b.tracker.Stats().Unlocated; got != 50 {
			t.Errorf("unlocated %d, want 50", got)
		}
		b.pass(26 * time.Hour) // let the workers finish inside the bubble
	})
}

func TestRunTellsWhatItReadBeforeTheEnd(t *testing.T) {
	kernel := &fakeKernel{}
	in := make(chan event.Detection, 8)
	for i := range 5 {
		d := alert(event.SYN)
		d.Source = numbered(i)
		in <- d
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lines := 0
	New(Options{Kernel: kernel}).Run(ctx, in, func(event.Event) { lines++ })
	if lines != 5 {
		t.Errorf("%d lines, want 5", lines)
	}
}

func TestClosedInputEndsRun(t *testing.T) {
	in := make(chan event.Detection)
	close(in)
	New(Options{Kernel: &fakeKernel{}}).Run(t.Context(), in, func(event.Event) { t.Error("an event from nothing") })
}

// TestRandomTraffic throws random detections and bans at a tracker and
// checks what must hold for every scan, whatever comes.
func TestRandomTraffic(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	inBubble(t, Options{MaxOpen: 40}, func(b *bench) {
		for range 3000 {
			d := alert(event.Kind(r.IntN(14)))
			if r.IntN(3) == 0 {
				d = ban(event.Kind(r.IntN(14)))
			}
			d.Source = numbered(r.IntN(60))
			switch {
			case d.Verdict == event.VerdictBan && r.IntN(2) == 0:
				d.Verdict, d.BanUntil = event.VerdictWouldBan, time.Time{}
				b.send(d)
			case d.Verdict == event.VerdictBan:
				b.banned(d)
			default:
				b.send(d)
			}
			if r.IntN(10) == 0 {
				b.tracker.Unbanned(event.Ban{Source: numbered(r.IntN(60))})
			}
			b.pass(time.Duration(r.IntN(20)) * time.Second)
		}
		b.pass(time.Hour)

		type life struct {
			lines, alerts, banned, unbanned int
			ended                           bool
		}
		scans := map[string]*life{}
		for _, e := range b.take() {
			l := scans[e.ID]
			if l == nil {
				l = &life{}
				scans[e.ID] = l
			}
			if l.ended {
				t.Fatalf("%s after scan-ended of %s", e.Action, e.ID)
			}
			l.lines++
			switch e.Action {
			case event.ScanDetected:
				l.alerts++
			case event.SourceBanned:
				l.banned++
			case event.SourceUnbanned:
				l.unbanned++
			case event.ScanEnded:
				l.ended = true
			}
		}
		for id, l := range scans {
			if !l.ended || l.alerts > maxAlerts || l.banned > 2 || l.unbanned > 1 || l.lines > maxAlerts+4 {
				t.Errorf("%s: %+v", id, *l)
			}
		}
		if s := b.tracker.Stats(); s.Open != 0 || int(s.Scans) != len(scans) {
			t.Errorf("stats %+v, %d scans in the log", s, len(scans))
		}
	})
}
