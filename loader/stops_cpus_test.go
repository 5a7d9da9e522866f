// SPDX-License-Identifier: MIT

package loader

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// cpus are those that the test may run on.
func cpus(t *testing.T) (out []int) {
	t.Helper()
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	for cpu := range len(allowed) * 64 {
		if allowed.IsSet(cpu) {
			out = append(out, cpu)
		}
	}
	return out
}

// on makes what follows run on one CPU.
func on(t *testing.T, cpu int) {
	t.Helper()
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
}

// TestBansAtWorkOnEveryCPU gives, replaces, shortens and lifts bans at random
// between packets on random CPUs. Each of these remembers the bans that it
// met: for that none lets a packet through, drops one or loses count.
func TestBansAtWorkOnEveryCPU(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	c := rand.New(rand.NewPCG(seed, 0))
	r := newRig(t, enforcing())
	r.advance(time.Duration(readClock().boot) - r.now) // bans count by the kernel's clock
	if err := r.SetOutcome(OutcomeOpen); err != nil {  // nothing prolongs a ban
		t.Fatal(err)
	}
	type table struct {
		source netip.Prefix
		blind  bool
	}
	ends := make(map[table]time.Duration)
	inForce := func(who netip.Addr) (out []netip.Prefix) {
		for ban, end := range ends {
			if ban.source.Contains(who) && r.now < end {
				out = append(out, ban.source)
			}
		}
		return out
	}
	all := cpus(t)
	send := func(who netip.Addr) {
		t.Helper()
		on(t, all[c.IntN(len(all))])
		want := uint32(xdpPass)
		if len(inForce(who)) > 0 {
			want = xdpDrop
		}
		if got := r.run(packet.Connect(who, host(who), 80).Bytes()); got != want {
			t.Fatalf("%s: verdict %d, want %d: bans until %v, now %v", who, got, want, ends, r.now)
		}
	}
	sources := []netip.Addr{scanner4, netip.MustParseAddr("203.0.113.8"), scanner6, neighbour}
	for range 20_000 {
		who := sources[c.IntN(len(sources))]
		source := netip.PrefixFrom(who, who.BitLen())
		if who.Is6() && c.IntN(3) == 0 {
			source = netip.PrefixFrom(who, 64).Masked()
		}
		switch c.IntN(20) {
		case 0:
			ban := event.Ban{Source: source, Grade: []event.Grade{event.Blind, event.Proven, event.Manual}[c.IntN(3)]}
			end := time.Duration(1<<63 - 1)
			if c.IntN(2) == 0 {
				end = r.now + time.Duration(c.IntN(5))*time.Second + time.Second/2
				ban.Until = readClock().time(uint64(end))
			}
			if err := r.AddBan(ban); err != nil {
				t.Fatal(err)
			}
			ends[table{source, ban.Grade == event.Blind}] = end
		case 1:
			if _, err := r.RemoveBan(source); err != nil {
				t.Fatal(err)
			}
			delete(ends, table{source, false})
			delete(ends, table{source, true})
		case 2:
			r.advance(time.Second)
		case 3:
			r.advance(time.Second) // bans that were replaced are forgotten
			bans := inForce(who)
			if len(bans) != 1 {
				continue
			}
			before, packets := r.droppedInForce(bans[0]), uint64(c.IntN(8))
			for range packets {
				send(who)
			}
			if got := r.droppedInForce(bans[0]) - before; got != packets {
				t.Fatalf("the ban of %s counts %d packets, want %d", bans[0], got, packets)
			}
		default:
			send(who)
		}
	}
}

// droppedInForce is what the bans in force of a source have dropped.
func (r *rig) droppedInForce(source netip.Prefix) (sum uint64) {
	r.t.Helper()
	bans, err := r.Bans()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, ban := range bans {
		if ban.Source == source {
			sum += ban.Dropped
		}
	}
	return sum
}
