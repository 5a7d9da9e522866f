// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"fmt"

	"denmap/bpf"
)

const (
	guideHeads = int(bpf.ScanLayoutGUIDE_HEADS)
	guideWords = int(bpf.ScanLayoutGUIDE_WORDS)
)

// guide is the kernel's guide of one list: which IPv6 addresses are worth a
// look into its table. A bit too many costs time, a missing one would let a
// listed address through.
type guide struct{ piece }

// openGuide opens the guide in a slot, or puts an empty one there.
func (s *State) openGuide(slot uint32) (guide, error) {
	p, ok, err := openPiece(s.shelf("list6_guides"), slot)
	if ok || err != nil {
		return guide{p}, err
	}
	if p, err = newPiece(s.spec["list6_guides"]); err != nil {
		return guide{}, err
	}
	if err := s.shelf("list6_guides").put(slot, p.m); err != nil {
		p.m.Close()
		return guide{}, fmt.Errorf("add guide: %w", err)
	}
	return guide{p}, nil
}

// buildGuide returns the words of a guide to exactly these entries.
func (s *State) buildGuide(entries *entries6) []uint64 {
	words := make([]uint64, guideHeads+guideWords)
	note := func(key bpf.ScanPrefix) {
		h := hashWords(key.Addr, s.seed^uint64(key.Len))
		words[guideHeads+int(h>>46)] |= 1<<(h>>20&63) | 1<<(h>>26&63)
	}
	for _, key := range entries.keys {
		head := bpf.ScanGuideHeadHEAD_LONG
		if key.Len < uint32(bpf.ScanLayoutSHORT_BITS) {
			head = bpf.ScanGuideHeadHEAD_SHORT
		} else {
			note(key)
			noteNetworks(key, note)
		}
		first, n := wordToHost(key.Addr[0])>>16, uint32(1)
		if key.Len < 16 {
			n = 1 << (16 - key.Len)
		}
		for i := first; i < first+n; i++ {
			words[i/32] |= uint64(head) << (i % 32 * 2)
		}
	}
	return words
}

// noteNetworks notes the /32 that an entry lies in, or all that lie in it.
func noteNetworks(key bpf.ScanPrefix, note func(bpf.ScanPrefix)) {
	first, n := wordToHost(key.Addr[0]), uint32(1)
	if key.Len < 32 {
		n = 1 << (32 - key.Len)
	}
	for i := range n {
		note(bpf.ScanPrefix{Len: 32, Addr: [4]uint32{hostToNet(first + i)}})
	}
}

// merge adds the bits of next, set makes the guide equal to it. Both write
// whole words, and only those that change.
func (g guide) merge(next []uint64) error { return g.write(next, true) }
func (g guide) set(next []uint64) error   { return g.write(next, false) }

func (g guide) write(next []uint64, merge bool) error {
	raw := make([]byte, len(next)*8)
	if _, err := g.memory.ReadAt(raw, 0); err != nil {
		return fmt.Errorf("read guide: %w", err)
	}
	for i, word := range next {
		at := raw[i*8 : i*8+8]
		old := binary.NativeEndian.Uint64(at)
		if merge {
			word |= old
		}
		if word == old {
			continue
		}
		binary.NativeEndian.PutUint64(at, word)
		if _, err := g.memory.WriteAt(at, int64(i)*8); err != nil {
			return fmt.Errorf("write guide: %w", err)
		}
	}
	return nil
}
