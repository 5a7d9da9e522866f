// SPDX-License-Identifier: MIT

package replay

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/gopacket/gopacket/layers"
)

// Bits of an address that name its network: what a host with many addresses
// has, and what scanners are given as one target.
const (
	networkBits4 = 24
	networkBits6 = 64
)

// sweep is a source and the network in which it asks many hosts.
type sweep struct {
	from    netip.Addr
	network netip.Prefix
}

// question is what a source asks the hosts of a network.
type question struct {
	sweep
	protocol layers.IPProtocol
	port     uint16
}

func questionOf(p packet) question {
	return question{sweep{p.src.addr, networkOf(p.dst.addr)}, p.dst.protocol, p.dst.port}
}

func networkOf(a netip.Addr) netip.Prefix {
	bits := networkBits4
	if a.Is6() {
		bits = networkBits6
	}
	network, _ := a.Prefix(bits) // never more bits than it has
	return network
}

// findSweeps replays what a source sent to many hosts of one network for the
// same port, as if DenMap had all of their addresses, and returns what is
// one scan only in this light: who was found at one of the hosts already is
// left out. fewest is how many hosts have to fail; and not fewer than answer,
// for clients of many hosts know where they are.
func findSweeps(hosts []*host, prog Program, known *knowledge, fewest int, found []Detection) ([]Detection, error) {
	var out []Detection
	for _, h := range suspectedSweeps(hosts, known, fewest, found) {
		detections, err := h.replay(prog, known)
		if err != nil {
			return nil, err
		}
		for _, d := range detections {
			if d.IsSweep() {
				out = append(out, d)
			}
		}
	}
	return out, nil
}

// suspectedSweeps returns what each such source asked in vain, with the
// network as one host.
func suspectedSweeps(hosts []*host, known *knowledge, fewest int, found []Detection) []*host {
	if len(hosts) < fewest {
		return nil
	}
	type tally struct {
		asked, failed int
		last          *host
	}
	tallies := make(map[question]tally)
	for _, h := range hosts {
		if h.addr.IsMulticast() {
			continue
		}
		for _, a := range h.packets {
			if !known.isQuestion(a.seen) {
				continue
			}
			q := questionOf(a.seen)
			t := tallies[q]
			if t.last == h {
				continue
			}
			t.last = h
			t.asked++
			if known.isLost(a.seen) {
				t.failed++
			}
			tallies[q] = t
		}
	}
	asked, suspected := make(map[question]bool), make(map[sweep]*host)
	before := findsOf(found)
	for q, t := range tallies {
		if t.failed >= fewest && t.failed*2 >= t.asked && !before.has(q.sweep) {
			asked[q], suspected[q.sweep] = true, &host{addr: q.network.Addr()}
		}
	}
	if len(suspected) == 0 {
		return nil
	}
	for _, h := range hosts {
		for _, a := range h.packets {
			// Only what failed: a service at one host is none at the others.
			if q := questionOf(a.seen); asked[q] && known.isQuestion(a.seen) && known.isLost(a.seen) {
				s := suspected[q.sweep]
				s.packets = append(s.packets, a)
			}
		}
	}
	out := make([]*host, 0, len(suspected))
	for _, s := range suspected {
		slices.SortFunc(s.packets, func(a, b arrival) int { return cmp.Compare(a.number, b.number) })
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *host) int { return cmp.Compare(a.packets[0].number, b.packets[0].number) })
	return out
}

// isQuestion: what asks for a connection, or what no stack sends; a datagram
// only where answers are recorded.
func (k *knowledge) isQuestion(p packet) bool {
	if p.dst.protocol == layers.IPProtocolTCP {
		return !p.ack && !p.rst && p.dst.port != 0
	}
	return p.dst.protocol == layers.IPProtocolUDP && k.twoWay && p.dst.port != 0
}

// isLost: it failed, at a host that had no other answer for its sender.
func (k *knowledge) isLost(p packet) bool {
	return !k.serves[hosts{p.dst.addr, p.src.addr}] && k.outcome(p) == Closed
}

// finds are the sources that were found, with the networks of the hosts that
// they were found at.
type finds struct {
	at   map[find]bool
	bits map[int]bool // lengths of the sources
}

type find struct{ source, network netip.Prefix }

func findsOf(found []Detection) finds {
	f := finds{make(map[find]bool), make(map[int]bool)}
	for _, d := range found {
		f.at[find{d.Source.Masked(), networkOf(d.Destination)}] = true
		f.bits[d.Source.Bits()] = true
	}
	return f
}

func (f finds) has(s sweep) bool {
	for bits := range f.bits {
		source, err := s.from.Prefix(bits)
		if err == nil && f.at[find{source, s.network}] {
			return true
		}
	}
	return false
}
