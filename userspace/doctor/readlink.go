// SPDX-License-Identifier: MIT

package doctor

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Links reads the facts of the named interfaces, or of those that are up,
// have an address and are not the loopback, if none are named. One that
// does not exist is in the result all the same. unseen tells what could not
// be looked at. Programs are named by their number.
func (r Reader) Links(names []string) (links []Link, unseen []string, err error) {
	all, err := netlink.LinkList()
	if err != nil {
		return nil, nil, fmt.Errorf("list interfaces: %w", err)
	}
	if len(names) == 0 {
		if names, err = addressed(all); err != nil {
			return nil, nil, err
		}
	}
	drivers, err := newAsker()
	if err != nil {
		unseen = append(unseen, why("what drivers say of native XDP", err))
	}
	tool, err := ethtool.NewEthtool()
	if err != nil {
		return nil, nil, fmt.Errorf("open ethtool: %w", err)
	}
	defer tool.Close()
	for _, name := range names {
		i := slices.IndexFunc(all, func(l netlink.Link) bool { return l.Attrs().Name == name })
		if i < 0 {
			links = append(links, Link{Name: name})
			continue
		}
		l := newLink(all[i], all)
		if drivers != nil {
			if l.Features, err = drivers.ask(l.Index); err != nil {
				unseen = append(unseen, why("what the driver of "+name+" says of native XDP", err))
			}
			l.Told = err == nil
		}
		r.readCard(&l, tool)
		links = append(links, l)
	}
	return links, unseen, nil
}

// addressed returns the interfaces that somebody can reach this host by.
func addressed(all []netlink.Link) ([]string, error) {
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	var names []string
	for _, l := range all {
		a := l.Attrs()
		reached := slices.ContainsFunc(addrs, func(addr netlink.Addr) bool {
			return addr.LinkIndex == a.Index && !addr.IP.IsLinkLocalUnicast()
		})
		if reached && a.RawFlags&unix.IFF_UP != 0 && a.RawFlags&unix.IFF_LOOPBACK == 0 {
			names = append(names, a.Name)
		}
	}
	return names, nil
}

func newLink(dev netlink.Link, all []netlink.Link) Link {
	a := dev.Attrs()
	l := Link{
		Name: a.Name, Index: a.Index, Exists: true, Up: a.RawFlags&unix.IFF_UP != 0,
		Kind: kind(dev), Encap: a.EncapType, MTU: a.MTU,
	}
	if a.Xdp != nil && a.Xdp.Attached {
		l.Program = Program{ID: a.Xdp.ProgId, Name: fmt.Sprintf("id %d", a.Xdp.ProgId), Mode: attachMode(a.Xdp.AttachMode)}
	}
	for _, other := range all {
		o := other.Attrs()
		if a.MasterIndex == o.Index {
			l.Master = Upper{Name: o.Name, Kind: kind(other), XDP: o.Xdp != nil && o.Xdp.Attached}
		}
		// The other end of a veth is named as its parent too, but it does
		// not carry this one's packets.
		if o.ParentIndex == a.Index && o.NetNsID < 0 && slices.Contains([]string{"vlan", "macvlan", "ipvlan"}, other.Type()) {
			l.Above = append(l.Above, o.Name)
		}
	}
	return l
}

// kind is the type of a device; the library makes up one for hardware.
func kind(dev netlink.Link) string {
	if dev.Attrs().EncapType == "loopback" {
		return "loopback"
	}
	// The library calls tun and tap devices tuntap.
	if t := strings.TrimSuffix(dev.Type(), "tap"); t != "" {
		return t
	}
	return "device"
}

// attachMode reads IFLA_XDP_ATTACHED of linux/if_link.h.
func attachMode(mode uint32) Mode {
	const generic = 2
	if mode == generic {
		return Generic
	}
	return Native
}

// readCard adds what only the driver knows. What it does not tell stays
// unknown: many virtual devices answer nothing.
func (r Reader) readCard(l *Link, tool *ethtool.Ethtool) {
	if name, err := tool.DriverName(l.Name); err == nil {
		l.Driver = name
	}
	if on, err := tool.Features(l.Name); err == nil {
		l.LRO, l.GROHW, l.VLANStrip = on["rx-lro"], on["rx-gro-hw"], on["rx-vlan-hw-parse"]
	}
	if c, err := tool.GetChannels(l.Name); err == nil {
		l.Queues = int(c.CombinedCount + c.RxCount)
		l.MaxQueues = int(c.MaxCombined + c.MaxRx)
	} else if queues, err := filepath.Glob(filepath.Join(cmp.Or(r.Root, "/"), "sys/class/net", l.Name, "queues/rx-*")); err == nil {
		l.Queues = len(queues)
	}
	if l.Driver == "virtio_net" {
		l.Virtio = r.virtio(l.Name)
	}
}

// virtio reads the features that driver and host agreed on: a zero or one
// for each bit, the lowest first.
func (r Reader) virtio(name string) (bits uint64) {
	text, err := r.read(filepath.Join("/sys/class/net", name, "device/features"))
	if err != nil {
		return 0
	}
	for i, c := range text {
		if c == '1' && i < 64 {
			bits |= 1 << i
		}
	}
	return bits
}
