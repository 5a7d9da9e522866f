// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"

	"denmap/bpf"
)

// stops are the bans at work: what each CPU remembers of those that stopped
// a packet lately, with the packets that the ban's own counter lacks.
type stops []bpf.ScanStop

// stops reads them. What the program moves from here to a ban before that is
// read counts twice in what is shown.
func (s *State) stops() (stops, error) {
	var rows []bpf.ScanStopRow // one for each CPU
	if err := s.maps["stops"].Lookup(uint32(0), &rows); err != nil {
		return nil, fmt.Errorf("read bans at work: %w", err)
	}
	var out stops
	for _, row := range rows {
		for _, stop := range row.Slots {
			if stop.Dropped > 0 {
				out = append(out, stop)
			}
		}
	}
	return out, nil
}

// of returns how many packets the ban's own counter lacks.
func (all stops) of(key bpf.ScanPrefix, ban bpf.ScanBan) (packets uint64) {
	for _, stop := range all {
		if stop.Since == ban.Since && stop.Grade == ban.Grade && stop.Key == key {
			packets += stop.Dropped
		}
	}
	return packets
}

// voidStops makes every CPU look up the bans again.
func (s *State) voidStops() error {
	if err := s.maps["lifts"].Put(uint32(0), readClock().boot); err != nil {
		return fmt.Errorf("void bans at work: %w", err)
	}
	return nil
}
