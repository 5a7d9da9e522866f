// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"

	"denmap/bpf"
	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// step is one packet, or a socket that opens or closes.
type step struct {
	wait   time.Duration
	via    byte // IP protocol
	p      packet.TCP
	toggle int  // number of a socket plus one; then there is no packet
	settle bool // what waits; no packet either
}

func (s step) frame() []byte {
	switch s.via {
	case protoTCP:
		return s.p.Bytes()
	case protoUDP:
		return s.p.UDP(s.p.Payload)
	case protoSCTP:
		return s.p.SCTP(s.p.Flags)
	}
	return s.p.IP(s.via, s.p.Payload)
}

// modelLab runs steps through model and program side by side.
type modelLab struct {
	*rig
	o       RunnerOptions
	host    Host
	lists   map[netip.Addr]listing
	sockets []*modelSocket
	steady  int // the last of them, which stay as they are
	seen    [reasons]uint64
	index   map[string]int // of the counter
	perCPU  []uint64
	record  ringbuf.Record
	packets int
}

// newModelLab makes labs until it has one whose hashes keep sources and
// targets apart: one in thirty does not.
func newModelLab(t testing.TB, o RunnerOptions, nat bool, rng *rand.Rand) (*modelLab, *rolls) {
	t.Helper()
	for {
		o.Seed = rng.Uint64()
		l := bareModelLab(t, o)
		r := l.furnish(rng, nat)
		if l.isApart(r) {
			return l, r
		}
	}
}

func bareModelLab(t testing.TB, o RunnerOptions) *modelLab {
	t.Helper()
	l := &modelLab{rig: newRig(t, o), o: o, index: make(map[string]int), lists: make(map[netip.Addr]listing)}
	for i, name := range reasonNames {
		l.index[name[0]+" "+name[1]] = i
	}
	l.host = Host{Own: []netip.Addr{host4, host6}}
	t.Cleanup(func() {
		for _, s := range l.sockets {
			if s.close != nil {
				s.close()
			}
		}
	})
	return l
}

// model returns a fresh model of the lab.
func (l *modelLab) model() *model {
	low, high, err := ephemeralPorts()
	if err != nil {
		l.t.Fatal(err)
	}
	m := &model{
		settings: l.o.Settings, monitor: l.o.Monitor, bridged: l.o.Bridged, nat: l.host.NAT, low: low, high: high,
		own: make(map[netip.Addr]bool), lists: l.lists, ignored: make(map[uint16]bool),
		entries: l.o.EntryLimit,
		sources: make(map[netip.Prefix]*modelSource), bans: make(map[netip.Prefix]*modelBan),
		rooms: make(map[netip.Prefix]*waitingRoom), published: make(map[service]time.Duration),
		awaited: make(map[netip.Addr]uint32), listened: make(map[heard]*hearing), now: l.now, onLink: l.host.OnLink,
		proven: make(map[netip.Prefix]*modelBan), visits: make(map[visit]bool),
		openings: make(map[uint64]*opening), seed: l.seed,
		socket: func(v *view) (found, connected bool) {
			for _, s := range l.sockets {
				if s.takes(v) {
					found, connected = true, connected || s.peer.IsValid()
				}
			}
			return found, connected
		},
	}
	if m.entries == 0 {
		m.entries = int(bpf.ScanLayoutENTRIES_A_SECOND)
	}
	for _, a := range l.host.Own {
		m.own[whole(a).Addr()] = true
	}
	for _, port := range l.o.Settings.IgnorePorts {
		m.ignored[port] = true
	}
	return m
}

// restart forgets every packet and opens every socket.
func (l *modelLab) restart() *model {
	l.t.Helper()
	if err := l.Forget(); err != nil {
		l.t.Fatal(err)
	}
	// Forget leaves the hint of who may be answered: the clock goes back here.
	hints, err := l.maps["answers"].Memory()
	if err == nil {
		_, err = hints.WriteAt(make([]byte, hints.Size()), 0)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	for addr, what := range l.lists {
		if what != manuallyBanned {
			continue
		}
		ban := event.Ban{Source: netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), Grade: event.Manual}
		if err := l.AddBan(ban); err != nil {
			l.t.Fatal(err)
		}
	}
	for _, s := range l.sockets {
		if s.close == nil {
			l.toggle(s)
		}
	}
	l.now = 0
	l.advance(time.Hour)
	return l.model()
}

