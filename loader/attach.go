// SPDX-License-Identifier: MIT

package loader

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"denmap/bpf"
)

// Hook chooses where in the receive path the program runs.
type Hook string

// The hooks. HookAuto tries native first.
const (
	HookAuto    Hook = "auto"
	HookNative  Hook = "native"
	HookGeneric Hook = "generic"
)

// AttachOptions of one interface.
type AttachOptions struct {
	Hook    Hook
	Monitor bool // detect and report, never ban
}

// Interface is one protected interface.
type Interface struct {
	Name      string
	Index     int
	Hook      Hook // HookNative or HookGeneric
	Monitor   bool
	Frags     bool // takes packets of several buffers (jumbo frames)
	Since     time.Time
	Fallback  string // why not native, when auto chose generic
	Unchanged bool   // it was protected like this already
}

// attachment is what the Kernel holds of an interface.
type attachment struct {
	iface Interface
	flow  flow
	link  link.Link
	progs programs // empty while the program is an earlier daemon's
	// fresh: the program is this Kernel's and has its settings. An adopted
	// one is not, until it is replaced.
	fresh bool
}

func (k *Kernel) linkPin(index int) string {
	return filepath.Join(k.dir, linksDir, strconv.Itoa(index))
}

// Attach protects the named interface, or brings an attached one up to
// date: the program is replaced atomically, and no packet goes unseen. One
// that is up to date costs a look at its device and is left alone, so that
// the daemon may call Attach as often as it wants to be sure.
// Errors: ErrNoInterface, ErrNoNativeXDP, ErrForeignXDP.
func (k *Kernel) Attach(name string, o AttachOptions) (Interface, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i, err := k.protect(name, o)
	if err != nil {
		return i, err
	}
	return i, k.followTakeOver()
}

func (k *Kernel) protect(name string, o AttachOptions) (Interface, error) {
	dev, err := netlink.LinkByName(name)
	if err != nil {
		var missing netlink.LinkNotFoundError
		if errors.As(err, &missing) {
			return Interface{}, fmt.Errorf("attach to %q: %w", name, ErrNoInterface)
		}
		return Interface{}, fmt.Errorf("look up %q: %w", name, err)
	}
	attrs := dev.Attrs()
	f := flow{index: attrs.Index, monitor: o.Monitor, tracked: hasConntrack()}
	if f.ethernet, err = isEthernet(attrs.EncapType); err != nil {
		return Interface{}, fmt.Errorf("attach to %q: %w", name, err)
	}
	copy(f.mac[:], attrs.HardwareAddr)
	if f.bridged, err = isBridged(attrs); err != nil {
		return Interface{}, fmt.Errorf("attach to %q: %w", name, err)
	}
	if a := k.attached[attrs.Index]; a != nil {
		if stillThere(attrs, a) && (o.Hook == HookAuto || o.Hook == a.iface.Hook) {
			return k.refresh(a, name, f)
		}
		if err := k.detach(a); err != nil {
			return Interface{}, err
		}
		if dev, err = netlink.LinkByIndex(attrs.Index); err != nil {
			return Interface{}, fmt.Errorf("look up %q: %w", name, err)
		}
		attrs = dev.Attrs()
	}
	if attrs.Xdp != nil && attrs.Xdp.Attached {
		return Interface{}, fmt.Errorf("attach to %q: %w: %s", name, ErrForeignXDP, programName(attrs.Xdp.ProgId))
	}
	return k.attachNew(attrs, f, o)
}

// isBridged reports whether the device is a port of a bridge.
func isBridged(attrs *netlink.LinkAttrs) (bool, error) {
	if attrs.MasterIndex == 0 {
		return false, nil
	}
	master, err := netlink.LinkByIndex(attrs.MasterIndex)
	if err != nil {
		return false, fmt.Errorf("look up its master: %w", err)
	}
	return master.Type() == "bridge", nil
}

// isEthernet says how frames of a device begin, by its ARPHRD type.
func isEthernet(encap string) (bool, error) {
	switch encap {
	case "ether", "loopback":
		return true, nil
	case "none", "rawip", "ppp": // tun, wireguard, cellular modems, PPP: IP at once
		return false, nil
	}
	return false, fmt.Errorf("link type %q is not supported: attach to the interface below it", encap)
}

// stillThere reports whether the program on the device is the one attached.
func stillThere(attrs *netlink.LinkAttrs, a *attachment) bool {
	info, err := a.link.Info()
	return err == nil && attrs.Xdp != nil && attrs.Xdp.Attached && uint32(info.Program) == attrs.Xdp.ProgId
}

// refresh follows a rename, a new MAC address, another mode.
func (k *Kernel) refresh(a *attachment, name string, f flow) (Interface, error) {
	f.slot = a.flow.slot
	before := *a
	a.iface.Unchanged = a.fresh && a.flow == f && a.iface.Name == name
	if a.iface.Unchanged {
		return a.iface, nil
	}
	a.flow, a.iface.Name, a.iface.Monitor = f, name, f.monitor
	if err := k.replace(a); err != nil {
		*a = before
		return Interface{}, fmt.Errorf("attach to %q: %w", name, err)
	}
	k.setName(a.iface.Index, name)
	return a.iface, k.writeSlot(a)
}

