// SPDX-License-Identifier: MIT

package loader

import "denmap/bpf"

// listMemory are the IPv6 entries that this State has put into the kernel's
// lists, so that a change is found without reading a table back. It costs 24
// bytes an entry. The gate counts the changes of all processes: what is
// remembered from before somebody else's is not believed.
type listMemory struct {
	entries map[ListName]*entries6
	changes uint32 // the count that the entries are of
}

// recall returns what a list's table holds, nil if that is not known, and
// counts the change that is about to begin. Until the next call of remember
// the list is unknown to everybody, so that one that fails half-way is read
// back.
func (s *State) recall(list ListName) (before *entries6, err error) {
	err = s.setGate(func(g *bpf.ScanGate) {
		if g.ListChanges != s.listed.changes {
			s.listed.entries = nil
		}
		g.ListChanges++
		s.listed.changes = g.ListChanges
	})
	if err != nil {
		s.listed.entries = nil
		return nil, err
	}
	before = s.listed.entries[list]
	delete(s.listed.entries, list)
	return before, nil
}

// remember notes what a list's table holds now.
func (s *State) remember(list ListName, entries *entries6) {
	if s.listed.entries == nil {
		s.listed.entries = make(map[ListName]*entries6)
	}
	s.listed.entries[list] = entries
}
