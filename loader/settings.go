// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/cilium/ebpf"

	"denmap/bpf"
)

// Settings are what the program is built with. They are folded in by the
// verifier; Reconfigure replaces the program.
type Settings struct {
	AlertScore  int // 1..32
	BanScore    int // AlertScore..32
	UDPAlert    int // the same for UDP and one-port sweeps
	UDPBan      int
	Decay       time.Duration // at least 1 ms: the time in which a score loses a point
	IPv6Prefix  int           // 32..128
	DropCrafted bool
	IgnorePorts []uint16
	BanDuration time.Duration

	// Of each further proven ban of a source; at least 1.
	BanMultiplier int
	BanMax        time.Duration
}

// check refuses what the program could not work with: a caller's mistake,
// since the configuration is validated before.
func (s Settings) check() error {
	const most = int(bpf.ScanLayoutPROBE_SLOTS)
	for _, pair := range [][2]int{{s.AlertScore, s.BanScore}, {s.UDPAlert, s.UDPBan}} {
		if pair[0] < 1 || pair[1] < pair[0] || pair[1] > most {
			return fmt.Errorf("use scores %d and %d: expected 1 <= alert <= ban <= %d", pair[0], pair[1], most)
		}
	}
	if s.Decay < time.Millisecond {
		return fmt.Errorf("use decay %v: expected at least 1ms", s.Decay)
	}
	if s.IPv6Prefix < 32 || s.IPv6Prefix > 128 {
		return fmt.Errorf("use IPv6 prefix /%d: expected /32 to /128", s.IPv6Prefix)
	}
	return nil
}

// flow is what differs between two interfaces under the same settings.
type flow struct {
	slot     int
	index    int // of the interface; 0: any
	ethernet bool
	mac      [6]byte
	monitor  bool
	bridged  bool // a port of a bridge
	tracked  bool // the kernel has connection tracking
}

