// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/cilium/ebpf"

	"denmap/loader"
	"denmap/testenv/packet"
	"denmap/userspace/event"
)

// path is one way of a packet through the program.
type path struct {
	name    string
	frame   []byte
	prog    *ebpf.Program
	bare    bool // only drops: what the other rows are compared with
	sources sourceKind
	packets int    // in each round; 0: as many as asked for
	want    string // the counter that every packet must raise; "" for bare
	target  float64
	run     *loader.Runner
}

// time returns ns per packet, and fails if the packets did not go the way
// that the row claims.
func (p path) time(repeat int) (float64, error) {
	if p.packets > 0 {
		repeat = p.packets
	}
	before, err := p.counted()
	if err != nil {
		return 0, err
	}
	_, took, err := p.prog.Benchmark(p.frame, repeat, nil)
	if err != nil {
		return 0, err
	}
	after, err := p.counted()
	if err != nil {
		return 0, err
	}
	// A random source may be listed, or meet an earlier one in the
	// first-failure filter.
	if got, share := after-before, p.sources.share(); p.run != nil && got < uint64(repeat)*share/100 {
		return 0, fmt.Errorf("%d of %d packets were counted as %q", got, repeat, p.want)
	}
	return float64(took.Nanoseconds()), nil
}

// compare times the path and, right before it, the bare drop, since the
// machine's speed changes within a round. What giving each packet a source
// of its own costs is measured as well, and taken off.
func (p path) compare(bare map[sourceKind]path, repeat int) (ns, ratio float64, err error) {
	drop, err := bare[fixed].time(repeat)
	if err != nil || (p.bare && p.sources == fixed) {
		return drop, 1, err
	}
	extra := 0.0
	if p.sources != fixed {
		random, err := bare[p.sources].time(repeat)
		if err != nil {
			return 0, 0, err
		}
		extra = random - drop
	}
	ns, err = p.time(repeat)
	return ns - extra, (ns - extra) / drop, err
}

func (p path) counted() (uint64, error) {
	if p.run == nil {
		return 0, nil
	}
	counts, err := p.run.Counts()
	return counts[p.want], err
}

// kind is what a row is made of.
type kind struct {
	name    string
	want    string
	target  float64
	target6 float64 // of IPv6, where it differs
	frame   func(end ends) packet.TCP
	prepare func(r *loader.Runner, end ends) error
	sources bool // random
	packets int
	only4   bool
}

// ends are what frames of one family are made from.
type ends struct {
	peers
	six bool
}

func (e ends) connect(port uint16) packet.TCP {
	return packet.Connect(e.client.Addr(), e.host.Addr(), port)
}

// segment is what flows on the open connection.
func (e ends) segment() packet.TCP {
	p := e.connect(e.host.Port())
	p.SrcPort, p.Flags, p.Options = e.client.Port(), packet.ACK, packet.Timestamp
	return p
}

func data(e ends) packet.TCP {
	p := e.segment()
	p.Payload = make([]byte, 512)
	return p
}

func bareACK(e ends) packet.TCP {
	p := e.segment()
	p.Options = nil
	return p
}

func openSYN(e ends) packet.TCP   { return e.connect(e.host.Port()) }
func closedSYN(e ends) packet.TCP { return e.connect(closedPort) }

func crafted(flags byte) func(ends) packet.TCP {
	return func(e ends) packet.TCP {
		return packet.NmapFlags(e.client.Addr(), e.host.Addr(), closedPort, flags)
	}
}

func nmapSYN(e ends) packet.TCP { return packet.Nmap(e.client.Addr(), e.host.Addr(), closedPort) }

// kinds are the rows, the targets those of docs/performance.md.
func kinds() []kind {
	return []kind{
		{name: "established, data", want: "pass established", target: 1.6, frame: data},
		{name: "established, ACK with timestamps", want: "pass established", target: 1.6, frame: ends.segment},
		{name: "established, 10k bans", want: "pass established", target: 2.6, frame: data, prepare: manyBans},
		{name: "bare ACK, established, 10k bans", want: "pass open", target: 6, frame: bareACK, prepare: manyBans},
		{name: "established, 10k bans, 100k prefixes and 1M addresses denied, random sources", want: "pass established", target: 4, target6: 6, frame: data, prepare: bansAndLists, sources: true},
		{name: "banned by hand, SYN", want: "drop banned", target: 2.5, frame: closedSYN, prepare: banned(event.Manual)},
		{name: "banned blindly, SYN", want: "drop banned", target: 2.5, frame: closedSYN, prepare: banned(event.Blind)},
		{name: "denied by one of 1M prefixes, random sources", want: "drop denied", target: 4, frame: data, prepare: denyEverything, sources: true, only4: true},
		{name: "denied address", want: "drop denied", frame: data, prepare: denyClient},
		{name: "Xmas, known source", want: "drop crafted", target: 4.5, frame: crafted(packet.FIN | packet.PSH | packet.URG), prepare: known},
		{name: "Null, known source", want: "drop crafted", target: 4.5, frame: crafted(0), prepare: known},
		{name: "nmap's SYN, known source", want: "drop crafted", target: 4.5, frame: nmapSYN, prepare: known},
		{name: "SYN to an open port", want: "pass open", target: 7.5, frame: openSYN},
		{name: "SYN to a closed port, counted before", want: "pass repeated", target: 4.5, frame: closedSYN, prepare: known},
		{name: "SYN to a closed port, first contact", want: "pass counted", target: 9, frame: closedSYN, sources: true},
		{name: "one SYN each from 10 million forged sources", want: "pass counted", target: 10, frame: closedSYN, sources: true, packets: 1_000_000},
	}
}

// build enters a network namespace of its own and returns every path whose
// name contains only, the bare ones first.
func build(only string) ([]path, error) {
	sockets, err := enterNamespace()
	if err != nil {
		return nil, err
	}
	paths, err := barePaths()
	if err != nil {
		return nil, err
	}
	for _, k := range kinds() {
		for _, six := range []bool{false, true} {
			name := k.name + ", IPv4"
			if six {
				name = k.name + ", IPv6"
			}
			if (six && k.only4) || !strings.Contains(name, only) {
				continue
			}
			p, err := k.path(name, ends{sockets[six], six})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			paths = append(paths, p)
		}
	}
	return paths, nil
}

func (k kind) path(name string, e ends) (path, error) {
	r, err := loader.NewRunner(loader.RunnerOptions{RealClock: true, Settings: loader.Settings{
		AlertScore: 4, BanScore: 8, UDPAlert: 8, UDPBan: 16, Decay: 30 * time.Minute, IPv6Prefix: 64, DropCrafted: true, BanDuration: 10 * time.Minute,
	}})
	if err != nil {
		return path{}, err
	}
	if err := r.SetHost(loader.Host{Own: []netip.Addr{host, host6}, OnLink: []netip.Prefix{netip.PrefixFrom(host6, 64).Masked()}}); err != nil {
		return path{}, err
	}
	if k.prepare != nil {
		if err := k.prepare(r, e); err != nil {
			return path{}, fmt.Errorf("prepare: %w", err)
		}
	}
	p := path{name: name, frame: k.frame(e).Bytes(), prog: r.Program(), packets: k.packets, want: k.want, target: k.target, run: r}
	if e.six && k.target6 > 0 {
		p.target = k.target6
	}
	if k.sources {
		p.sources = random4
		if e.six {
			p.sources = random6
		}
		p.prog, err = randomSource(p.prog, p.sources)
	}
	return p, err
}
