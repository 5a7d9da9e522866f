// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"errors"
	"fmt"

	"denmap/bpf"
)

// marks are the bits of one /16: whether anything in each of its /23s is in
// the set.
type marks [128 / 64]uint64

const (
	marksSize = 128 / 8
	// markedFrom is how many blocks a set has when marks are worth their
	// memory, 1 MiB: fewer are in the processor's cache themselves.
	markedFrom = 1 << 10
)

// marks returns those of an area.
func (a *area) marks() (m marks) {
	for i, s := range a.spread {
		if s != spreadNone {
			m[i/128] |= 1 << (i / 2 % 64)
		}
	}
	return m
}

// marksOf returns those of every root of a set.
func (t *setTables) marksOf(values []uint32) ([]marks, error) {
	out := make([]marks, len(values))
	var a area
	for i, root := range values {
		if root < firstRoot {
			continue
		}
		block, _, err := t.readBlock(root)
		if err != nil {
			return nil, err
		}
		a.decodeSpread(block)
		out[i] = a.marks()
	}
	return out, nil
}

// has reports whether a /24 may hold anything.
func (m marks) has(net uint32) bool { return m[net/128]>>(net/2%64)&1 == 1 }

// markTables are the kernel's marks of a list's sets. Those of a /16 whose
// root settles all of it are not read.
type markTables struct {
	sets   []bpf.ScanListSet
	shelf  shelf   // list_marks
	tables []piece // by place in sets; without a map: the set is small
}

func (s *State) openMarks(list ListName) (t markTables, err error) {
	t = markTables{sets: list.sets(), shelf: s.shelf("list_marks")}
	for _, set := range t.sets {
		p, _, err := openPiece(t.shelf, uint32(set))
		if err != nil {
			return t, errors.Join(err, t.close())
		}
		t.tables = append(t.tables, p)
	}
	return t, nil
}

func (t markTables) close() error {
	var err error
	for _, p := range t.tables {
		if p.m != nil {
			err = errors.Join(err, p.m.Close())
		}
	}
	return err
}

// isMarked reports whether the set has marks.
func (t markTables) isMarked(set int) bool { return t.tables[set].m != nil }

// add gives a set marks: those of all its roots. On an error it has none.
func (t markTables) add(s *State, set int, all []marks) error {
	p, err := newPiece(s.spec["list_marks"])
	if err != nil {
		return err
	}
	t.tables[set] = p
	for root, m := range all {
		if m != (marks{}) {
			err = errors.Join(err, t.write(set, root, m))
		}
	}
	if err == nil {
		err = t.shelf.put(uint32(t.sets[set]), p.m)
	}
	if err != nil {
		t.tables[set] = piece{}
		return errors.Join(fmt.Errorf("add marks: %w", err), p.m.Close())
	}
	return nil
}

// drop takes the marks of a set away.
func (t markTables) drop(set int) error {
	if err := t.shelf.drop(uint32(t.sets[set])); err != nil {
		return fmt.Errorf("drop marks: %w", err)
	}
	err := t.tables[set].m.Close()
	t.tables[set] = piece{}
	return err
}

func (t markTables) read(set, root int) (m marks, err error) {
	var raw [marksSize]byte
	_, err = t.tables[set].memory.ReadAt(raw[:], int64(root)*marksSize)
	for i := range m {
		m[i] = binary.NativeEndian.Uint64(raw[i*8:])
	}
	return m, err
}

func (t markTables) write(set, root int, m marks) error {
	var raw [marksSize]byte
	for i, word := range m {
		binary.NativeEndian.PutUint64(raw[i*8:], word)
	}
	_, err := t.tables[set].memory.WriteAt(raw[:], int64(root)*marksSize)
	return err
}

// widen adds marks: before a root is turned to what they are of.
func (t markTables) widen(set, root int, more marks) error {
	m, err := t.read(set, root)
	if err != nil {
		return err
	}
	for i := range m {
		m[i] |= more[i]
	}
	return t.write(set, root, m)
}

func (t markTables) bytes() (n uint64) {
	for _, p := range t.tables {
		if p.m != nil {
			n += p.bytes()
		}
	}
	return n
}
