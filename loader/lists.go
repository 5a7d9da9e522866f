// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"net/netip"

	"denmap/bpf"
)

// ListName is "allow" or "deny".
type ListName string

// The lists.
const (
	Allow ListName = "allow"
	Deny  ListName = "deny"
)

// ListEntry is one line of a list, as the kernel needs it. Of equal
// prefixes the last counts, of nested ones the narrowest.
type ListEntry struct {
	Prefix netip.Prefix
	Watch  bool // allow list: log, never ban
}

func (l ListName) kernel() bpf.ScanList {
	if l == Allow {
		return bpf.ScanListLIST_ALLOW
	}
	return bpf.ScanListLIST_DENY
}

// sets are those that hold a list's IPv4 addresses; the second one holds
// those to watch.
func (l ListName) sets() []bpf.ScanListSet {
	if l == Allow {
		return []bpf.ScanListSet{bpf.ScanListSetSET_ALLOW, bpf.ScanListSetSET_WATCH}
	}
	return []bpf.ScanListSet{bpf.ScanListSetSET_DENY}
}

// SyncList makes the kernel's list equal to want, writing only what
// differs, and returns how much it wrote: /16 networks of IPv4, entries of
// IPv6. An address that is listed before and after is listed all the while.
// progress, if not nil, is called with the number of entries done so far.
//
// One call at a time changes a list, also of several processes.
func (s *State) SyncList(list ListName, want []ListEntry, progress func(done, total int)) (written int, err error) {
	s.listMu.Lock()
	defer s.listMu.Unlock()
	unlock, err := s.lockDir(linksDir)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if progress == nil {
		progress = func(int, int) {}
	}
	four, six := splitEntries(list, want)
	before, err := s.recall(list)
	if err != nil {
		return 0, err
	}
	written, err = s.syncSets(list, four)
	progress(len(four), len(want))
	// Whatever is wrong with one family, the other is to be in force.
	more, err6 := s.syncTable6(list, before, six, func(done int) { progress(len(four)+done, len(want)) })
	written += more
	if err := errors.Join(err, err6); err != nil {
		return written, fmt.Errorf("load %s list: %w", list, err)
	}
	s.remember(list, six)
	return written, s.setGate(func(g *bpf.ScanGate) { g.Entries[list.kernel()] = uint32(len(want)) })
}

func splitEntries(list ListName, want []ListEntry) (four []stroke, six *entries6) {
	n := 0
	for _, e := range want {
		if e.Prefix.Addr().Is6() {
			n++
		}
	}
	four, six = make([]stroke, 0, len(want)-n), newEntries6(n)
	for _, e := range want {
		e.Watch = e.Watch && list == Allow
		if e.Prefix.Addr().Is4() {
			four = append(four, strokeOf(e))
		} else {
			six.add(e)
		}
	}
	return four, six
}

// Listed reports whether the kernel's list names addr, and whether only to
// watch it. The most specific entry decides, as in the program.
func (s *State) Listed(list ListName, addr netip.Addr) (listed, watch bool, err error) {
	look := s.listed6
	if addr.Is4() {
		look = s.listed4
	}
	if listed, watch, err = look(list, addr); err != nil {
		return false, false, fmt.Errorf("look up %s in %s list: %w", addr, list, err)
	}
	return listed, watch, nil
}

// ListFills says how many lines each list has, and the memory they take.
func (s *State) listFills() (fills []Fill, err error) {
	gate, err := s.gate()
	if err != nil {
		return nil, err
	}
	for _, list := range []ListName{Allow, Deny} {
		f := Fill{Table: string(list), Entries: int(gate.Entries[list.kernel()]), Capacity: int(bpf.ScanLayoutLIST_MAX)}
		four, err := s.setsMemory(list)
		six, err6 := s.table6Memory(list)
		if err := errors.Join(err, err6); err != nil {
			return nil, fmt.Errorf("measure %s list: %w", list, err)
		}
		f.Bytes = four + six
		fills = append(fills, f)
	}
	return fills, nil
}

// ListMemory returns the bytes that both lists take in the kernel.
func (s *State) ListMemory() (bytes uint64, err error) {
	fills, err := s.listFills()
	for _, f := range fills {
		bytes += f.Bytes
	}
	return bytes, err
}
