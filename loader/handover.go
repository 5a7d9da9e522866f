// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cilium/ebpf"

	"denmap/bpf"
)

// handOver copies interfaces, bans and a pause into fresh tables.
func (p *prior) handOver(maps map[string]*ebpf.Map, spec *ebpf.CollectionSpec) error {
	for slot := range uint32(ifaceSlots) {
		var iface bpf.ScanIface
		if err := p.ifaces.Lookup(slot, &iface); notFound(err) {
			break // it had fewer
		} else if err != nil {
			return fmt.Errorf("read interface table: %w", err)
		}
		if err := maps["ifaces"].Put(slot, iface); err != nil {
			return fmt.Errorf("write interface table: %w", err)
		}
	}
	meta, err := readMeta(maps["metas"])
	if err != nil {
		return err
	}
	fresh := &State{maps: maps, spec: shared(spec), seed: meta.Seed}
	until, err := p.pausedUntil()
	if err == nil && until > 0 {
		err = fresh.setGate(func(g *bpf.ScanGate) { g.PauseUntil = until })
	}
	return errors.Join(err, p.copyBans(fresh), fresh.closeHints())
}

// pauseSize is that of the end of a pause, with which every gate ends.
const pauseSize = 8

// pausedUntil returns when a pause ends, in boot time; 0: there is none.
func (p *prior) pausedUntil() (uint64, error) {
	if p.gates == nil {
		return 0, nil
	}
	raw, err := p.gates.LookupBytes(uint32(0))
	if err != nil {
		return 0, fmt.Errorf("read gate: %w", err)
	}
	until := binary.NativeEndian.Uint64(raw[len(raw)-pauseSize:])
	if until <= readClock().boot {
		return 0, nil
	}
	return until, nil
}

// copyBans puts the bans in force that were not copied yet, or have been
// prolonged since. A ban that was lifted after it was copied stays lifted.
func (p *prior) copyBans(to *State) error {
	unlock, err := to.lockDir(mapsDir)
	if err != nil {
		return err
	}
	defer unlock()
	now := readClock()
	for table, m := range p.bans {
		var failed error
		err := walk(m, func(key bpf.ScanPrefix, ban *bpf.ScanBan) {
			id := priorBan{table, key}
			before := p.carried[id]
			if ban.Until <= now.boot || before.Since == ban.Since && before.Until == ban.Until {
				return
			}
			p.carried[id] = *ban
			// It may have been prolonged here since.
			var here bpf.ScanBan
			switch err := to.maps[table].Lookup(key, &here); {
			case notFound(err) || (err == nil && here.Until < ban.Until):
				failed = errors.Join(failed, to.enforce(key, *ban))
			case err != nil:
				failed = errors.Join(failed, err)
			}
		})
		if err := errors.Join(err, failed); err != nil {
			return fmt.Errorf("take over %s: %w", table, err)
		}
	}
	return nil
}

// liftPrior lifts bans from the tables of another layout too, while they are
// being taken over: the old program drops by them, and a take-over that was
// cut short would copy them again. It reports whether there was one.
func (s *State) liftPrior(keys []bpf.ScanPrefix) (found bool, err error) {
	dir := filepath.Join(s.dir, priorDir)
	if _, err := os.Lstat(dir); s.dir == "" || errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	p, err := openPrior(dir)
	if errors.Is(err, fs.ErrNotExist) { // the take-over is done
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer p.close()
	unlock, err := s.lockDir(mapsDir)
	if err != nil {
		return false, err
	}
	defer unlock()
	for table, m := range p.bans {
		for _, key := range keys {
			err := m.Delete(key)
			if err != nil && !notFound(err) {
				return found, fmt.Errorf("lift ban in %s of layout %d: %w", table, p.layout, err)
			}
			found = found || err == nil
		}
	}
	return found, nil
}
