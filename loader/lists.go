// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"

	"denmap/bpf"
)

// ListName is "allow" or "deny".
type ListName string

// The lists.
const (
	Allow ListName = "allow"
	Deny  ListName = "deny"
)

// ListEntry is one line of a list, as the kernel needs it.
type ListEntry struct {
	Prefix netip.Prefix
	Watch  bool // allow list: log, never ban
}

// batchSize bounds the memory of one batch operation: 4096 keys are 80 KiB.
const batchSize = 4096

type listKey = bpf.ScanPrefix

// SyncList makes the kernel's list equal to want, touching only what
// differs, and returns how many entries were put and deleted. Entries that
// stay are in force throughout. progress, if not nil, is called with the
// number of entries written so far.
func (s *State) SyncList(list ListName, want []ListEntry, progress func(done, total int)) (put, deleted int, err error) {
	s.listMu.Lock()
	defer s.listMu.Unlock()
	addrs, nets := splitEntries(want)
	report := newProgress(progress)
	for _, part := range []struct {
		suffix string
		want   map[listKey]bpf.ScanListFlags
	}{{"_addrs", addrs}, {"_nets", nets}} {
		p, d, err := syncTable(s.maps[string(list)+part.suffix], part.want, report)
		put, deleted = put+p, deleted+d
		if err != nil {
			return put, deleted, errors.Join(fmt.Errorf("load %s list: %w", list, err), s.openGate(list, true, true))
		}
	}
	return put, deleted, s.openGate(list, len(addrs) > 0, len(nets) > 0)
}

// openGate says which parts of a list hold anything.
func (s *State) openGate(list ListName, addrs, nets bool) error {
	flag := map[bool]uint32{true: 1}
	return s.setGate(func(g *bpf.ScanGate) {
		if list == Allow {
			g.AllowAddrs, g.AllowNets = flag[addrs], flag[nets]
		} else {
			g.DenyAddrs, g.DenyNets = flag[addrs], flag[nets]
		}
	})
}

func splitEntries(want []ListEntry) (addrs, nets map[listKey]bpf.ScanListFlags) {
	addrs, nets = make(map[listKey]bpf.ScanListFlags), make(map[listKey]bpf.ScanListFlags)
	for _, e := range want {
		flags := bpf.ScanListFlagsLIST_LISTED
		if e.Watch {
			flags |= bpf.ScanListFlagsLIST_WATCH
		}
		if e.Prefix.Addr().Is6() && e.Prefix.Bits() <= mappedBits {
			flags |= bpf.ScanListFlagsLIST_IPV6
		}
		if e.Prefix.IsSingleIP() {
			addrs[prefixKey(e.Prefix)] = flags
		} else {
			nets[prefixKey(e.Prefix)] = flags
		}
	}
	return addrs, nets
}

// syncTable writes before it deletes, so that a listed address that moves
// from one entry to another is listed all the while.
func syncTable(m *ebpf.Map, want map[listKey]bpf.ScanListFlags, report func(n, total int)) (put, deleted int, err error) {
	var gone []listKey
	var key listKey
	var flags bpf.ScanListFlags
	same := make(map[listKey]struct{})
	it := m.Iterate()
	for it.Next(&key, &flags) {
		wanted, ok := want[key]
		if !ok {
			gone = append(gone, key)
		} else if wanted == flags {
			same[key] = struct{}{}
		}
	}
	if err := it.Err(); err != nil {
		return 0, 0, fmt.Errorf("read entries in force: %w", err)
	}
	keys := make([]listKey, 0, batchSize)
	values := make([]bpf.ScanListFlags, 0, batchSize)
	total := len(want) - len(same)
	flush := func() error {
		if err := putBatch(m, keys, values); err != nil {
			return fmt.Errorf("put %d entries: %w", len(keys), err)
		}
		put += len(keys)
		report(len(keys), total)
		keys, values = keys[:0], values[:0]
		return nil
	}
	for key, flags := range want {
		if _, ok := same[key]; ok {
			continue
		}
		keys, values = append(keys, key), append(values, flags)
		if len(keys) == batchSize {
			if err := flush(); err != nil {
				return put, 0, err
			}
		}
	}
	if err := flush(); err != nil {
		return put, 0, err
	}
	for _, key := range gone {
		if err := m.Delete(key); err != nil && !notFound(err) {
			return put, deleted, fmt.Errorf("delete entry: %w", err)
		}
		deleted++
	}
	return put, deleted, nil
}

// putBatch falls back to single puts on kernels without batches for tries
// (before 5.13).
func putBatch(m *ebpf.Map, keys []listKey, values []bpf.ScanListFlags) error {
	if len(keys) == 0 {
		return nil
	}
	_, err := m.BatchUpdate(keys, values, nil)
	if !errors.Is(err, ebpf.ErrNotSupported) {
		return err
	}
	for i := range keys {
		if err := m.Put(keys[i], values[i]); err != nil {
			return err
		}
	}
	return nil
}

func newProgress(progress func(done, total int)) func(n, total int) {
	done := 0
	return func(n, total int) {
		done += n
		if progress != nil && n > 0 {
			progress(done, total)
		}
	}
}

// Listed reports whether the kernel's list names addr, and whether only to
// watch it. The most specific entry decides, as in the program.
func (s *State) Listed(list ListName, addr netip.Addr) (listed, watch bool, err error) {
	key := prefixKey(netip.PrefixFrom(addr, addr.BitLen()))
	for _, suffix := range []string{"_addrs", "_nets"} {
		var flags bpf.ScanListFlags
		err := s.maps[string(list)+suffix].Lookup(key, &flags)
		if err == nil {
			return true, flags&bpf.ScanListFlagsLIST_WATCH != 0, nil
		}
		if !notFound(err) {
			return false, false, fmt.Errorf("look up %s in %s list: %w", addr, list, err)
		}
	}
	return false, false, nil
}
