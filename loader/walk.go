// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"denmap/bpf"
)

// A read takes this many entries at first, since most tables are nearly
// empty and some are read every second, and twice as many each time up to the
// most: 300 KiB of sources.
const (
	firstBatch = 16
	mostBatch  = 512
)

// walk visits every entry of a table keyed by prefix, bucket by bucket: an
// entry that comes or goes meanwhile may be missed, and none that stays is.
// A walk from key to key starts over when its key is evicted, and does not
// end while a flood does that. The value is the visitor's until it returns.
func walk[V any](m *ebpf.Map, visit func(key bpf.ScanPrefix, value *V)) error {
	var cursor ebpf.MapBatchCursor
	var keys []bpf.ScanPrefix
	var values []V
	for size := firstBatch; ; size = min(2*size, mostBatch) {
		if len(keys) < size {
			keys, values = make([]bpf.ScanPrefix, size), make([]V, size)
		}
		n, err := m.BatchLookup(&cursor, keys, values, nil)
		for i := range n {
			visit(keys[i], &values[i])
		}
		if notFound(err) {
			return nil
		}
		// A bucket that has more entries than fit is read the next time.
		if err != nil && (!errors.Is(err, unix.ENOSPC) || size == mostBatch) {
			return err
		}
	}
}

// walkKeys visits every key of a table of sources, bans or addresses.
func (s *State) walkKeys(table string, visit func(bpf.ScanPrefix)) (err error) {
	m := s.maps[table]
	switch table {
	case "sources":
		err = walk(m, func(key bpf.ScanPrefix, _ *bpf.ScanSource) { visit(key) })
	case "bans", "blind_bans":
		err = walk(m, func(key bpf.ScanPrefix, _ *bpf.ScanBan) { visit(key) })
	default:
		err = walk(m, func(key bpf.ScanPrefix, _ *uint32) { visit(key) })
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", table, err)
	}
	return nil
}

func (s *State) countEntries(table string) (n int, err error) {
	err = s.walkKeys(table, func(bpf.ScanPrefix) { n++ })
	return n, err
}
