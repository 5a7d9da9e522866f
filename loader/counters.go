// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"

	"github.com/cilium/ebpf"

	"denmap/bpf"
)

const reasons = int(bpf.ScanReasonREASONS)

// reasonNames are the names of enum reason, in its order. The first word
// of each pair is the verdict; "lost" counts no packet.
var reasonNames = [reasons][2]string{
	{"pass", "established"}, {"pass", "not-ip"}, {"pass", "icmp"}, {"pass", "tunnel"},
	{"pass", "later-fragment"}, {"pass", "not-unicast"}, {"pass", "essential"},
	{"pass", "paused"}, {"pass", "allowed"}, {"pass", "backscatter"}, {"pass", "open"},
	{"pass", "waiting"}, {"pass", "foreign"}, {"pass", "ignored-port"}, {"pass", "answer"}, {"pass", "service-gone"},
	{"pass", "repeated"}, {"pass", "counted"}, {"pass", "spared"},
	{"pass", "short-ethernet"}, {"pass", "bad-vlan"}, {"pass", "bad-ipv4"},
	{"pass", "bad-ipv6"}, {"pass", "bad-tcp"}, {"pass", "bad-udp"}, {"pass", "bad-sctp"},
	{"drop", "denied"}, {"drop", "banned"}, {"drop", "crossed"}, {"drop", "crafted"},
	{"lost", "event"}, {"lost", "source"}, {"lost", "ban"},
}

// Counter is one row of an interface's counters.
type Counter struct {
	Interface string
	Verdict   string // "pass", "drop" or "lost"
	Reason    string
	Count     uint64 // packets since the interface was attached
}

// Counters returns the counters of every protected interface, zeros
// included.
func (s *State) Counters() ([]Counter, error) {
	slots, err := s.slots()
	if err != nil {
		return nil, err
	}
	var out []Counter
	for slot := range ifaceSlots {
		iface, ok := slots[slot]
		if !ok {
			continue
		}
		for r, name := range reasonNames {
			n, err := s.count(slot*reasons + r)
			if err != nil {
				return nil, err
			}
			out = append(out, Counter{Interface: cString(iface.Name[:]), Verdict: name[0], Reason: name[1], Count: n})
		}
	}
	return out, nil
}

// count returns one counter, summed over the CPUs.
func (s *State) count(index int) (sum uint64, err error) {
	var perCPU []uint64
	if err := s.maps["counters"].Lookup(uint32(index), &perCPU); err != nil {
		return 0, fmt.Errorf("read counters: %w", err)
	}
	for _, n := range perCPU {
		sum += n
	}
	return sum, nil
}

// clearCounters makes a slot that another interface used start at zero.
func (k *Kernel) clearCounters(slot int) error {
	cpus, err := possibleCPUs()
	if err != nil {
		return err
	}
	zero := make([]uint64, cpus)
	for r := range reasons {
		if err := k.maps["counters"].Put(uint32(slot*reasons+r), zero); err != nil {
			return fmt.Errorf("clear counters: %w", err)
		}
	}
	return nil
}

// Fill is how full one table is.
type Fill struct {
	Table    string
	Entries  int
	Capacity int
	Bytes    uint64 // kernel memory, as the kernel accounts it
}

// Fills returns the fill of the tables that grow.
func (s *State) Fills() ([]Fill, error) {
	var out []Fill
	for _, name := range []string{"sources", "blind_bans", "bans", "own_addrs", "protected"} {
		m := s.maps[name]
		info, err := m.Info()
		if err != nil {
			return nil, fmt.Errorf("inspect %s: %w", name, err)
		}
		f := Fill{Table: name, Capacity: int(m.MaxEntries())}
		f.Bytes, _ = info.Memlock()
		if f.Entries, err = s.countEntries(name); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	lists, err := s.listFills()
	return append(out, lists...), err
}

// memoryOf returns what the kernel accounts for a map.
func memoryOf(m *ebpf.Map) (uint64, error) {
	info, err := m.Info()
	if err != nil {
		return 0, err
	}
	bytes, _ := info.Memlock()
	return bytes, nil
}

// Memory returns what the tables take in the kernel, lists included.
func (s *State) Memory() (bytes uint64, err error) {
	if bytes, err = s.ListMemory(); err != nil {
		return 0, err
	}
	for name, m := range s.maps {
		n, err := memoryOf(m)
		if err != nil {
			return 0, fmt.Errorf("inspect %s: %w", name, err)
		}
		bytes += n
	}
	return bytes, nil
}