// specialize writes settings into a fresh spec's constants.
func specialize(spec *ebpf.CollectionSpec, s Settings, f flow, seed uint64) error {
	if err := s.check(); err != nil {
		return err
	}
	low, high, err := ephemeralPorts()
	if err != nil {
		return err
	}
	looked, _ := prefixes(s.IPv6Prefix)
	var ignored [1024]uint64
	for _, port := range s.IgnorePorts {
		ignored[port/64] |= 1 << (port % 64)
	}
	for name, value := range map[string]any{
		bpf.ScanVarIfaceSlot:      uint32(f.slot),
		bpf.ScanVarOwnIfindex:     uint32(f.index),
		bpf.ScanVarLinkIsEthernet: flag(f.ethernet),
		bpf.ScanVarOwnMac:         f.mac,
		bpf.ScanVarMonitor:        flag(f.monitor),
		bpf.ScanVarHasConntrack:   flag(f.tracked),
		bpf.ScanVarBridgePort:     flag(f.bridged),
		bpf.ScanVarDropCrafted:    flag(s.DropCrafted),
		bpf.ScanVarAlertScore:     uint32(s.AlertScore),
		bpf.ScanVarBanScore:       uint32(s.BanScore),
		bpf.ScanVarUdpAlertScore:  uint32(s.UDPAlert),
		bpf.ScanVarUdpBanScore:    uint32(s.UDPBan),
		bpf.ScanVarDecayMs:        uint64(s.Decay.Milliseconds()),
		bpf.ScanVarIpv6Prefix:     uint32(s.IPv6Prefix),
		bpf.ScanVarBanPrefixes:    looked,
		bpf.ScanVarBanNs:          uint64(s.BanDuration),
		bpf.ScanVarBanMultiplier:  uint32(max(s.BanMultiplier, 1)),
		bpf.ScanVarBanMaxNs:       uint64(max(s.BanMax, s.BanDuration)),
		bpf.ScanVarEphemeralMin:   low,
		bpf.ScanVarEphemeralMax:   high,
		bpf.ScanVarHashSeed:       seed,
		bpf.ScanVarIgnoredPorts:   ignored,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}

func flag(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// ephemeralPorts reads net.ipv4.ip_local_port_range of this namespace.
func ephemeralPorts() (low, high uint16, err error) {
	const path = "/proc/sys/net/ipv4/ip_local_port_range"
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, fmt.Errorf("read local port range: %w", err)
	}
	if _, err := fmt.Sscan(string(text), &low, &high); err != nil {
		return 0, 0, fmt.Errorf("read local port range from %q: %w", path, err)
	}
	return low, high, nil
}

// fragsFlag is BPF_F_XDP_HAS_FRAGS of linux/bpf.h.
const fragsFlag = 1 << 5

// The programs of the object.
const (
	scanProgram   = "scan_xdp"
	settleProgram = "settle"
)

// programs are those of one interface, which have its settings.
type programs struct {
	scan *ebpf.Program // attached
	// settle is run every second. nil: Tend has yet to load it, so that an
	// interface need not wait for it to be protected.
	settle *ebpf.Program
}

// programsOf takes the programs out of a collection, which may then be
// closed.
func programsOf(coll *ebpf.Collection) programs {
	return programs{scan: coll.DetachProgram(scanProgram), settle: coll.DetachProgram(settleProgram)}
}

func (p programs) close() {
	p.scan.Close()
	p.settle.Close()
}

// runSettle scores what waited in vain. The packet is not looked at; the
// kernel wants 14 bytes.
func (p programs) runSettle() error {
	if _, err := p.settle.Run(&ebpf.RunOptions{Data: make([]byte, 14)}); err != nil {
		return fmt.Errorf("settle waiting probes: %w", err)
	}
	return nil
}

// loadProgram loads one of the programs for one interface on the shared
// maps. With frags, it takes packets of several buffers. It does without
// connection tracking where its functions are not what it expects.
func (k *Kernel) loadProgram(name string, f flow, frags bool) (*ebpf.Program, error) {
	prog, err := k.tryProgram(name, f, frags)
	if err == nil || !f.tracked {
		return prog, err
	}
	f.tracked = false
	prog, second := k.tryProgram(name, f, frags)
	if second != nil {
		return nil, err
	}
	return prog, nil
}

func (k *Kernel) tryProgram(name string, f flow, frags bool) (*ebpf.Program, error) {
	spec, err := bpf.LoadScan()
	if err != nil {
		return nil, fmt.Errorf("read embedded program: %w", err)
	}
	spec.Programs = map[string]*ebpf.ProgramSpec{name: spec.Programs[name]}
	if err := specialize(spec, k.settings, f, k.seed); err != nil {
		return nil, err
	}
	looked, err := k.banPrefixes()
	if err != nil {
		return nil, err
	}
	if err := spec.Variables[bpf.ScanVarBanPrefixes].Set(looked); err != nil {
		return nil, fmt.Errorf("set %s: %w", bpf.ScanVarBanPrefixes, err)
	}
	if !frags {
		spec.Programs[name].Flags &^= fragsFlag
	}
	// Sizes come from the pinned maps: another build may have made them.
	for name, m := range k.maps {
		spec.Maps[name].MaxEntries = m.MaxEntries()
	}
	options := ebpf.CollectionOptions{MapReplacements: k.maps, Cache: k.kernelTypes()}
	// The types of all other modules, a hundred on some hosts, are not read.
	if options.Programs.KernelTypes, err = options.Cache.Kernel(); err != nil {
		return nil, fmt.Errorf("read the kernel's types: %w", err)
	}
	if f.tracked {
		options.Programs.ExtraRelocationTargets = conntrackTypes(options.Cache)
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, options)
	if err != nil {
		return nil, explainLoad(err)
	}
	defer coll.Close()
	return coll.DetachProgram(name), nil
}

// complaint is the last line of a verifier's log that is not statistics.
func complaint(log []string) string {
	for i := len(log) - 1; i > 0; i-- {
		line := strings.TrimSpace(log[i])
		if line != "" && !strings.HasPrefix(line, "processed ") && !strings.HasPrefix(line, "stack depth ") &&
			!strings.HasPrefix(line, "verification time ") {
			return line
		}
	}
	return strings.TrimSpace(log[0])
}

// explainLoad shortens a verifier's complaint to one line; the whole log is
// in the wrapped error, printed with %+v.
func explainLoad(err error) error {
	var ve *ebpf.VerifierError
	if errors.As(err, &ve) && len(ve.Log) > 0 {
		return &LoadError{Summary: complaint(ve.Log), Verifier: ve}
	}
	return fmt.Errorf("load program: %w", err)
}

// LoadError is a program that the kernel refused.
type LoadError struct {
	Summary  string
	Verifier *ebpf.VerifierError
}

func (e *LoadError) Error() string { return "load program: " + e.Summary }

// Unwrap returns the verifier's error with the full log.
func (e *LoadError) Unwrap() error { return e.Verifier }
