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

func sweepOf(p packet) sweep {
	bits := networkBits4
	if p.dst.addr.Is6() {
		bits = networkBits6
	}
	network, _ := p.dst.addr.Prefix(bits) // never more bits than it has
	return sweep{p.src.addr, network}
}

// findSweeps replays what a source sent to many hosts of one network for the
// same port, as if DenMap had all of their addresses, and returns what is
// one scan only in this light: who was found at one of the hosts already is
// left out. fewest is how many hosts have to fail.
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
	type question struct {
		sweep
		protocol layers.IPProtocol
		port     uint16
	}
	failed, last := make(map[question]int), make(map[question]*host)
	suspected := make(map[sweep]*host)
	for _, h := range hosts {
		if h.addr.IsMulticast() {
			continue
		}
		for _, a := range h.packets {
			if !known.isLostQuestion(a.seen) {
				continue
			}
			q := question{sweepOf(a.seen), a.seen.dst.protocol, a.seen.dst.port}
			if last[q] == h {
				continue
			}
			last[q] = h
			if failed[q]++; failed[q] == fewest && !isFound(q.sweep, found) {
				suspected[q.sweep] = &host{addr: q.network.Addr()}
			}
		}
	}
	if len(suspected) == 0 {
		return nil
	}
	for _, h := range hosts {
		for _, a := range h.packets {
			// Where one host offers the service, the others do not.
			if s := suspected[sweepOf(a.seen)]; s != nil && known.isLostQuestion(a.seen) {
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

// isLostQuestion: what asks for a connection, or what no stack sends, and
// failed; a datagram that nobody answers only where answers are recorded.
func (k *knowledge) isLostQuestion(p packet) bool {
	switch {
	case p.dst.port == 0:
		return false
	case p.dst.protocol == layers.IPProtocolUDP && !k.twoWay:
		return false
	case p.dst.protocol == layers.IPProtocolTCP && (p.ack || p.rst):
		return false
	}
	return k.outcome(p) == Closed
}

func isFound(s sweep, found []Detection) bool {
	return slices.ContainsFunc(found, func(d Detection) bool {
		return d.Source.Contains(s.from) && s.network.Contains(d.Destination)
	})
}
