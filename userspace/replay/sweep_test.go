// SPDX-License-Identifier: MIT

package replay

import (
	"net/netip"
	"testing"

	"github.com/gopacket/gopacket/layers"

	packets "denmap/testenv/packet"
	"denmap/userspace/event"
)

// sweepProgram reports a sweep, or another scan, on the n-th packet that
// failed on clean tables.
type sweepProgram struct {
	fakeProgram
	n    int
	kind event.Kind
}

func (s *sweepProgram) Run(frame []byte) error {
	s.frames = append(s.frames, frame)
	if s.outcomes[len(s.outcomes)-1] != Closed {
		return nil
	}
	if s.closed++; s.closed == s.n {
		s.pending = append(s.pending, event.Detection{Verdict: event.VerdictAlert, Source: netip.PrefixFrom(client, 32), Distinct: s.n,
			Kinds: event.Kinds(0).With(s.kind), Main: s.kind})
	}
	return nil
}

// swept are SYNs to port 23 of n hosts; the third of them has a service.
func swept(n int, host func(i int) netip.Addr) (frames [][]byte) {
	for i := range n {
		syn := packets.Connect(client, host(i), 23)
		flags := byte(packets.RST | packets.ACK)
		if i == 2 {
			flags = packets.SYN | packets.ACK
		}
		frames = append(frames, syn.Bytes(), answer(syn, flags).Bytes())
	}
	return frames
}

// A port of many hosts of one network is a sweep, though none of them sees
// more than one probe; the same number of hosts all over the world is not.
func TestSweeps(t *testing.T) {
	near := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(10 + i)}) }
	far := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, byte(10 + i), 1}) }
	vertical := append(swept(6, near), packets.Connect(client, near(0), 24).Bytes(), packets.Connect(client, near(0), 25).Bytes(),
		packets.Connect(client, near(0), 26).Bytes(), packets.Connect(client, near(0), 27).Bytes())
	mixed := swept(6, near)
	for i := range 8 {
		syn := packets.Connect(client, near(20+i), 23)
		mixed = append(mixed, syn.Bytes(), answer(syn, packets.SYN|packets.ACK).Bytes())
	}
	for _, row := range []struct {
		name   string
		frames [][]byte
		kind   event.Kind
		score  int
		want   int // index of the destination; -1: nothing
	}{
		{"six hosts", swept(6, near), event.Sweep, 8, 5},
		{"six hosts, where sweeps are not asked for", swept(6, near), event.Sweep, 0, -1},
		{"five hosts, four of which fail", swept(5, near), event.Sweep, 8, -1},
		{"six hosts of six networks", swept(6, far), event.Sweep, 8, -1},
		{"fourteen hosts, more than half of which serve", mixed, event.Sweep, 8, -1},
		{"something else than a sweep", swept(6, near), event.SYN, 8, -1},
		{"a source that is found at one of the hosts", vertical, event.Sweep, 8, 0},
	} {
		result, err := Run(capture(t, layers.LinkTypeEthernet, row.frames...), &sweepProgram{n: 5, kind: row.kind}, Options{SweepScore: row.score})
		if err != nil {
			t.Fatal(err)
		}
		switch found := result.Detections; {
		case row.want < 0 && len(found) != 0:
			t.Errorf("%s: %+v, want nothing", row.name, found)
		case row.want >= 0 && (len(found) != 1 || found[0].Destination != near(row.want)):
			t.Errorf("%s: %+v, want one at %v", row.name, found, near(row.want))
		}
	}
}
