// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"
	"net/netip"
	"slices"

	"denmap/bpf"
	"denmap/userspace/event"
)

// Evidence returns what speaks against addr, as long as the kernel still
// remembers it.
func (s *State) Evidence(addr netip.Addr) (event.Evidence, bool, error) {
	rules, err := s.Rules()
	if err != nil {
		return event.Evidence{}, false, err
	}
	keys, err := s.sourceKeys(netip.PrefixFrom(addr, addr.BitLen()), rules)
	if err != nil {
		return event.Evidence{}, false, err
	}
	for _, key := range keys {
		var value bpf.ScanSource
		err := s.maps["sources"].Lookup(key, &value)
		if notFound(err) {
			continue
		}
		if err != nil {
			return event.Evidence{}, false, fmt.Errorf("read source %s: %w", addr, err)
		}
		now := readClock()
		e := event.Evidence{Source: sourceFrom(key, value, rules, now), Probes: probesFrom(value, now)}
		e.Grade, e.Handshakes = proofFrom(value)
		e.Packets, err = s.packets(key, value.First, now)
		return e, err == nil, err
	}
	return event.Evidence{}, false, nil
}

// proofFrom grades a source as grade_of in bpf/punish.h does, and returns
// the ports that the grade rests on.
func proofFrom(v bpf.ScanSource) (event.Grade, []uint16) {
	var ports []uint16
	for _, port := range v.Proofs[:min(int(v.Proven), len(v.Proofs))] {
		ports = append(ports, netToHost(port))
	}
	if len(ports) < len(v.Proofs) || v.Flags&bpf.ScanSourceFlagsSOURCE_MANY != 0 {
		return event.Blind, ports
	}
	return event.Proven, ports
}

// probesFrom unrolls the ring of probes, oldest first.
func probesFrom(v bpf.ScanSource, now clock) []event.Probe {
	slots := uint32(len(v.Probes))
	var out []event.Probe
	for i := v.Counted - min(v.Counted, slots); i != v.Counted; i++ {
		p := v.Probes[i%slots]
		out = append(out, event.Probe{
			Time: now.time(v.First + uint64(p.Ms)*1e6), Port: uint16(p.Print), Kind: event.Kind(p.Kind),
			Points: int(p.Points), Score: int(p.Score), Tool: event.Tool(p.Tool),
			Known: p.Ttl != 0, Flags: p.Flags, Window: p.Window, TTL: p.Ttl,
		})
	}
	return out
}

// packets returns the headers recorded since a source's present scan began.
func (s *State) packets(key bpf.ScanPrefix, first uint64, now clock) ([]event.Packet, error) {
	var r bpf.ScanRecord
	err := s.maps["records"].Lookup(key, &r)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read recorded headers: %w", err)
	}
	var out []event.Packet
	for _, h := range r.Headers {
		if h.Time < first || h.Length == 0 {
			continue
		}
		out = append(out, event.Packet{
			Time: now.time(h.Time), Length: int(h.Total),
			Header: slices.Clone(h.Bytes[:min(int(h.Length), len(h.Bytes))]),
		})
	}
	slices.SortStableFunc(out, func(a, b event.Packet) int { return a.Time.Compare(b.Time) })
	return out, nil
}
