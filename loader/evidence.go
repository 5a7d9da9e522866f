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
		r, err := s.traces(key)
		if err != nil {
			return event.Evidence{}, false, err
		}
		now := readClock()
		e := event.Evidence{
			Source:  sourceFrom(key, value, rules, now),
			Probes:  probesFrom(value, r.Traces[:], now),
			Packets: packetsFrom(r.Traces[:], value.First, now),
		}
		e.Grade, e.Handshakes = proofFrom(value)
		return e, true, nil
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

// A print is what the kernel remembers of every counted probe: enum print
// of bpf/source.h.

func portOf(print uint32) uint16 { return uint16(print & uint32(bpf.ScanPrintPRINT_PORT)) }

func kindOf(print uint32) event.Kind {
	return event.Kind(print >> uint32(bpf.ScanPrintPRINT_KIND_SHIFT))
}

func pointsOf(print uint32) int {
	if print&uint32(bpf.ScanPrintPRINT_TWO_POINTS) != 0 {
		return 2
	}
	return 1
}

// probesFrom unrolls the ring of prints, oldest first, and adds the traces
// that are kept. A probe without one happened no earlier than the one before
// it; its score is reckoned as if none had been lost to time since.
func probesFrom(v bpf.ScanSource, traces []bpf.ScanTrace, now clock) []event.Probe {
	slots := uint32(len(v.Prints))
	var out []event.Probe
	var tcp, udp int
	at := now.time(v.First)
	for i := v.Counted - min(v.Counted, slots); i != v.Counted; i++ {
		print := v.Prints[i%slots]
		p := event.Probe{Port: portOf(print), Kind: kindOf(print), Points: pointsOf(print)}
		score := &tcp
		if event.UDPScored.Has(p.Kind) {
			score = &udp
		}
		*score += p.Points
		if t := traces[i%uint32(len(traces))]; t.Nth == i && t.Time >= v.First {
			at, *score = now.time(t.Time), int(t.Score)
			p.Tool, p.Known = event.Tool(t.Tool), true
			p.Flags, p.Window, p.TTL = t.Flags, t.Window, t.Ttl
		}
		p.Time, p.Score = at, *score
		out = append(out, p)
	}
	return out
}

// traces returns what is kept of a source's probes: nothing, after many
// other sources.
func (s *State) traces(key bpf.ScanPrefix) (bpf.ScanRecord, error) {
	var r bpf.ScanRecord
	err := s.maps["records"].Lookup(key, &r)
	if err != nil && !notFound(err) {
		return r, fmt.Errorf("read recorded probes: %w", err)
	}
	return r, nil
}

// packetsFrom returns the headers recorded since a source's present scan
// began.
func packetsFrom(traces []bpf.ScanTrace, first uint64, now clock) []event.Packet {
	var out []event.Packet
	for _, t := range traces {
		if t.Time < first || t.Length == 0 {
			continue
		}
		out = append(out, event.Packet{
			Time: now.time(t.Time), Length: int(t.Total),
			Header: slices.Clone(t.Bytes[:min(int(t.Length), len(t.Bytes))]),
		})
	}
	slices.SortStableFunc(out, func(a, b event.Packet) int { return a.Time.Compare(b.Time) })
	return out
}
