// SPDX-License-Identifier: MIT

package loader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"denmap/bpf"
)

const (
	roots     = int(bpf.ScanLayoutROOTS)
	leafSize  = 32 // struct leaf
	firstRoot = uint32(bpf.ScanSpreadSPREAD_FIRST)
)

// setTables are the kernel's side of a list's IPv4 sets. Blocks and leaves
// are written where no root leads to, then a root is turned to them in one
// store, so the program sees the old /16 or the new one. Marks only spare it
// the rest: they are those of both while a root turns.
type setTables struct {
	sets   []bpf.ScanListSet
	shelf  shelf   // list_roots
	roots  []piece // by place in sets; without a map: the set is empty
	marks  markTables
	blocks *pool
	leaves *pool

	scratch []byte // room for the leaves of one block
}

func (s *State) openSets(list ListName) (t *setTables, err error) {
	t = &setTables{sets: list.sets(), shelf: s.shelf("list_roots"), scratch: make([]byte, 0, 256*leafSize)}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.close())
		}
	}()
	for _, set := range t.sets {
		p, _, err := openPiece(t.shelf, uint32(set))
		if err != nil {
			return t, err
		}
		t.roots = append(t.roots, p)
	}
	if t.marks, err = s.openMarks(list); err != nil {
		return t, err
	}
	const blocks, leaves = uint32(bpf.ScanLayoutBLOCK_CHUNKS), uint32(bpf.ScanLayoutLEAF_CHUNKS)
	i := uint32(list.kernel())
	if t.blocks, err = openPool(s.shelf("list_blocks"), s.spec["list_blocks"], i*blocks, blocks); err != nil {
		return t, err
	}
	t.leaves, err = openPool(s.shelf("list_leaves"), s.spec["list_leaves"], i*leaves, leaves)
	return t, err
}

func (t *setTables) close() error {
	err := t.marks.close()
	for _, p := range t.roots {
		if p.m != nil {
			err = errors.Join(err, p.m.Close())
		}
	}
	for _, p := range []*pool{t.blocks, t.leaves} {
		if p != nil {
			err = errors.Join(err, p.close())
		}
	}
	return err
}

// readRoots returns the roots of a set.
func (t *setTables) readRoots(i int) ([]uint32, error) {
	out := make([]uint32, roots)
	if t.roots[i].m == nil {
		return out, nil
	}
	raw := make([]byte, 4*roots)
	if _, err := t.roots[i].memory.ReadAt(raw, 0); err != nil {
		return nil, err
	}
	for n := range out {
		out[n] = binary.NativeEndian.Uint32(raw[4*n:])
	}
	return out, nil
}

// readBlock returns the block a root names, and how many leaves it has.
func (t *setTables) readBlock(root uint32) (block bpf.ScanBlock, leaves int, err error) {
	raw, err := t.blocks.read(int(root-firstRoot), 1)
	if err != nil {
		return block, 0, err
	}
	block = blockFrom(raw)
	return block, leafCount(block), nil
}

// readLeaves returns a block's leaves, which are good until the next read.
func (t *setTables) readLeaves(block bpf.ScanBlock, n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	return t.leaves.read(int(block.Leaf), n)
}

// mark keeps what the roots lead to from being written over, and returns
// how far it reaches.
func (t *setTables) mark(values []uint32) (blocks, leaves int, err error) {
	for _, root := range values {
		if root < firstRoot {
			continue
		}
		block, n, err := t.readBlock(root)
		if err != nil {
			return 0, 0, err
		}
		err = t.blocks.markUsed(int(root-firstRoot), 1)
		if n > 0 {
			err = errors.Join(err, t.leaves.markUsed(int(block.Leaf), n))
		}
		if err != nil {
			return 0, 0, err
		}
		blocks = max(blocks, int(root-firstRoot)+1)
		leaves = max(leaves, int(block.Leaf)+n)
	}
	return blocks, leaves, nil
}

