// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"
	"net/netip"

	"denmap/bpf"
	"denmap/userspace/event"
)

const scoreTimeBits = 40 // TIME_BITS of bpf/score.h

// Sources returns every source with a score that has not decayed to zero.
func (s *State) Sources() ([]event.Source, error) {
	rules, err := s.Rules()
	if err != nil {
		return nil, err
	}
	now := readClock()
	var out []event.Source
	err = walk(s.maps["sources"], func(key bpf.ScanPrefix, value *bpf.ScanSource) {
		if src := sourceFrom(key, *value, rules, now); src.Score > 0 || src.UDPScore > 0 {
			out = append(out, src)
		}
	})
	if err != nil {
		return out, fmt.Errorf("read sources: %w", err)
	}
	return out, nil
}

// Source returns what is known of the source that scores addr.
func (s *State) Source(addr netip.Addr) (event.Source, bool, error) {
	rules, err := s.Rules()
	if err != nil {
		return event.Source{}, false, err
	}
	keys, err := s.sourceKeys(netip.PrefixFrom(addr, addr.BitLen()), rules)
	if err != nil {
		return event.Source{}, false, err
	}
	for _, key := range keys {
		var value bpf.ScanSource
		err := s.maps["sources"].Lookup(key, &value)
		if err == nil {
			return sourceFrom(key, value, rules, readClock()), true, nil
		}
		if !notFound(err) {
			return event.Source{}, false, fmt.Errorf("read source %s: %w", addr, err)
		}
	}
	return event.Source{}, false, nil
}

// sourceKeys returns where a source may be scored: alone, or with its
// IPv6 prefix.
func (s *State) sourceKeys(source netip.Prefix, rules Rules) ([]bpf.ScanPrefix, error) {
	keys, err := s.banKeys(source)
	if err != nil {
		return nil, err
	}
	if source.Addr().Is6() && source.Bits() > rules.IPv6Prefix {
		wide, err := source.Addr().Prefix(rules.IPv6Prefix)
		if err != nil {
			return nil, fmt.Errorf("shorten %s: %w", source, err)
		}
		keys = append(keys, prefixKey(wide))
	}
	return keys, nil
}

// forget erases score and ports of the source.
func (s *State) forget(source netip.Prefix) error {
	rules, err := s.Rules()
	if err != nil {
		return err
	}
	keys, err := s.sourceKeys(source, rules)
	if err != nil {
		return err
	}
	for _, key := range keys {
		for _, table := range []string{"sources", "waiters", "records"} {
			if err := s.maps[table].Delete(key); err != nil && !notFound(err) {
				return fmt.Errorf("forget %s: %w", source, err)
			}
		}
	}
	return nil
}

func sourceFrom(key bpf.ScanPrefix, v bpf.ScanSource, rules Rules, now clock) event.Source {
	src := event.Source{
		Prefix:   prefixFrom(key),
		First:    now.time(v.First),
		Last:     now.time(v.Last),
		Kinds:    event.Kinds(v.Kinds),
		Score:    points(v.Score, rules, now),
		UDPScore: points(v.UdpScore, rules, now),
		Distinct: int(v.Counted),
	}
	if v.BannedUntil != 0 && v.BannedUntil <= now.boot {
		src.Score, src.UDPScore = 0, 0 // its ban has ended: the kernel starts anew
	}
	if v.Flags&bpf.ScanSourceFlagsSOURCE_MANY == 0 {
		src.Prefix = netip.PrefixFrom(addrFrom(v.Addr), addrFrom(v.Addr).BitLen())
	}
	src.Tool, src.Confidence = toolOf(v.Tools)
	slots := uint32(len(v.Prints))
	var kinds []uint8
	for i := range min(v.Counted, slots) {
		print := v.Prints[(v.Counted-1-i)%slots]
		src.Ports = append(src.Ports, portOf(print))
		kinds = append(kinds, uint8(kindOf(print)))
	}
	src.Main = mainKind(kinds)
	return src
}

// points applies the decay that the kernel applies when it next looks.
func points(word uint64, rules Rules, now clock) int {
	score := word >> scoreTimeBits
	then := word & (1<<scoreTimeBits - 1)
	nowMS := now.boot / 1e6
	if rules.Decay <= 0 || nowMS <= then {
		return int(score)
	}
	lost := (nowMS - then) / uint64(rules.Decay.Milliseconds())
	return int(score - min(lost, score))
}

// toolOf names the tool most packets point to. Headers of a known scanner
// outvote what any raw socket or kernel sends; two packets make it sure,
// unless the header is one that programs of all sorts may come up with.
func toolOf(votes [bpf.ScanLayoutTOOL_SLOTS]uint8) (event.Tool, event.Confidence) {
	best := event.ToolUnknown
	for t := event.ToolNmap; int(t) < len(votes); t++ {
		if votes[t] > 0 && (best == event.ToolUnknown || votes[t] > votes[best]) {
			best = t
		}
	}
	switch {
	case best != event.ToolUnknown && votes[best] > 1 && best != event.ToolNping && best != event.ToolScapy:
		return best, event.High
	case best != event.ToolUnknown:
		return best, event.Medium
	case votes[event.ToolRaw] > 0:
		return event.ToolRaw, event.Medium
	case votes[event.ToolKernel] > 0:
		return event.ToolKernel, event.Low
	}
	return event.ToolUnknown, event.Low
}
