// SPDX-License-Identifier: MIT

package loader

import (
	"bytes"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

func TestSlowScanAndDecay(t *testing.T) {
	for _, row := range []struct {
		name   string
		gap    time.Duration
		banned bool
	}{
		{"nmap -T1", 15 * time.Second, true},
		{"nmap -T0", 5 * time.Minute, true},
		{"one failure in half an hour", 31 * time.Minute, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := newRig(t, enforcing())
			start, banned := r.now, false
			for port := range uint16(30) {
				banned = banned || r.verdict(packet.Connect(scanner4, host4, 1000+port).Bytes()) == "drop crossed"
				if banned {
					break
				}
				r.advance(row.gap)
			}
			if banned != row.banned {
				t.Errorf("banned %v, want %v", banned, row.banned)
			}
			if took := r.now - start; banned && took > time.Hour {
				t.Errorf("banned only after %v", took)
			}
		})
	}
}

func TestForgottenWithItsPorts(t *testing.T) {
	r := newRig(t, enforcing())
	for range 5 {
		for port := range uint16(3) {
			r.run(packet.Connect(scanner4, host4, 1000+port).Bytes())
		}
		src, found, err := r.Source(scanner4)
		if err != nil || !found || src.Distinct != 3 {
			t.Fatalf("%+v, %v, %v", src, found, err)
		}
		r.advance(2 * time.Hour)
	}
	if got := r.drain(); len(got) != 0 {
		t.Errorf("a client's rare failures sent %+v", got)
	}
}

func TestIPv6PrefixIsBannedFromTheSecondAddressOn(t *testing.T) {
	r := newRig(t, enforcing())
	for port := range uint16(8) {
		r.run(packet.Connect(scanner6, host6, 1000+port).Bytes())
	}
	got := r.drain()
	if len(got) != 2 || got[1].Source.String() != "2001:db8:bad::7/128" {
		t.Fatalf("one address: %+v", got)
	}
	if v := r.verdict(packet.Connect(neighbour, host6, 22).Bytes()); v != "drop crossed" {
		t.Errorf("first failure of the second address: %q", v)
	}
	got = r.drain()
	if len(got) != 1 || got[0].Source.String() != "2001:db8:bad::/64" || got[0].Verdict != event.VerdictBan {
		t.Errorf("second address: %+v", got)
	}
	if v := r.verdict(packet.Connect(netip.MustParseAddr("2001:db8:bad::9"), host6, 22).Bytes()); v != "drop banned" {
		t.Errorf("third address: %q", v)
	}
	if v := r.verdict(packet.Connect(netip.MustParseAddr("2001:db8:bad:1::9"), host6, 22).Bytes()); v != "pass counted" {
		t.Errorf("next /64: %q", v)
	}
}

func TestIPv6NeighboursAreScoredAlone(t *testing.T) {
	for _, row := range []struct{ name, onLink, first, second string }{
		{"on link", "2001:db8:1::/64", "2001:db8:1::7", "2001:db8:1::8"},
		{"on a long prefix", "2001:db8:1::/120", "2001:db8:1::7", "2001:db8:1::8"},
		{"on a short prefix", "2001:db8:1::/48", "2001:db8:1:f::7", "2001:db8:1:f::8"},
		{"link-local", "2001:db8:1::/64", "fe80::7", "fe80::8"},
		{"NAT64", "2001:db8:1::/64", "64:ff9b::203.0.113.7", "64:ff9b::203.0.113.8"},
	} {
		r := newRig(t, enforcing())
		if err := r.SetHost(Host{Own: []netip.Addr{host6}, OnLink: []netip.Prefix{netip.MustParsePrefix(row.onLink)}}); err != nil {
			t.Fatal(err)
		}
		first, second := netip.MustParseAddr(row.first), netip.MustParseAddr(row.second)
		for port := range uint16(8) {
			r.run(packet.Connect(first, host6, 1000+port).Bytes())
		}
		got := r.drain()
		if len(got) != 2 || got[1].Source != netip.PrefixFrom(first, 128) {
			t.Errorf("%s: %+v", row.name, got)
		}
		if v := r.verdict(packet.Connect(second, host6, 1000).Bytes()); v != "pass counted" {
			t.Errorf("%s: the neighbour got %q", row.name, v)
		}
	}
}

