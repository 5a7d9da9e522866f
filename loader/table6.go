// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"

	"denmap/bpf"
)

type listKey = bpf.ScanPrefix

// batchSize bounds the memory of one batch operation: 4096 keys are 80 KiB.
const batchSize = 4096

// leastEntries is the size of the smallest table of IPv6 entries.
const leastEntries = 1 << 10

// entries6 are the IPv6 entries of a list, in the order of its lines. Of
// equal keys the last counts.
type entries6 struct {
	keys    []listKey
	flags   []bpf.ScanListFlags
	lengths [2]uint64 // as in the gate
	whole   uint32
}

func newEntries6(n int) *entries6 {
	return &entries6{keys: make([]listKey, 0, n), flags: make([]bpf.ScanListFlags, 0, n)}
}

func (e *entries6) add(entry ListEntry) {
	flags := bpf.ScanListFlagsLIST_LISTED
	if entry.Watch {
		flags |= bpf.ScanListFlagsLIST_WATCH
	}
	key := prefixKey(entry.Prefix)
	e.put(key, flags)
	if key.Len == 128 {
		e.whole = 1
	} else {
		e.lengths[key.Len/64] |= 1 << (key.Len % 64)
	}
}

// put adds an entry of a length that is known already.
func (e *entries6) put(key listKey, flags bpf.ScanListFlags) {
	e.keys, e.flags = append(e.keys, key), append(e.flags, flags)
}

// syncTable6 makes a list's IPv6 entries equal to want, and returns how
// many it put and deleted. It writes before it deletes, so that an address
// that moves from one entry to another is listed all the while. before is
// what the table holds, nil if that is to be read.
func (s *State) syncTable6(list ListName, before, want *entries6, progress func(done int)) (written int, err error) {
	slot := uint32(list.kernel())
	table, err := s.shelf("list6_tables").open(slot)
	if err != nil && !notFound(err) {
		return 0, fmt.Errorf("open IPv6 table: %w", err)
	}
	if table == nil && len(want.keys) == 0 {
		return 0, nil
	}
	if table != nil {
		defer table.Close()
	}
	var change change6
	known := false
	if table != nil && before != nil {
		change, known = before.changeTo(want)
	}
	if !known {
		if change, err = readChange6(table, want); err != nil {
			return 0, err
		}
	}
	if len(want.keys) == 0 {
		return len(change.gone), s.dropTable6(list)
	}
	if written = len(change.put.keys) + len(change.gone); written == 0 {
		return 0, nil
	}
	guide, err := s.openGuide(slot)
	if err != nil {
		return 0, err
	}
	defer guide.m.Close()
	next := s.buildGuide(want)
	if err := errors.Join(guide.merge(next), s.openGate6(list, want, true)); err != nil {
		return 0, err
	}
	if table == nil || badSize(table, len(want.keys)+len(change.gone), len(want.keys)) {
		err = s.replaceTable6(slot, want, progress)
	} else {
		err = putAll6(table, change.put, progress)
		for _, key := range change.gone {
			if err == nil {
				err = ignoreMissing(table.Delete(key))
			}
		}
	}
	if err != nil {
		return 0, err
	}
	return written, errors.Join(guide.set(next), s.openGate6(list, want, false))
}

func ignoreMissing(err error) error {
	if notFound(err) {
		return nil
	}
	return err
}

// badSize reports whether a table is too small for its entries on the way,
// or much too big for those it will hold.
func badSize(table *ebpf.Map, most, entries int) bool {
	size := int(table.MaxEntries())
	return most > size || (size > leastEntries && size > 8*entries)
}

// putAll6 writes entries in batches.
func putAll6(table *ebpf.Map, entries *entries6, progress func(done int)) error {
	for done := 0; done < len(entries.keys); {
		end := min(done+batchSize, len(entries.keys))
		if _, err := table.BatchUpdate(entries.keys[done:end], entries.flags[done:end], nil); err != nil {
			return fmt.Errorf("put %d IPv6 entries: %w", end-done, err)
		}
		done = end
		progress(done)
	}
	return nil
}

// replaceTable6 fills a table of the right size and swaps it in.
func (s *State) replaceTable6(slot uint32, want *entries6, progress func(done int)) error {
	inner := innerSpec(s.spec["list6_tables"])
	inner.MaxEntries = leastEntries
	for int(inner.MaxEntries) < len(want.keys)+len(want.keys)/4 {
		inner.MaxEntries *= 2
	}
	table, err := ebpf.NewMap(inner)
	if err != nil {
		return fmt.Errorf("make IPv6 table: %w", err)
	}
	defer table.Close()
	if err := putAll6(table, want, progress); err != nil {
		return err
	}
	if err := s.shelf("list6_tables").put(slot, table); err != nil {
		return fmt.Errorf("swap in IPv6 table: %w", err)
	}
	return nil
}

// dropTable6 closes the gate, then gives back the memory.
func (s *State) dropTable6(list ListName) error {
	if err := s.openGate6(list, &entries6{}, false); err != nil {
		return err
	}
	for _, name := range []string{"list6_tables", "list6_guides"} {
		if err := s.shelf(name).drop(uint32(list.kernel())); err != nil {
			return fmt.Errorf("drop IPv6 table: %w", err)
		}
	}
	return nil
}

// openGate6 says which lengths a list's IPv6 entries have: with merge,
// besides those it had.
func (s *State) openGate6(list ListName, want *entries6, merge bool) error {
	lengths, whole := want.lengths, want.whole
	return s.setGate(func(g *bpf.ScanGate) {
		i := list.kernel()
		if merge {
			lengths[0] |= g.Lengths[i][0]
			lengths[1] |= g.Lengths[i][1]
			whole |= g.Whole[i]
		}
		g.Lengths[i], g.Whole[i] = lengths, whole
		g.Tables &^= 1 << i
		if len(want.keys) > 0 {
			g.Tables |= 1 << i
		}
	})
}

// listed6 asks the table itself, longest entry first.
func (s *State) listed6(list ListName, addr netip.Addr) (listed, watch bool, err error) {
	table, err := s.shelf("list6_tables").open(uint32(list.kernel()))
	if notFound(err) {
		return false, false, nil
	}
	if err != nil {
		return false, false, err
	}
	defer table.Close()
	for bits := addr.BitLen(); bits >= 0; bits-- {
		prefix, err := addr.Prefix(bits)
		if err != nil {
			return false, false, err
		}
		var flags bpf.ScanListFlags
		err = table.Lookup(prefixKey(prefix), &flags)
		if err == nil {
			return true, flags&bpf.ScanListFlagsLIST_WATCH != 0, nil
		}
		if !notFound(err) {
			return false, false, err
		}
	}
	return false, false, nil
}

func (s *State) table6Memory(list ListName) (bytes uint64, err error) {
	for _, name := range []string{"list6_tables", "list6_guides"} {
		inner, err := s.shelf(name).open(uint32(list.kernel()))
		if notFound(err) {
			continue
		}
		if err != nil {
			return 0, err
		}
		n, err := memoryOf(inner)
		if err = errors.Join(err, inner.Close()); err != nil {
			return 0, err
		}
		bytes += n
	}
	return bytes, nil
}