// replace swaps the attached program for one with the present settings.
func (k *Kernel) replace(a *attachment) error {
	scan, err := k.loadProgram(scanProgram, a.flow, a.iface.Frags)
	if err != nil {
		return err
	}
	if err := a.link.Update(scan); err != nil {
		scan.Close()
		return fmt.Errorf("replace program: %w", err)
	}
	a.progs.close()
	k.replaced = k.replaced || !a.fresh
	a.progs, a.fresh = programs{scan: scan}, true
	return nil
}

func (k *Kernel) attachNew(attrs *netlink.LinkAttrs, f flow, o AttachOptions) (_ Interface, err error) {
	if f.slot, err = k.freeSlot(); err != nil {
		return Interface{}, fmt.Errorf("attach to %q: %w", attrs.Name, err)
	}
	a := &attachment{
		flow:  f,
		fresh: true,
		iface: Interface{Name: attrs.Name, Index: attrs.Index, Monitor: f.monitor, Since: time.Now()},
	}
	if err := k.clearCounters(f.slot); err != nil {
		return Interface{}, err
	}
	if a.progs.scan, err = k.loadEither(a); err != nil {
		return Interface{}, fmt.Errorf("attach to %q: %w", attrs.Name, err)
	}
	defer func() {
		if err != nil {
			a.progs.close()
		}
	}()
	if err := a.attachLink(a.progs.scan, o.Hook); err != nil {
		return Interface{}, fmt.Errorf("attach to %q: %w", attrs.Name, err)
	}
	pin := k.linkPin(attrs.Index)
	// A pin of that index belongs to a device that is gone.
	if err := os.Remove(pin); err != nil && !errors.Is(err, os.ErrNotExist) {
		return Interface{}, errors.Join(fmt.Errorf("replace link pin: %w", err), a.link.Close())
	}
	if err := pinAt(a.link, pin); err != nil {
		return Interface{}, errors.Join(fmt.Errorf("pin link of %q: %w", attrs.Name, err), a.link.Close())
	}
	k.attached[attrs.Index] = a
	k.setName(attrs.Index, attrs.Name)
	return a.iface, k.writeSlot(a)
}

// loadEither loads the program for packets of several buffers, or without
// on kernels before 5.18.
func (k *Kernel) loadEither(a *attachment) (*ebpf.Program, error) {
	scan, err := k.loadProgram(scanProgram, a.flow, true)
	if err == nil {
		a.iface.Frags = true
		return scan, nil
	}
	scan, second := k.loadProgram(scanProgram, a.flow, false)
	if second != nil {
		return nil, err
	}
	return scan, nil
}

func (a *attachment) attachLink(prog *ebpf.Program, hook Hook) (err error) {
	modes := map[Hook][]link.XDPAttachFlags{
		HookAuto:    {link.XDPDriverMode, link.XDPGenericMode},
		HookNative:  {link.XDPDriverMode},
		HookGeneric: {link.XDPGenericMode},
	}[hook]
	for _, mode := range modes {
		a.link, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: a.iface.Index, Flags: mode})
		if err == nil {
			a.iface.Hook = HookNative
			if mode == link.XDPGenericMode {
				a.iface.Hook = HookGeneric
			}
			return nil
		}
		a.iface.Fallback = err.Error()
	}
	if errors.Is(err, unix.EBUSY) || errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("%w: %w", ErrForeignXDP, err)
	}
	if hook == HookNative && (errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, ebpf.ErrNotSupported)) {
		return ErrNoNativeXDP
	}
	return fmt.Errorf("attach %s XDP: %w", hook, err)
}

// programName describes somebody else's program.
func programName(id uint32) string {
	prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return fmt.Sprintf("id %d", id)
	}
	defer prog.Close()
	info, err := prog.Info()
	if err != nil || info.Name == "" {
		return fmt.Sprintf("id %d", id)
	}
	return fmt.Sprintf("%q, id %d", info.Name, id)
}

// Detach takes the program off the interface with this index.
func (k *Kernel) Detach(index int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	a := k.attached[index]
	if a == nil {
		return nil
	}
	return errors.Join(k.detach(a), k.followTakeOver())
}

func (k *Kernel) detach(a *attachment) error {
	a.progs.close()
	err := errors.Join(detachLink(a.link), a.link.Close())
	if rm := os.Remove(k.linkPin(a.iface.Index)); rm != nil && !errors.Is(rm, os.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("remove link pin: %w", rm))
	}
	delete(k.attached, a.iface.Index)
	k.setName(a.iface.Index, "")
	return errors.Join(err, k.putSlot(a.flow.slot, bpf.ScanIface{}))
}

// isGone reports whether an error only says that the device is no more.
func isGone(err error) bool {
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOLINK) || errors.Is(err, unix.EINVAL)
}

func cString(b []uint8) string {
	name, _, _ := bytes.Cut(b, []byte{0})
	return string(name)
}