// store writes an area and returns the root that leads to it.
func (t *setTables) store(a *area) (uint32, error) {
	if u := a.uniform(); u != spreadSome {
		return uint32(u), nil
	}
	block, n := a.block()
	if n > 0 {
		start, err := t.leaves.put(a.appendLeaves(t.scratch[:0]))
		if err != nil {
			return 0, err
		}
		block.Leaf = uint32(start)
	}
	start, err := t.blocks.put(appendBlock(nil, block))
	return uint32(start) + firstRoot, err
}

// same reports whether a root leads to exactly this area.
func (t *setTables) same(root uint32, a *area) (bool, error) {
	u := a.uniform()
	if root < firstRoot || u != spreadSome {
		return root == uint32(u), nil
	}
	block, n, err := t.readBlock(root)
	if err != nil {
		return false, err
	}
	if want, _ := a.block(); block.Spread != want.Spread {
		return false, nil
	}
	leaves, err := t.readLeaves(block, n)
	return bytes.Equal(leaves, a.appendLeaves(t.scratch[:0])), err
}

// load is the reverse of store.
func (t *setTables) load(root uint32, a *area) error {
	if root < firstRoot {
		a.fill(0, 256, byte(root))
		return nil
	}
	block, n, err := t.readBlock(root)
	if err != nil {
		return err
	}
	leaves, err := t.readLeaves(block, n)
	if err == nil {
		a.decode(block, leaves)
	}
	return err
}

// turn makes a root lead elsewhere: a single aligned store.
func (t *setTables) turn(to turn) error {
	marked := t.marks.isMarked(to.set)
	if marked {
		if err := t.marks.widen(to.set, to.root, to.marks); err != nil {
			return err
		}
	}
	var raw [4]byte
	binary.NativeEndian.PutUint32(raw[:], to.value)
	_, err := t.roots[to.set].memory.WriteAt(raw[:], int64(to.root)*4)
	if err != nil || !marked {
		return err
	}
	return t.marks.write(to.set, to.root, to.marks)
}

// settle returns when no program can be reading what an earlier change left
// behind: the kernel waits for running programs after a change of a map of
// maps.
func (t *setTables) settle() error {
	for i, p := range t.roots {
		if p.m == nil {
			continue
		}
		if err := t.shelf.put(uint32(t.sets[i]), p.m); err != nil {
			return fmt.Errorf("wait for running programs: %w", err)
		}
		return nil
	}
	return nil
}

// listed4 follows the same path as the program.
func (s *State) listed4(list ListName, addr netip.Addr) (listed, watch bool, err error) {
	t, err := s.openSets(list)
	if err != nil {
		return false, false, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	b := addr.As4()
	a := binary.BigEndian.Uint32(b[:])
	for i := range t.sets {
		if t.roots[i].m == nil {
			continue
		}
		var raw [4]byte
		if _, err := t.roots[i].memory.ReadAt(raw[:], int64(a>>16)*4); err != nil {
			return false, false, err
		}
		var area area
		root := binary.NativeEndian.Uint32(raw[:])
		if err := t.load(root, &area); err != nil {
			return false, false, err
		}
		net, host := a>>8&0xff, a&0xff
		if root >= firstRoot && t.marks.isMarked(i) {
			marks, err := t.marks.read(i, int(a>>16))
			if err != nil {
				return false, false, err
			}
			if !marks.has(net) {
				continue
			}
		}
		on := area.spread[net] == spreadAll
		if area.spread[net] == spreadSome {
			on = area.leaves[net][host/64]>>(host%64)&1 == 1
		}
		if on {
			return true, i == 1, nil
		}
	}
	return false, false, nil
}

func (s *State) setsMemory(list ListName) (bytes uint64, err error) {
	t, err := s.openSets(list)
	if err != nil {
		return 0, err
	}
	for _, p := range t.roots {
		if p.m != nil {
			bytes += p.bytes()
		}
	}
	return bytes + t.marks.bytes() + t.blocks.bytes() + t.leaves.bytes(), t.close()
}
