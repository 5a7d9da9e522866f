// SPDX-License-Identifier: MIT

package loader

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"github.com/vishvananda/netlink"

	"denmap/bpf"
)

// Requirement is something that the program needs of the kernel.
type Requirement struct {
	Name    string // "helper FnSkcLookupTcp", "map type LPMTrie"
	Missing bool
	Err     error // why it is not known; nil if it is
}

// Requirements asks the kernel for everything that the program uses. What
// that is comes from the program itself.
func Requirements() ([]Requirement, error) {
	spec, err := bpf.LoadScan()
	if err != nil {
		return nil, fmt.Errorf("read embedded program: %w", err)
	}
	out := []Requirement{newRequirement("instruction set v3", features.HaveV3ISA())}
	types := make(map[ebpf.MapType]bool)
	for _, m := range shared(spec) {
		types[m.Type] = true
	}
	for t := range types {
		out = append(out, newRequirement("map type "+t.String(), features.HaveMapType(t)))
	}
	type helper struct {
		in ebpf.ProgramType
		f  asm.BuiltinFunc
	}
	helpers := make(map[helper]bool)
	programs := make(map[ebpf.ProgramType]bool)
	for _, p := range spec.Programs {
		programs[p.Type] = true
		for _, ins := range p.Instructions {
			if ins.IsBuiltinCall() {
				helpers[helper{p.Type, asm.BuiltinFunc(ins.Constant)}] = true
			}
		}
	}
	for t := range programs {
		out = append(out, newRequirement("program type "+t.String(), features.HaveProgramType(t)))
	}
	for h := range helpers {
		out = append(out, newRequirement("helper "+h.f.String(), features.HaveProgramHelper(h.in, h.f)))
	}
	slices.SortFunc(out, func(a, b Requirement) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

func newRequirement(name string, err error) Requirement {
	switch {
	case err == nil:
		return Requirement{Name: name}
	case errors.Is(err, ebpf.ErrNotSupported):
		return Requirement{Name: name, Missing: true}
	}
	return Requirement{Name: name, Err: err}
}

// TryLoad has the verifier judge the program, on small tables that are gone
// afterwards; nothing is attached. It reports whether the kernel takes it
// for packets of several buffers. Errors: *LoadError.
func TryLoad(s Settings) (frags bool, err error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return false, fmt.Errorf("lift locked-memory limit: %w", err)
	}
	if err := tryLoad(s, true); err == nil {
		return true, nil
	}
	return false, tryLoad(s, false)
}

func tryLoad(s Settings, frags bool) error {
	spec, err := bpf.LoadScan()
	if err != nil {
		return fmt.Errorf("read embedded program: %w", err)
	}
	if err := specialize(spec, s, flow{ethernet: true}, 0); err != nil {
		return err
	}
	const few = 64
	for _, m := range shared(spec) {
		if !isArray(m.Type) && m.Type != ebpf.RingBuf {
			m.MaxEntries = min(m.MaxEntries, few)
		}
	}
	if !frags {
		spec.Programs["scan_xdp"].Flags &^= fragsFlag
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return explainLoad(err)
	}
	coll.Close()
	return nil
}

// ProgramName describes a program that runs in the kernel: its name and its
// number, or the number alone where the name cannot be had.
func ProgramName(id uint32) string { return programName(id) }

// TrafficControl describes the programs that look at what an interface
// receives behind XDP: those of tcx, where the kernel has it, and BPF
// filters of the ingress qdisc.
func TrafficControl(index int) ([]string, error) {
	var out []string
	tcx, err := link.QueryPrograms(link.QueryOptions{Target: index, Attach: ebpf.AttachTCXIngress})
	switch {
	case err == nil:
		for _, p := range tcx.Programs {
			out = append(out, programName(uint32(p.ID)))
		}
	// Kernels before 6.6 do not know the question.
	case !errors.Is(err, ebpf.ErrNotSupported) && !isGone(err):
		return nil, fmt.Errorf("ask for tcx programs: %w", err)
	}
	dev, err := netlink.LinkByIndex(index)
	if err != nil {
		return nil, fmt.Errorf("look up interface %d: %w", index, err)
	}
	filters, err := netlink.FilterList(dev, netlink.HANDLE_MIN_INGRESS)
	if err != nil && !isGone(err) {
		return nil, fmt.Errorf("list tc filters: %w", err)
	}
	for _, f := range filters {
		if b, ok := f.(*netlink.BpfFilter); ok {
			out = append(out, fmt.Sprintf("%q, id %d", strings.TrimSpace(b.Name), b.Id))
		}
	}
	return out, nil
}
