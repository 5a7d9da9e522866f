// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"denmap/bpf"
)

const (
	hintWords = int(bpf.ScanLayoutHINT_WORDS)

	// A half of the hints with so many bits more than twice the entries is
	// filled anew: each bit too many costs some innocent source a look-up.
	staleHints = 1024
)

// hints are the kernel's hints, mapped. The program sets bits at any
// time, so they are only touched by atomic operations.
type hints []uint64

// tableHints maps the hints once.
func (s *State) tableHints() (hints, error) {
	s.hintMu.Lock()
	defer s.hintMu.Unlock()
	if s.hints != nil {
		return s.hints, nil
	}
	raw, err := unix.Mmap(s.maps["table_hints"].FD(), 0, 2*hintWords*8, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map hints: %w", err)
	}
	// Mapped memory begins on a page: the words are aligned.
	s.hints = unsafe.Slice((*uint64)(unsafe.Pointer(&raw[0])), 2*hintWords)
	return s.hints, nil
}

// closeHints undoes tableHints.
func (s *State) closeHints() error {
	s.hintMu.Lock()
	defer s.hintMu.Unlock()
	if s.hints == nil {
		return nil
	}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&s.hints[0])), len(s.hints)*8)
	s.hints = nil
	if err := unix.Munmap(raw); err != nil {
		return fmt.Errorf("unmap hints: %w", err)
	}
	return nil
}

// set notes in one half that a table holds key, as set_hint of bpf/address.h.
func (h hints) set(half uint32, seed uint64, key bpf.ScanPrefix, what bpf.ScanHint) {
	sum := hashWords(key.Addr, seed^uint64(key.Len))
	atomic.OrUint64(&h[int(half)*hintWords+int(sum>>49)], uint64(what)<<(sum>>43&60))
}

// hintBan makes the program look a ban up. It comes after the ban is in its
// table: renewHints must find one or the other.
func (s *State) hintBan(key bpf.ScanPrefix, what bpf.ScanHint) error {
	h, err := s.tableHints()
	if err != nil {
		return err
	}
	for half := range uint32(2) {
		h.set(half, s.seed, key, what)
	}
	return s.mark(bpf.ScanMarkMARK_BANS)
}

// renewHints clears what ended bans and forgotten sources left behind, if it is much: the half
// that nobody reads is filled anew, then the program turns to it. Entries that
// come meanwhile are noted in both.
func (s *State) renewHints() error {
	h, err := s.tableHints()
	if err != nil {
		return err
	}
	gate, err := s.gate()
	if err != nil {
		return err
	}
	half := gate.HintHalf & 1
	ones := h.ones(half)
	if ones <= staleHints {
		return nil // and no table is worth counting
	}
	tables := map[string]bpf.ScanHint{"bans": bpf.ScanHintHINT_BAN, "blind_bans": bpf.ScanHintHINT_BLIND, "sources": bpf.ScanHintHINT_SOURCE}
	live := 0
	for name := range tables {
		n, err := s.countEntries(name)
		if err != nil {
			return err
		}
		live += n
	}
	if ones <= 2*live+staleHints {
		return nil
	}
	half ^= 1
	for i := range hintWords {
		atomic.StoreUint64(&h[int(half)*hintWords+i], 0)
	}
	for name, what := range tables {
		if err := s.walkKeys(name, func(key bpf.ScanPrefix) { h.set(half, s.seed, key, what) }); err != nil {
			return err
		}
	}
	return s.setGate(func(g *bpf.ScanGate) { g.HintHalf = half })
}

func (h hints) ones(half uint32) (n int) {
	for i := range hintWords {
		n += bits.OnesCount64(atomic.LoadUint64(&h[int(half)*hintWords+i]))
	}
	return n
}
