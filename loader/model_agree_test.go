// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"testing"
	"time"

	"denmap/bpf"
	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// TestModelAgrees holds the program against the model on random sequences.
// DENMAP_MODEL_PACKETS says how many packets to run (default: as many as
// fit into ten seconds), DENMAP_MODEL_SEED repeats a run.
func TestModelAgrees(t *testing.T) {
	seed := envNumber(t, "DENMAP_MODEL_SEED", uint64(time.Now().UnixNano()))
	packets := int(envNumber(t, "DENMAP_MODEL_PACKETS", 0))
	t.Logf("DENMAP_MODEL_SEED=%d", seed)
	const labs = 8
	for n := range labs {
		rng := rand.New(rand.NewPCG(seed, uint64(n)))
		o := enforcing()
		switch {
		case n == 1:
			o.Monitor = true
		case n > 1:
			o = randomOptions(rng)
		}
		t.Run(fmt.Sprintf("settings %d", n), func(t *testing.T) {
			t.Logf("%+v", o)
			l, r := newModelLab(t, o, n%3 == 2, rng)
			start := time.Now()
			for l.packets < packets/labs || packets == 0 && time.Since(start) < 10*time.Second/labs {
				steps := r.sequence(50 + r.IntN(300))
				if at, _ := l.replay(steps); at >= 0 {
					steps = l.shrink(steps)
					_, difference := l.replay(steps)
					t.Fatalf("after %d packets: %s\n%s", l.packets, difference, goSource(steps))
				}
			}
			if moved := l.recount(); moved != "" {
				t.Errorf("also counted: %s", moved)
			}
			t.Logf("%d packets, %.0f a second", l.packets, float64(l.packets)/time.Since(start).Seconds())
		})
	}
}

func envNumber(t *testing.T, name string, otherwise uint64) uint64 {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// isApart: no two sources share a slot of the filter and no two targets a
// fingerprint. The program may take one for the other then.
func (l *modelLab) isApart(r *rolls) bool {
	m := l.model()
	slots, prints := make(map[uint64]netip.Prefix), make(map[uint64]target)
	answers, visits := make(map[uint64]netip.Addr), make(map[uint64]visit)
	for _, a := range r.sources {
		key := m.sourceKey(&view{v6: a.Is6(), src: netip.AddrFrom16(a.As16())})
		slot := slotOf(key, l.seed)
		if other, taken := slots[slot]; taken && other != key {
			return false
		}
		slots[slot] = key
		answer := hashWords(words(a), l.seed) >> 50
		if _, taken := answers[answer]; taken {
			return false
		}
		answers[answer] = a
		ports := []uint16{0} // any
		for _, s := range l.sockets {
			ports = append(ports, s.port)
		}
		for _, port := range ports {
			is := visit{a, port}
			bit := visitOf(is, l.seed)
			if other, taken := visits[bit]; taken && other != is {
				return false
			}
			visits[bit] = is
		}
	}
	for _, a := range r.targets {
		for _, protocol := range append([]byte{protoTCP, protoUDP, protoSCTP, 60}, modelProtocols...) {
			is := target{dst: netip.AddrFrom16(a.As16()), protocol: protocol}
			print := printOf(is, l.seed)
			if other, taken := prints[print]; taken && other != is {
				return false
			}
			prints[print] = is
		}
	}
	return true
}

// TestModelKnowsTheHashes makes isApart trustworthy: it finds each source's
// first failure in the slot, and with the fingerprint, that it expects.
func TestModelKnowsTheHashes(t *testing.T) {
	l, r := newModelLab(t, enforcing(), false, rand.New(rand.NewPCG(1, 2)))
	for _, a := range r.sources {
		src := netip.AddrFrom16(a.As16())
		m := l.restart()
		if m.lists[src] != unlisted {
			continue
		}
		l.run(packet.Connect(a, host(a), 1000).Bytes())
		var set bpf.ScanIndexSet
		if err := l.maps["first_index"].Lookup(uint32(slotOf(m.sourceKey(&view{v6: a.Is6(), src: src}), l.seed)), &set); err != nil {
			t.Fatal(err)
		}
		if set == (bpf.ScanIndexSet{}) {
			t.Errorf("%v: nothing of it is where it should be", a)
		}
		var file bpf.ScanNewcomer // the first of an empty ring
		if err := l.maps["first_failures"].Lookup(uint32(0), &file); err != nil {
			t.Fatal(err)
		}
		is := target{dst: netip.AddrFrom16(host(a).As16()), protocol: protoTCP}
		target := printOf(is, l.seed)<<16 | 1000
		if got, want := uint64(file.Prints[0]), uint64(event.Connect)<<28|target; got != want {
			t.Errorf("%v: its file holds %#x, want a fingerprint of %#x", a, got, want)
		}
	}
}
