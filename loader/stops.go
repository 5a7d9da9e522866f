// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"

	"denmap/bpf"
)

// stops are the bans at work: what each CPU remembers of those that stopped
// a packet lately, with the packets that the ban's own counter lacks.
type stops map[stopID]uint64

// stopID is a ban as a CPU remembers it: one that is given anew is another.
type stopID struct {
	key   bpf.ScanPrefix
	since uint64
	grade bpf.ScanBanGrade
}

// stops reads them. What the program moves from here to a ban meanwhile may
// count twice in what is shown, or not yet.
func (s *State) stops() (stops, error) {
	var rows []bpf.ScanStopRow // one for each CPU
	if err := s.maps["stops"].Lookup(uint32(0), &rows); err != nil {
		return nil, fmt.Errorf("read bans at work: %w", err)
	}
	out := make(stops)
	for _, row := range rows {
		for _, stop := range row.Slots {
			if stop.Dropped > 0 {
				out[stopID{stop.Key, stop.Since, stop.Grade}] += stop.Dropped
			}
		}
	}
	return out, nil
}

// of returns how many packets the ban's own counter lacks.
func (all stops) of(key bpf.ScanPrefix, ban bpf.ScanBan) (packets uint64) {
	return all[stopID{key, ban.Since, ban.Grade}]
}

// voidStops makes every CPU look up the bans again.
func (s *State) voidStops() error {
	if err := s.maps["lifts"].Put(uint32(0), readClock().boot); err != nil {
		return fmt.Errorf("void bans at work: %w", err)
	}
	return nil
}
