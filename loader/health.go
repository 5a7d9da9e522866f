// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"strconv"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"denmap/bpf"
)

// Protection is an interface of the table, compared with what the kernel
// really has on it.
type Protection struct {
	Interface        // Name is the present one
	Program   uint32 // id of the program of the pinned link; 0 if there is none
	Problem   string // why the interface is not protected; empty if it is
}

// ErrOtherNetns is returned where the pinned state protects another network
// namespace than the caller's, so that interfaces cannot be compared.
var ErrOtherNetns = errors.New("pinned state belongs to another network namespace")

// Protections looks at every interface of the table: does it still exist,
// and does it run the program that was attached? Errors: ErrOtherNetns.
func (s *State) Protections() ([]Protection, error) {
	if err := s.CheckNetns(); err != nil {
		return nil, err
	}
	ifaces, err := s.Interfaces()
	if err != nil {
		return nil, err
	}
	out := make([]Protection, len(ifaces))
	for i, iface := range ifaces {
		if out[i], err = s.protection(iface); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// CheckNetns wants the state to be of the caller's network namespace.
// Errors: ErrOtherNetns.
func (s *State) CheckNetns() error {
	meta, err := readMeta(s.maps["metas"])
	if err != nil {
		return err
	}
	here, err := currentNetns()
	if err != nil {
		return err
	}
	if meta.Netns != here {
		return fmt.Errorf("%w (inode %d, this is %d)", ErrOtherNetns, meta.Netns, here)
	}
	return nil
}

func (s *State) protection(iface Interface) (Protection, error) {
	p := Protection{Interface: iface}
	var err error
	if p.Program, err = LinkedProgram(s.dir, iface.Index); err != nil {
		return p, fmt.Errorf("inspect link of %q: %w", iface.Name, err)
	}
	dev, err := netlink.LinkByIndex(iface.Index)
	var missing netlink.LinkNotFoundError
	if errors.As(err, &missing) {
		p.Problem = "the interface is gone"
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("look up %q: %w", iface.Name, err)
	}
	attrs := dev.Attrs()
	p.Name = attrs.Name
	switch running := attrs.Xdp != nil && attrs.Xdp.Attached; {
	case p.Program == 0:
		p.Problem = "its link is gone"
	case !running:
		p.Problem = "it has no XDP program"
	case attrs.Xdp.ProgId != p.Program:
		p.Problem = "another XDP program is attached: " + programName(attrs.Xdp.ProgId)
	}
	return p, nil
}

// LinkedProgram returns the id of the program of the link that state of any
// layout at dir has for an interface, 0 if no link is pinned or its interface
// is gone.
func LinkedProgram(dir string, index int) (uint32, error) {
	l, err := link.LoadPinnedLink(filepath.Join(dir, linksDir, strconv.Itoa(index)), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer l.Close()
	info, err := l.Info()
	if err != nil {
		return 0, err
	}
	// The kernel keeps a link whose interface is gone, with index 0.
	if xdp := info.XDP(); xdp == nil || int(xdp.Ifindex) != index {
		return 0, nil
	}
	return uint32(info.Program), nil
}

// ProtectedAddrs returns the addresses that are never banned
// automatically, the host's own among them, as the daemon last set them.
// Link-local ones come without their interface.
func (s *State) ProtectedAddrs() ([]netip.Addr, error) {
	var out []netip.Addr
	err := walk(s.maps["protected"], func(key bpf.ScanPrefix, _ *uint32) {
		out = append(out, prefixFrom(key).Addr())
	})
	if err != nil {
		return nil, fmt.Errorf("read protected addresses: %w", err)
	}
	return out, nil
}
