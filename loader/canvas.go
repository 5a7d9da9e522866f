// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"math/bits"

	"denmap/bpf"
)

const (
	spreadNone = byte(bpf.ScanSpreadSPREAD_NONE)
	spreadAll  = byte(bpf.ScanSpreadSPREAD_ALL)
	spreadSome = byte(bpf.ScanSpreadSPREAD_SOME)
)

// stroke is an IPv4 entry: what is painted over what is wider. set is the
// place of its set among those of the list.
type stroke struct {
	addr uint32
	bits uint8
	set  uint8
}

func strokeOf(e ListEntry) stroke {
	b := e.Prefix.Addr().As4()
	s := stroke{addr: binary.BigEndian.Uint32(b[:]), bits: uint8(e.Prefix.Bits())}
	if e.Watch {
		s.set = 1
	}
	return s
}

// painting is a list's IPv4 entries in the order in which they are painted,
// grouped by /16.
type painting struct {
	wide   []stroke // up to /16, widest first
	narrow []stroke // by /16, in it widest first
	start  []int    // of each /16 in narrow; one more at the end
}

// arrange sorts by counting: a million strokes take some 30 ms, and equal
// prefixes keep their order.
func arrange(strokes []stroke) painting {
	byBits := countingSort(strokes, 33, func(s stroke) int { return int(s.bits) })
	n := 0
	for n < len(byBits) && byBits[n].bits <= 16 {
		n++
	}
	p := painting{wide: byBits[:n], start: make([]int, roots+1)}
	top := func(s stroke) int { return int(s.addr >> 16) }
	p.narrow = countingSort(byBits[n:], roots, top)
	for _, s := range p.narrow {
		p.start[top(s)+1]++
	}
	for i := range roots {
		p.start[i+1] += p.start[i]
	}
	return p
}

func countingSort(in []stroke, keys int, key func(stroke) int) []stroke {
	at := make([]int, keys+1)
	for _, s := range in {
		at[key(s)+1]++
	}
	for i := range keys {
		at[i+1] += at[i]
	}
	out := make([]stroke, len(in))
	for _, s := range in {
		k := key(s)
		out[at[k]] = s
		at[k]++
	}
	return out
}

// bases returns for every /16 the set, plus one, that the wide entries put
// it into.
func (p painting) bases() []uint8 {
	out := make([]uint8, roots)
	for _, s := range p.wide {
		first := s.addr >> 16
		for i := range uint32(1) << (16 - s.bits) {
			out[first+i] = s.set + 1
		}
	}
	return out
}

// area is a /16 of one set.
type area struct {
	spread [256]byte      // of each /24
	leaves [256][4]uint64 // where spread is spreadSome
}

// fill makes every /24 from first on alike.
func (a *area) fill(first, n int, spread byte) {
	for i := first; i < first+n; i++ {
		a.spread[i] = spread
	}
}

// dab sets or clears n addresses, up to 256, of one /24.
func (a *area) dab(net, first, n int, on bool) {
	leaf := &a.leaves[net]
	if a.spread[net] != spreadSome {
		word := uint64(0)
		if a.spread[net] == spreadAll {
			word = ^word
		}
		*leaf = [4]uint64{word, word, word, word}
		a.spread[net] = spreadSome
	}
	for n > 0 {
		step := min(n, 64-first%64)
		mask := ^uint64(0) >> (64 - step) << (first % 64)
		if on {
			leaf[first/64] |= mask
		} else {
			leaf[first/64] &^= mask
		}
		first, n = first+step, n-step
	}
}

// settle makes leaves that turned out uniform none.
func (a *area) settle() {
	for i, leaf := range a.leaves {
		switch {
		case a.spread[i] != spreadSome:
		case leaf == [4]uint64{}:
			a.spread[i] = spreadNone
		case leaf[0]&leaf[1]&leaf[2]&leaf[3] == ^uint64(0):
			a.spread[i] = spreadAll
		}
	}
}

