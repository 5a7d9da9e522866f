// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf"

	"denmap/bpf"
)

// State is the pinned kernel state: what commands read and edit, with or
// without a running daemon. Close it after use; the kernel keeps it.
type State struct {
	dir  string
	maps map[string]*ebpf.Map
	spec map[string]*ebpf.MapSpec // of the same maps
	seed uint64                   // of every hash

	listMu sync.Mutex // one SyncList at a time; guards listed
	listed listMemory

	hintMu sync.Mutex // guards hints
	hints  hints      // nil: not mapped yet
}

// OpenState opens the state pinned at dir. Errors: ErrNotAttached when
// nothing is pinned, ErrLayout when another version pinned it.
func OpenState(dir string) (*State, error) {
	spec, err := bpf.LoadScan()
	if err != nil {
		return nil, fmt.Errorf("read embedded program: %w", err)
	}
	maps, err := openMaps(dir, spec)
	if err != nil {
		return nil, err
	}
	meta, err := readMeta(maps["metas"])
	if err != nil {
		closeMaps(maps)
		return nil, err
	}
	return &State{dir: dir, maps: maps, spec: shared(spec), seed: meta.Seed}, nil
}

// Close releases the maps. The pinned state stays. It may be called twice,
// and of a nil State, which holds none.
func (s *State) Close() error {
	if s == nil {
		return nil
	}
	err := s.closeHints()
	closeMaps(s.maps)
	return err
}

// DaemonRunning reports whether a daemon holds this state.
func (s *State) DaemonRunning() bool { return isHeld(s.dir) }

// Rules are the settings in force, as far as commands need them.
type Rules struct {
	AlertScore, BanScore int
	UDPAlert, UDPBan     int
	Decay                time.Duration
	BanDuration          time.Duration
	IPv6Prefix           int
}

// Rules returns the settings of the last daemon that attached or reloaded.
func (s *State) Rules() (Rules, error) {
	meta, err := readMeta(s.maps["metas"])
	if err != nil {
		return Rules{}, err
	}
	return Rules{
		AlertScore:  int(meta.AlertScore),
		BanScore:    int(meta.BanScore),
		UDPAlert:    int(meta.UdpAlertScore),
		UDPBan:      int(meta.UdpBanScore),
		Decay:       time.Duration(meta.DecayMs) * time.Millisecond,
		BanDuration: time.Duration(meta.BanNs),
		IPv6Prefix:  int(meta.Ipv6Prefix),
	}, nil
}

func (s *State) gate() (gate bpf.ScanGate, err error) {
	if err := s.maps["gates"].Lookup(uint32(0), &gate); err != nil {
		return gate, fmt.Errorf("read gate: %w", err)
	}
	return gate, nil
}

// setGate edits the gate under the lock of the state's file: the whole
// struct is one map entry, and two commands must not undo each other.
func (s *State) setGate(edit func(*bpf.ScanGate)) error {
	unlock, err := s.lockDir(mapsDir)
	if err != nil {
		return err
	}
	defer unlock()
	gate, err := s.gate()
	if err != nil {
		return err
	}
	before := gate
	edit(&gate)
	if gate == before {
		return nil
	}
	if err := s.maps["gates"].Put(uint32(0), gate); err != nil {
		return fmt.Errorf("write gate: %w", err)
	}
	return nil
}

// mark notes that a table holds something. Marks are only ever set, so no
// lock is needed against the program, which sets them too.
func (s *State) mark(m bpf.ScanMark) error {
	if err := s.maps["marks"].Put(uint32(m), uint32(1)); err != nil {
		return fmt.Errorf("mark table: %w", err)
	}
	return nil
}

// Pause lets every packet pass until the given time; the state is kept and
// the pause ends by itself.
func (s *State) Pause(until time.Time) error {
	return s.setGate(func(g *bpf.ScanGate) { g.PauseUntil = readClock().bootNS(until) })
}

// Resume ends a pause.
func (s *State) Resume() error {
	return s.setGate(func(g *bpf.ScanGate) { g.PauseUntil = 0 })
}

// Paused returns when the pause ends, the zero time if there is none.
func (s *State) Paused() (time.Time, error) {
	gate, err := s.gate()
	if err != nil {
		return time.Time{}, err
	}
	now := readClock()
	if gate.PauseUntil <= now.boot {
		return time.Time{}, nil
	}
	return now.time(gate.PauseUntil), nil
}

// notFound reports whether err only says that a key is absent.
func notFound(err error) bool { return errors.Is(err, ebpf.ErrKeyNotExist) }
