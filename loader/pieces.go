// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf"
)

// piece is one array of a fixed size inside an array of maps.
type piece struct {
	m      *ebpf.Map
	memory *ebpf.Memory
}

// openPiece returns the piece in a slot, false if the slot is empty.
func openPiece(h shelf, slot uint32) (p piece, ok bool, err error) {
	p.m, err = h.open(slot)
	if notFound(err) {
		return p, false, nil
	}
	if err != nil {
		return p, false, fmt.Errorf("open piece %d: %w", slot, err)
	}
	if p.memory, err = p.m.Memory(); err != nil {
		p.m.Close()
		return p, false, fmt.Errorf("map piece %d: %w", slot, err)
	}
	return p, true, nil
}

// newPiece makes an empty piece that no slot names yet.
func newPiece(spec *ebpf.MapSpec) (p piece, err error) {
	if p.m, err = ebpf.NewMap(innerSpec(spec)); err != nil {
		return p, fmt.Errorf("make piece: %w", err)
	}
	if p.memory, err = p.m.Memory(); err != nil {
		p.m.Close()
		return p, fmt.Errorf("map piece: %w", err)
	}
	return p, nil
}

// innerSpec is the spec of what a map of maps holds, without the type
// information, which would be loaded anew with every piece.
func innerSpec(outer *ebpf.MapSpec) *ebpf.MapSpec {
	spec := outer.InnerMap.Copy()
	spec.Name, spec.Key, spec.Value = outer.Name, nil, nil
	return spec
}

func (p piece) bytes() uint64 { return uint64(p.memory.Size()) }

// pool hands out runs of elements in the pieces of one list. What was in
// use when the pool was opened is not handed out, even if it is freed
// meanwhile: a program may be reading it.
type pool struct {
	shelf  shelf
	spec   *ebpf.MapSpec
	first  uint32 // slot
	slots  uint32
	length int // elements of a piece
	size   int // bytes of an element
	pieces []piece
	used   []bool
	next   int // where to look for a free run
	buffer []byte
}

func openPool(h shelf, spec *ebpf.MapSpec, first, slots uint32) (_ *pool, err error) {
	p := &pool{shelf: h, spec: spec, first: first, slots: slots, length: int(spec.InnerMap.MaxEntries), size: int(spec.InnerMap.ValueSize)}
	for uint32(len(p.pieces)) < slots {
		piece, ok, err := openPiece(h, first+uint32(len(p.pieces)))
		if err != nil {
			p.close()
			return nil, err
		}
		if !ok {
			break
		}
		p.pieces = append(p.pieces, piece)
	}
	p.used = make([]bool, len(p.pieces)*p.length)
	return p, nil
}

// span returns the piece and the offset of a run, which lies in one piece.
func (p *pool) span(start, n int) (*ebpf.Memory, int64, error) {
	i := start / p.length
	if start < 0 || n < 1 || i >= len(p.pieces) || start%p.length+n > p.length {
		return nil, 0, fmt.Errorf("elements %d to %d of %q do not exist", start, start+n-1, p.spec.Name)
	}
	return p.pieces[i].memory, int64(start % p.length * p.size), nil
}

// markUsed keeps a run that is in use from being handed out.
func (p *pool) markUsed(start, n int) error {
	if _, _, err := p.span(start, n); err != nil {
		return err
	}
	for i := start; i < start+n; i++ {
		p.used[i] = true
	}
	return nil
}

// read returns a run, which is good until the next read.
func (p *pool) read(start, n int) ([]byte, error) {
	memory, offset, err := p.span(start, n)
	if err != nil {
		return nil, err
	}
	if len(p.buffer) < n*p.size {
		p.buffer = make([]byte, n*p.size)
	}
	out := p.buffer[:n*p.size]
	_, err = memory.ReadAt(out, offset)
	return out, err
}

// put stores data in a run that nobody uses and returns its start.
func (p *pool) put(data []byte) (start int, err error) {
	n := len(data) / p.size
	if start, err = p.allocate(n); err != nil {
		return 0, err
	}
	memory, offset, err := p.span(start, n)
	if err != nil {
		return 0, err
	}
	_, err = memory.WriteAt(data, offset)
	return start, err
}

func (p *pool) allocate(n int) (int, error) {
	for start := p.next; start+n <= len(p.used); {
		if end := start + n - 1; start/p.length != end/p.length {
			start = end / p.length * p.length
			continue
		}
		busy := -1
		for i := start + n - 1; i >= start; i-- {
			if p.used[i] {
				busy = i
				break
			}
		}
		if busy >= 0 {
			start = busy + 1
			continue
		}
		p.next = start + n
		return start, p.markUsed(start, n)
	}
	start := len(p.used)
	if err := p.grow(); err != nil {
		return 0, err
	}
	p.next = start + n
	return start, p.markUsed(start, n)
}

// grow adds half as many pieces as there are. The kernel waits for running
// programs after each change of a map of maps, so they are added at once.
func (p *pool) grow() error {
	n := min(1+len(p.pieces)/2, int(p.slots)-len(p.pieces))
	if n == 0 {
		return fmt.Errorf("%q is full: %d pieces of %d elements", p.spec.Name, p.slots, p.length)
	}
	first := len(p.pieces)
	added := make([]piece, n)
	err := atOnce(n, func(i int) (err error) {
		if added[i], err = newPiece(p.spec); err != nil {
			return err
		}
		if err := p.shelf.put(p.first+uint32(first+i), added[i].m); err != nil {
			return errors.Join(fmt.Errorf("add piece %d: %w", first+i, err), added[i].m.Close())
		}
		return nil
	})
	if err != nil {
		return err
	}
	p.pieces = append(p.pieces, added...)
	p.used = append(p.used, make([]bool, n*p.length)...)
	return nil
}

// trim gives back the pieces behind the last element that is in use.
func (p *pool) trim(inUse int) error {
	keep := (inUse + p.length - 1) / p.length
	if keep >= len(p.pieces) {
		return nil
	}
	err := atOnce(len(p.pieces)-keep, func(i int) error {
		err := p.shelf.drop(p.first + uint32(keep+i))
		return errors.Join(err, p.pieces[keep+i].m.Close())
	})
	p.pieces, p.used = p.pieces[:keep], p.used[:keep*p.length]
	if err != nil {
		return fmt.Errorf("drop pieces: %w", err)
	}
	return nil
}

// atOnce runs do(0) to do(n-1) at the same time.
func atOnce(n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (p *pool) bytes() (n uint64) {
	for _, piece := range p.pieces {
		n += piece.bytes()
	}
	return n
}

func (p *pool) close() error {
	var err error
	for _, piece := range p.pieces {
		err = errors.Join(err, piece.m.Close())
	}
	return err
}