// uniform returns the spread of the whole /16, or spreadSome.
func (a *area) uniform() byte {
	for _, s := range a.spread {
		if s != a.spread[0] {
			return spreadSome
		}
	}
	return a.spread[0]
}

// add puts what is in b into a as well.
func (a *area) add(b *area) {
	for i := range a.spread {
		switch {
		case a.spread[i] == spreadAll || b.spread[i] == spreadNone:
		case a.spread[i] == spreadNone || b.spread[i] == spreadAll:
			a.spread[i], a.leaves[i] = b.spread[i], b.leaves[i]
		default:
			for w := range a.leaves[i] {
				a.leaves[i][w] |= b.leaves[i][w]
			}
		}
	}
	a.settle()
}

// paint makes areas, one for each set of the list, from the entries of one
// /16 and the set, plus one, of the wide entry around them.
func paint(areas []area, base uint8, strokes []stroke) {
	for set := range areas {
		spread := spreadNone
		if base == uint8(set)+1 {
			spread = spreadAll
		}
		areas[set].fill(0, 256, spread)
	}
	for _, s := range strokes {
		net := int(s.addr >> 8 & 0xff)
		for set := range areas {
			on := int(s.set) == set
			switch {
			case s.bits > 24:
				areas[set].dab(net, int(s.addr&0xff), 1<<(32-s.bits), on)
			case on:
				areas[set].fill(net, 1<<(24-s.bits), spreadAll)
			default:
				areas[set].fill(net, 1<<(24-s.bits), spreadNone)
			}
		}
	}
	for set := range areas {
		areas[set].settle()
	}
}

// block returns the kernel's block, its leaf field still open, and how many
// leaves belong to it.
func (a *area) block() (block bpf.ScanBlock, leaves int) {
	for i, s := range a.spread {
		if i%32 == 0 {
			block.Rank[i/32] = uint8(leaves) // at most 224 before the last word
		}
		block.Spread[i/32] |= uint64(s) << (i % 32 * 2)
		if s == spreadSome {
			leaves++
		}
	}
	return block, leaves
}

// appendLeaves appends them as the kernel has them.
func (a *area) appendLeaves(out []byte) []byte {
	for i, s := range a.spread {
		if s != spreadSome {
			continue
		}
		for _, w := range a.leaves[i] {
			out = binary.NativeEndian.AppendUint64(out, w)
		}
	}
	return out
}

// decode makes the area that of a block and its leaves.
func (a *area) decode(block bpf.ScanBlock, leaves []byte) {
	a.decodeSpread(block)
	for i, s := range a.spread {
		if s != spreadSome {
			continue
		}
		for w := range a.leaves[i] {
			a.leaves[i][w] = binary.NativeEndian.Uint64(leaves)
			leaves = leaves[8:]
		}
	}
}

func (a *area) decodeSpread(block bpf.ScanBlock) {
	for i := range a.spread {
		a.spread[i] = byte(block.Spread[i/32] >> (i % 32 * 2) & 3)
	}
}

// appendBlock appends a block as the kernel has it.
func appendBlock(out []byte, b bpf.ScanBlock) []byte {
	for _, word := range b.Spread {
		out = binary.NativeEndian.AppendUint64(out, word)
	}
	out = binary.NativeEndian.AppendUint32(out, b.Leaf)
	out = append(out, b.Rank[:]...)
	return append(out, b.Pad[:]...)
}

// blockFrom is the reverse.
func blockFrom(raw []byte) (b bpf.ScanBlock) {
	for i := range b.Spread {
		b.Spread[i] = binary.NativeEndian.Uint64(raw[i*8:])
	}
	raw = raw[len(b.Spread)*8:]
	b.Leaf = binary.NativeEndian.Uint32(raw)
	copy(b.Rank[:], raw[4:])
	return b
}

// leafCount is how many leaves belong to a block.
func leafCount(block bpf.ScanBlock) (n int) {
	for _, word := range block.Spread {
		n += bits.OnesCount64(word >> 1 & 0x5555555555555555)
	}
	return n
}