func TestLowThresholdNeedsNoSecondFailure(t *testing.T) {
	o := enforcing()
	o.Settings.AlertScore, o.Settings.BanScore = 1, 1
	r := newRig(t, o)
	if got := r.verdict(packet.Connect(scanner4, host4, 22).Bytes()); got != "drop crossed" {
		t.Error(got)
	}
}

// Eight packets of one source on two CPUs at once: the threshold itself
// passes, never more.
func TestCrossingIsExactOnManyCPUs(t *testing.T) {
	r := newRig(t, enforcing())
	for round := range 200 {
		src := netip.AddrFrom4([4]byte{192, 0, 2, byte(round)})
		var wg sync.WaitGroup
		passed := make([]int, 4)
		for w := range passed {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range 50 {
					frame := packet.Connect(src, foreign4, uint16(1000+50*w+i))
					frame.Flags = packet.FIN // needs no socket: the namespace is this thread's only
					if v, err := r.scan.Run(&ebpf.RunOptions{Data: frame.Bytes()}); err != nil {
						t.Error(err)
					} else if v == xdpPass {
						passed[w]++
					}
				}
			}()
		}
		wg.Wait()
		total := 0
		for _, n := range passed {
			total += n
		}
		if total > 3 {
			t.Fatalf("round %d: %d passed, at most 3 may", round, total)
		}
	}
}

func TestEvidence(t *testing.T) {
	for i, src := range []netip.Addr{scanner4, scanner6, scanner4} {
		r := newRig(t, enforcing())
		tags := i * 8 // VLAN tags in front, 16 at most
		var frames [][]byte
		for port := range uint16(8) {
			probe := packet.Connect(src, host(src), 1000+port)
			probe.VLANs = slices.Repeat([]uint16{0x8100}, tags)
			frame := probe.Bytes()
			frames = append(frames, frame)
			r.run(frame)
			r.advance(time.Second)
		}
		e, found, err := r.Evidence(src)
		if err != nil || !found {
			t.Fatal(found, err)
		}
		if len(e.Probes) != 8 || len(e.Packets) != 7 {
			t.Fatalf("%d probes and %d packets, want 8 and 7 (all but the first)", len(e.Probes), len(e.Packets))
		}
		for i, p := range e.Probes {
			// The first one waited in the filter, which keeps no header.
			if p.Port != uint16(1000+i) || p.Kind != event.Connect || p.Score != i+1 || p.Known != (i > 0) {
				t.Errorf("probe %d: %+v", i, p)
			}
			if p.Known && (p.Flags != packet.SYN || p.Window != 64240 || p.TTL != 64) {
				t.Errorf("header of probe %d: %+v", i, p)
			}
		}
		for i, p := range e.Packets {
			if want := frames[1+i][14+4*tags:]; !bytes.Equal(p.Header, want) || p.Length != len(want) {
				t.Errorf("packet %d: %x of %d bytes, want %x", i, p.Header, p.Length, want)
			}
		}
	}
}

func TestForget(t *testing.T) {
	r := behindNAT(t)
	syn := packet.Connect(scanner4, host4, 8000)
	r.run(syn.Bytes())
	next := follow(syn, packet.ACK, "")
	r.run(next.Bytes())
	for port := range uint16(6) {
		r.run(packet.Nmap(scanner4, host4, 1000+port).Bytes())
	}
	if err := r.Forget(); err != nil {
		t.Fatal(err)
	}
	if got := r.verdict(syn.Bytes()); got != "pass waiting" {
		t.Errorf("after Forget: %q", got)
	}
	if found, err := r.Sources(); err != nil || len(found) != 0 {
		t.Errorf("sources: %v, %v", found, err)
	}
}
