// SPDX-License-Identifier: MIT

package loader

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"denmap/bpf"
)

// ownMap is the program's working room, which no other program sees.
const ownMap = "suspects"

// shared returns the specs of the maps that outlive a program; the rest
// (constants, test clock, working room) belongs to one loaded program. What a map of maps
// will hold is described without type information, like the pieces it will
// get (innerSpec): Linux 6.1 takes the two for different maps otherwise.
func shared(spec *ebpf.CollectionSpec) map[string]*ebpf.MapSpec {
	specs := make(map[string]*ebpf.MapSpec)
	for name, m := range spec.Maps {
		if strings.HasPrefix(name, ".") || name == ownMap {
			continue
		}
		if m.InnerMap != nil {
			m.InnerMap.Key, m.InnerMap.Value = nil, nil
		}
		specs[name] = m
	}
	return specs
}

// holdMaps opens the maps pinned below dir, whose lock the caller holds, or
// creates them. Errors: *LayoutError.
func holdMaps(dir string, spec *ebpf.CollectionSpec) (maps map[string]*ebpf.Map, adopted bool, err error) {
	if err := errors.Join(removeNew(dir), restorePrior(dir)); err != nil {
		return nil, false, err
	}
	if adopted, err = hasState(dir); err != nil {
		return nil, false, err
	}
	// An end that was cut short may have taken the links alone.
	if err := makeDir(filepath.Join(dir, linksDir)); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, false, fmt.Errorf("create pins: %w", err)
	}
	if adopted {
		maps, err = openMaps(dir, spec)
		return maps, true, err
	}
	if maps, err = createMaps(dir, spec); err != nil {
		unstage(dir, spec)
		return nil, false, errors.Join(err, removePins(dir))
	}
	return maps, false, nil
}

// createMaps makes fresh maps and pins them below dir, where they appear
// together or not at all. On an error the caller removes what is there.
func createMaps(dir string, spec *ebpf.CollectionSpec) (map[string]*ebpf.Map, error) {
	maps, err := stageMaps(dir, spec)
	if err != nil {
		return nil, err
	}
	if err := publishMaps(dir); err != nil {
		closeMaps(maps)
		return nil, err
	}
	return maps, nil
}

// publishMaps makes what stageMaps made the state.
func publishMaps(dir string) error {
	if err := os.Rename(filepath.Join(dir, newDir), filepath.Join(dir, mapsDir)); err != nil {
		return fmt.Errorf("publish pins: %w", err)
	}
	return nil
}

// stageMaps makes fresh maps and pins them in newDir. On an error the caller
// removes what is there.
func stageMaps(dir string, spec *ebpf.CollectionSpec) (_ map[string]*ebpf.Map, err error) {
	maps := make(map[string]*ebpf.Map)
	defer func() {
		if err != nil {
			closeMaps(maps)
		}
	}()
	staging := filepath.Join(dir, newDir)
	if err := makeDir(staging); err != nil {
		return nil, fmt.Errorf("create pins: %w", err)
	}
	if err := makeDir(filepath.Join(staging, piecesDir)); err != nil {
		return nil, fmt.Errorf("create pins: %w", err)
	}
	for name, ms := range shared(spec) {
		m, err := ebpf.NewMap(ms)
		if err != nil {
			return nil, fmt.Errorf("create map %q: %w", name, err)
		}
		maps[name] = m
		pin := filepath.Join(staging, name)
		if err := pinAt(m, pin); err != nil {
			return nil, fmt.Errorf("pin map %q: %w", name, err)
		}
	}
	if err := writeIdentity(maps["metas"]); err != nil {
		return nil, err
	}
	return maps, nil
}

// unstage removes what stageMaps pinned without opening a directory: it may
// be file descriptors that ran out. removePins tells what is left.
func unstage(dir string, spec *ebpf.CollectionSpec) {
	for name := range shared(spec) {
		_ = os.Remove(filepath.Join(dir, newDir, name))
	}
	_ = os.Remove(filepath.Join(dir, newDir, piecesDir))
}

func writeIdentity(metas *ebpf.Map) error {
	var seed [8]byte
	rand.Read(seed[:]) // never fails: crypto/rand
	netns, err := currentNetns()
	if err != nil {
		return err
	}
	meta := bpf.ScanMeta{Layout: uint32(layoutVersion), Seed: binary.NativeEndian.Uint64(seed[:]), Netns: netns}
	if err := metas.Put(uint32(0), meta); err != nil {
		return fmt.Errorf("write identity of pinned state: %w", err)
	}
	return nil
}

// openMaps opens the pinned maps below dir and checks that they mean what
// this program means by them. Errors: ErrNotAttached, *LayoutError.
func openMaps(dir string, spec *ebpf.CollectionSpec) (_ map[string]*ebpf.Map, err error) {
	maps := make(map[string]*ebpf.Map)
	defer func() {
		if err != nil {
			closeMaps(maps)
		}
	}()
	d, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNotAttached
	}
	if err != nil {
		return nil, fmt.Errorf("open pinned state: %w", err)
	}
	defer d.Close()
	if err := checkOwner(d); err != nil {
		return nil, err
	}
	if there, err := hasState(dir); err != nil {
		return nil, err
	} else if !there {
		return nil, ErrNotAttached
	}
	layout, _, err := readLayout(filepath.Join(dir, mapsDir))
	if err != nil {
		return nil, err
	}
	if layout != int(layoutVersion) {
		return nil, &LayoutError{Found: layout}
	}
	differs := func(format string, args ...any) error {
		return &LayoutError{Found: layout, Detail: fmt.Sprintf(format, args...)}
	}
	for name, ms := range shared(spec) {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, mapsDir, name), nil)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, differs("map %q is missing", name)
		}
		if err != nil {
			return nil, fmt.Errorf("open pinned map %q: %w", name, err)
		}
		maps[name] = m
		if m.Type() != ms.Type || m.KeySize() != ms.KeySize || m.ValueSize() != ms.ValueSize {
			return nil, differs("map %q has other sizes", name)
		}
		if isArray(ms.Type) && m.MaxEntries() != ms.MaxEntries {
			return nil, differs("map %q has another length", name)
		}
	}
	return maps, nil
}

func isArray(t ebpf.MapType) bool { return t == ebpf.Array || t == ebpf.PerCPUArray }

func readMeta(metas *ebpf.Map) (meta bpf.ScanMeta, err error) {
	if err := metas.Lookup(uint32(0), &meta); err != nil {
		return meta, fmt.Errorf("read identity of pinned state: %w", err)
	}
	return meta, nil
}

func currentNetns() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return 0, fmt.Errorf("identify network namespace: %w", err)
	}
	return st.Ino, nil
}

func closeMaps(maps map[string]*ebpf.Map) {
	for _, m := range maps {
		m.Close()
	}
}
