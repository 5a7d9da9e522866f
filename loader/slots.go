// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cilium/ebpf/link"

	"denmap/bpf"
)

const ifaceSlots = int(bpf.ScanLayoutIFACE_SLOTS)

// slots returns the table of protected interfaces by slot.
func (s *State) slots() (map[int]bpf.ScanIface, error) {
	out := make(map[int]bpf.ScanIface)
	for i := range ifaceSlots {
		var iface bpf.ScanIface
		if err := s.maps["ifaces"].Lookup(uint32(i), &iface); err != nil {
			return nil, fmt.Errorf("read interface table: %w", err)
		}
		if iface.Ifindex != 0 {
			out[i] = iface
		}
	}
	return out, nil
}

// Interfaces returns the protected interfaces, as their daemon last saw
// them.
func (s *State) Interfaces() ([]Interface, error) {
	slots, err := s.slots()
	if err != nil {
		return nil, err
	}
	var out []Interface
	for i := range ifaceSlots {
		if iface, ok := slots[i]; ok {
			out = append(out, interfaceFrom(iface))
		}
	}
	return out, nil
}

func interfaceFrom(v bpf.ScanIface) Interface {
	i := Interface{
		Name:    cString(v.Name[:]),
		Index:   int(v.Ifindex),
		Hook:    HookNative,
		Monitor: v.Flags&bpf.ScanIfaceFlagsIFACE_MONITOR != 0,
		Frags:   v.Flags&bpf.ScanIfaceFlagsIFACE_FRAGS != 0,
		Since:   readClock().time(v.Since),
	}
	if v.Flags&bpf.ScanIfaceFlagsIFACE_GENERIC != 0 {
		i.Hook = HookGeneric
	}
	return i
}

func (k *Kernel) freeSlot() (int, error) {
	used, err := k.slots()
	if err != nil {
		return 0, err
	}
	for i := range ifaceSlots {
		if _, ok := used[i]; !ok {
			return i, nil
		}
	}
	return 0, fmt.Errorf("all %d interface slots are taken", ifaceSlots)
}

func (k *Kernel) writeSlot(a *attachment) error {
	v := bpf.ScanIface{Ifindex: uint32(a.iface.Index), Since: readClock().bootNS(a.iface.Since)}
	copy(v.Name[:len(v.Name)-1], a.iface.Name)
	if a.iface.Hook == HookGeneric {
		v.Flags |= bpf.ScanIfaceFlagsIFACE_GENERIC
	}
	if a.iface.Monitor {
		v.Flags |= bpf.ScanIfaceFlagsIFACE_MONITOR
	}
	if a.iface.Frags {
		v.Flags |= bpf.ScanIfaceFlagsIFACE_FRAGS
	}
	return k.putSlot(a.flow.slot, v)
}

func (k *Kernel) putSlot(slot int, v bpf.ScanIface) error {
	if err := k.maps["ifaces"].Put(uint32(slot), v); err != nil {
		return fmt.Errorf("write interface table: %w", err)
	}
	return nil
}

// adoptLinks takes over what an earlier daemon left attached. A link whose
// device is gone is unpinned, its slot freed.
func (k *Kernel) adoptLinks() error {
	slots, err := k.slots()
	if err != nil {
		return err
	}
	for slot, v := range slots {
		a := &attachment{iface: interfaceFrom(v), flow: flow{slot: slot, monitor: v.Flags&bpf.ScanIfaceFlagsIFACE_MONITOR != 0}}
		pin := k.linkPin(a.iface.Index)
		a.link, err = link.LoadPinnedLink(pin, nil)
		if errors.Is(err, fs.ErrNotExist) {
			if err := k.putSlot(slot, bpf.ScanIface{}); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("adopt link of %q: %w", a.iface.Name, err)
		}
		info, err := a.link.Info()
		if err != nil {
			return errors.Join(fmt.Errorf("adopt link of %q: %w", a.iface.Name, err), a.link.Close())
		}
		if xdp := info.XDP(); xdp == nil || int(xdp.Ifindex) != a.iface.Index {
			if err := k.detach(a); err != nil {
				return err
			}
			continue
		}
		k.attached[a.iface.Index] = a
		k.setName(a.iface.Index, a.iface.Name)
	}
	return k.removeStrayLinks()
}

// removeStrayLinks detaches links that a daemon pinned and died before it
// entered them in the table.
func (k *Kernel) removeStrayLinks() error {
	pins, err := os.ReadDir(filepath.Join(k.dir, linksDir))
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	for _, pin := range pins {
		index, err := strconv.Atoi(pin.Name())
		if err == nil && k.attached[index] != nil {
			continue
		}
		path := filepath.Join(k.dir, linksDir, pin.Name())
		l, err := link.LoadPinnedLink(path, nil)
		if err != nil {
			return fmt.Errorf("open link %q: %w", path, err)
		}
		if err := errors.Join(detachLink(l), l.Close(), os.Remove(path)); err != nil {
			return err
		}
	}
	return nil
}

// Attached returns the interfaces that this Kernel holds, adopted ones
// included.
func (k *Kernel) Attached() []Interface {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Interface
	for _, a := range k.attached {
		out = append(out, a.iface)
	}
	return out
}

// setName notes the name of an attached interface, "" when it is no more.
func (k *Kernel) setName(index int, name string) {
	k.nameMu.Lock()
	defer k.nameMu.Unlock()
	if name == "" {
		delete(k.names, index)
	} else {
		k.names[index] = name
	}
}

// nameOf returns the name of an attached interface, "" if it is gone.
func (k *Kernel) nameOf(index int) string {
	k.nameMu.Lock()
	defer k.nameMu.Unlock()
	return k.names[index]
}
