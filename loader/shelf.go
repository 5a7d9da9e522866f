// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// piecesDir, below the pinned maps, holds those inside maps of maps, by
// their kernel ids. A map of maps only tells the id, and opening a map by
// its id takes CAP_SYS_ADMIN, which the service does not have.
const piecesDir = "pieces"

// shelf is a map of maps.
type shelf struct {
	outer *ebpf.Map
	dir   string // of the pins; empty: nothing is pinned, and ids are opened
}

func (s *State) shelf(name string) shelf {
	h := shelf{outer: s.maps[name]}
	if s.dir != "" {
		h.dir = filepath.Join(s.dir, mapsDir, piecesDir)
	}
	return h
}

func (h shelf) pin(id ebpf.MapID) string {
	return filepath.Join(h.dir, strconv.FormatUint(uint64(id), 10))
}

// id returns that of the map in a slot. Errors: ebpf.ErrKeyNotExist.
func (h shelf) id(slot uint32) (id ebpf.MapID, err error) {
	err = h.outer.Lookup(slot, (*uint32)(&id))
	return id, err
}

// open returns the map in a slot; the caller closes it. Errors:
// ebpf.ErrKeyNotExist.
func (h shelf) open(slot uint32) (m *ebpf.Map, err error) {
	if h.dir == "" {
		err = h.outer.Lookup(slot, &m)
		return m, err
	}
	// Another process may exchange the map between the two steps.
	const tries = 3
	for range tries {
		id, err := h.id(slot)
		if err != nil {
			return nil, err
		}
		m, err = ebpf.LoadPinnedMap(h.pin(id), nil)
		if !errors.Is(err, fs.ErrNotExist) {
			return m, err
		}
	}
	return nil, fmt.Errorf("open map in slot %d: its pin is missing", slot)
}

// put places a map in a slot, in the place of what is there.
func (h shelf) put(slot uint32, m *ebpf.Map) error {
	if h.dir == "" {
		return h.outer.Put(slot, m)
	}
	info, err := m.Info()
	if err != nil {
		return err
	}
	id, known := info.ID()
	if !known {
		return errors.New("the kernel tells no map ids (Linux 4.13)")
	}
	old, err := h.id(slot)
	if err != nil && !notFound(err) {
		return err
	}
	if old == id { // put again, to wait for running programs
		return h.outer.Put(slot, m)
	}
	unlock, err := h.lock(unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer unlock()
	// The pin comes first: what a slot names can always be opened.
	if err := pinAt(m, h.pin(id)); err != nil {
		return err
	}
	if err := h.outer.Put(slot, m); err != nil {
		return errors.Join(err, os.Remove(h.pin(id)))
	}
	return h.unpin(old)
}

// drop empties a slot.
func (h shelf) drop(slot uint32) error {
	if h.dir == "" {
		return ignoreMissing(h.outer.Delete(slot))
	}
	old, err := h.id(slot)
	if err != nil {
		return ignoreMissing(err)
	}
	if err := ignoreMissing(h.outer.Delete(slot)); err != nil {
		return err
	}
	return h.unpin(old)
}

// lock keeps a start from taking a pin that is not in its slot yet for a
// stray one.
func (h shelf) lock(how int) (unlock func(), err error) {
	f, err := os.Open(h.dir)
	if err != nil {
		return nil, fmt.Errorf("lock pieces: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock pieces: %w", err)
	}
	return func() { f.Close() }, nil
}

// unpin removes the pin of a map that is in no slot any more; 0 is none.
func (h shelf) unpin(id ebpf.MapID) error {
	if id == 0 {
		return nil
	}
	if err := os.Remove(h.pin(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeStrayPieces unpins the maps that are in no slot: a process ended
// between the two steps of put or drop.
func (s *State) removeStrayPieces() error {
	dir := filepath.Join(s.dir, mapsDir, piecesDir)
	unlock, err := shelf{dir: dir}.lock(unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list pieces: %w", err)
	}
	if len(entries) == 0 {
		return nil // and no slot need be read
	}
	inUse := make(map[string]bool)
	for name, spec := range s.spec {
		if spec.Type != ebpf.ArrayOfMaps && spec.Type != ebpf.HashOfMaps {
			continue
		}
		var slot, id uint32
		it := s.maps[name].Iterate()
		for it.Next(&slot, &id) {
			inUse[strconv.FormatUint(uint64(id), 10)] = true
		}
		if err := it.Err(); err != nil {
			return fmt.Errorf("list %s: %w", name, err)
		}
	}
	for _, e := range entries {
		if inUse[e.Name()] {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return fmt.Errorf("remove stray piece: %w", err)
		}
	}
	return nil
}