// replay runs steps from a fresh start and returns the number of the first
// step on which model and program differ, and how; -1 if they agree.
func (l *modelLab) replay(steps []step) (at int, difference string) {
	l.t.Helper()
	m := l.restart()
	for i, s := range steps {
		l.advance(s.wait)
		m.now = l.now
		if s.toggle > 0 {
			l.toggle(l.sockets[s.toggle-1])
			continue
		}
		if s.settle {
			if difference := l.compareSettling(m); difference != "" {
				return i, difference
			}
			continue
		}
		if difference := l.compare(m, s.frame()); difference != "" {
			return i, difference
		}
	}
	return -1, ""
}

// compare runs one frame and says how the program departs from the model.
func (l *modelLab) compare(m *model, frame []byte) string {
	l.t.Helper()
	m.detections = m.detections[:0]
	want := m.judge(frame)
	l.packets++
	verdict := l.run(frame)
	index, ok := l.index[want]
	if !ok {
		l.t.Fatalf("the model speaks of %q", want)
	}
	if l.counter(index) != l.seen[index]+1 {
		return fmt.Sprintf("the program counts %q, the model %q", l.recount(), want)
	}
	l.seen[index]++
	if pass := want[:4] == "pass"; verdict != xdpPass && verdict != xdpDrop || pass != (verdict == xdpPass) {
		return fmt.Sprintf("verdict %d for %q", verdict, want)
	}
	if got := l.detections(); len(got)+len(m.detections) > 0 && !reflect.DeepEqual(got, m.detections) {
		return fmt.Sprintf("%s, and the program sends\n\t%+v\nthe model\n\t%+v", want, got, m.detections)
	}
	return ""
}

// compareSettling settles what waits, source by source as the program does.
func (l *modelLab) compareSettling(m *model) string {
	l.t.Helper()
	var order []netip.Prefix
	var key bpf.ScanPrefix
	for err := l.maps["waiters"].NextKey(nil, &key); !notFound(err); err = l.maps["waiters"].NextKey(&key, &key) {
		if err != nil {
			l.t.Fatal(err)
		}
		order = append(order, netip.PrefixFrom(netip.AddrFrom16(prefixFrom(key).Addr().As16()), int(key.Len)))
	}
	m.detections = m.detections[:0]
	m.settle(order)
	if err := l.Settle(); err != nil {
		l.t.Fatal(err)
	}
	if got := l.detections(); len(got)+len(m.detections) > 0 && !reflect.DeepEqual(got, m.detections) {
		return fmt.Sprintf("settled, and the program sends\n\t%+v\nthe model\n\t%+v", got, m.detections)
	}
	return ""
}

func (l *modelLab) counter(index int) (sum uint64) {
	l.t.Helper()
	if err := l.maps["counters"].Lookup(uint32(index), &l.perCPU); err != nil {
		l.t.Fatal(err)
	}
	for _, n := range l.perCPU {
		sum += n
	}
	return sum
}

// recount reads every counter and names those that moved.
func (l *modelLab) recount() string {
	l.t.Helper()
	var moved []string
	for i, name := range reasonNames {
		if n := l.counter(i); n != l.seen[i] {
			moved = append(moved, name[0]+" "+name[1])
			l.seen[i] = n
		}
	}
	l.detections()
	return strings.Join(moved, ", ")
}

// detections returns what the program sent, in the model's time.
func (l *modelLab) detections() (out []event.Detection) {
	l.t.Helper()
	for l.events.AvailableBytes() > 0 {
		l.events.SetDeadline(time.Unix(1, 0))
		if err := l.events.ReadInto(&l.record); err != nil {
			break
		}
		var e bpf.ScanEvent
		if len(l.record.RawSample) != eventSize {
			l.t.Fatalf("event of %d bytes", len(l.record.RawSample))
		}
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&e)), eventSize), l.record.RawSample)
		d := detectionFrom(&e, clock{wall: epoch})
		d.Alone = false // from a small table by hash, and only a hint: company_test.go
		out = append(out, d)
	}
	return out
}
