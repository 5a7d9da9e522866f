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
	"denmap/userspace/event"
)

// priorDir, below the pin directory, holds the state of another layout
// while its programs are being replaced. What an attached program uses
// lives on in the kernel, pinned or not; the pins are for its bans.
const priorDir = "old"

// prior is pinned state of another layout. Of its tables only those are
// read whose layout never changes: see bpf/scan.h.
type prior struct {
	dir    string // of its pins
	layout int
	ifaces *ebpf.Map
	gates  *ebpf.Map            // can be nil, as ifaces
	bans   map[string]*ebpf.Map // by table; those that can be read

	// carried are the bans as they were taken over: what differs later was
	// given or prolonged by a program that had not been replaced yet.
	carried map[priorBan]bpf.ScanBan
	begun   bool // this process moved it to priorDir
}

type priorBan struct {
	table string
	key   bpf.ScanPrefix
}

// openPrior opens what can be read of the state pinned at dir.
func openPrior(dir string) (_ *prior, err error) {
	p := &prior{dir: dir, bans: make(map[string]*ebpf.Map), carried: make(map[priorBan]bpf.ScanBan)}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.layout, _, err = readLayout(dir); err != nil {
		return nil, err
	}
	spec, err := bpf.LoadScan()
	if err != nil {
		return nil, fmt.Errorf("read embedded program: %w", err)
	}
	for _, name := range []string{"ifaces", "gates", "bans", "blind_bans"} {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, name), nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("open pinned map %q: %w", name, err)
		}
		want := spec.Maps[name]
		switch {
		case name == "gates" && m.Type() == want.Type && m.KeySize() == want.KeySize && m.ValueSize() >= pauseSize:
			p.gates = m
		case m.Type() != want.Type || m.KeySize() != want.KeySize || m.ValueSize() != want.ValueSize:
			m.Close()
		case name == "ifaces":
			p.ifaces = m
		default:
			p.bans[name] = m
		}
	}
	return p, nil
}

func (p *prior) close() {
	for _, m := range []*ebpf.Map{p.ifaces, p.gates} {
		if m != nil {
			m.Close()
		}
	}
	closeMaps(p.bans)
}

// checkNetns refuses state of another network namespace than this one, as
// identify does.
func (p *prior) checkNetns(dir string) error {
	_, raw, err := readLayout(p.dir)
	if err != nil {
		return err
	}
	var meta bpf.ScanMeta
	if _, err := binary.Decode(raw, binary.NativeEndian, &meta); err != nil {
		return fmt.Errorf("read identity of pinned state: %w", err)
	}
	return checkNetns(dir, meta)
}

// takeOver makes fresh tables in the place of those of another layout, with
// their interfaces and bans. The old programs stay attached, on the old
// tables, until each is replaced by Attach; a start that is cut short
// anywhere is continued by the next. Errors: *LayoutError.
func takeOver(dir string, spec *ebpf.CollectionSpec, found *LayoutError) (_ *prior, maps map[string]*ebpf.Map, err error) {
	if found.Newer() || found.Found == 0 {
		return nil, nil, found
	}
	p, err := openPrior(filepath.Join(dir, mapsDir))
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if err := p.checkNetns(dir); err != nil {
		return nil, nil, err
	}
	if p.ifaces == nil {
		return nil, nil, fmt.Errorf("take over layout %d: its table of interfaces cannot be read: denmap detach removes it", found.Found)
	}
	for name, m := range p.bans {
		spec.Maps[name].MaxEntries = max(spec.Maps[name].MaxEntries, m.MaxEntries())
	}
	if maps, err = stageMaps(dir, spec); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			closeMaps(maps)
			err = errors.Join(err, removeNew(dir))
		}
	}()
	if err := p.handOver(maps, spec); err != nil {
		return nil, nil, err
	}
	// What an even earlier layout left here is not read any more.
	p.dir = filepath.Join(dir, priorDir)
	if err := os.RemoveAll(p.dir); err != nil {
		return nil, nil, fmt.Errorf("remove pins: %w", err)
	}
	if err := os.Rename(filepath.Join(dir, mapsDir), p.dir); err != nil {
		return nil, nil, fmt.Errorf("move pins: %w", err)
	}
	p.begun = true
	if err := publishMaps(dir); err != nil {
		return nil, nil, errors.Join(err, restorePrior(dir))
	}
	return p, maps, nil
}

// restorePrior undoes a take-over that was cut short between its two
// renames. It does nothing otherwise.
func restorePrior(dir string) error {
	if there, err := hasState(dir); there || err != nil {
		return err
	}
	err := os.Rename(filepath.Join(dir, priorDir), filepath.Join(dir, mapsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move pins: %w", err)
	}
	return nil
}

// followTakeOver takes over what the old programs banned since, and lets go
// of their state once none of them is attached. The caller holds k.mu.
func (k *Kernel) followTakeOver() error {
	if k.prior == nil {
		return nil
	}
	if err := k.prior.copyBans(k.State); err != nil {
		return err
	}
	for _, a := range k.attached {
		if !a.fresh {
			return nil
		}
	}
	if err := os.RemoveAll(k.prior.dir); err != nil {
		return fmt.Errorf("remove pins: %w", err)
	}
	k.prior.close()
	k.prior = nil
	return nil
}

// giveBack ends a take-over that replaced no program: the state is again as
// it was found, and an older denmap can use it.
func (k *Kernel) giveBack() error {
	if err := os.Rename(filepath.Join(k.dir, mapsDir), filepath.Join(k.dir, newDir)); err != nil {
		return fmt.Errorf("move pins: %w", err)
	}
	return errors.Join(restorePrior(k.dir), removeNew(k.dir))
}

// TookOver reports whether Open found state of another layout, which one,
// and how many bans it took over from there. Scores and counters start
// anew; lists, host facts and services are for the caller to set.
func (k *Kernel) TookOver() (layout, bans int, ok bool) {
	return k.tookOver.layout, k.tookOver.bans, k.tookOver.layout != 0
}

// StrandedBans returns the bans in state of another layout, as far as they
// can be read: for whoever is about to remove it.
func StrandedBans(dir string) ([]event.Ban, error) {
	p, err := openPrior(filepath.Join(dir, mapsDir))
	if err != nil {
		return nil, err
	}
	defer p.close()
	if len(p.bans) < 2 {
		return nil, fmt.Errorf("read bans of layout %d: their tables have other sizes", p.layout)
	}
	now := readClock()
	var out []event.Ban
	none := func() (stops, error) { return nil, nil }
	for table, m := range p.bans {
		if out, err = appendBans(out, m, none, now); err != nil {
			return out, fmt.Errorf("read %s: %w", table, err)
		}
	}
	return out, nil
}
