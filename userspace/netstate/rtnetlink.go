// SPDX-License-Identifier: MIT

package netstate

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// rtnetlink asks the kernel. Each call opens its own socket, in the network
// namespace of the thread that makes it.
func rtnetlink() kernel {
	return kernel{subscribe: subscribe, devices: readDevices, routes: readRoutes}
}

// dump calls ask until its answer is not cut through by a change, a few
// times at most: under constant change the answer is as good as any, and
// the change that spoilt it is announced, so that Watch looks again.
func dump(ask func() error) error {
	var err error
	for range 3 {
		if err = ask(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			return err
		}
	}
	return nil
}

func readDevices() (devices, error) {
	var links []netlink.Link
	err := dump(func() (err error) { links, err = netlink.LinkList(); return err })
	if err != nil {
		return devices{}, fmt.Errorf("list interfaces: %w", err)
	}
	var addrs []netlink.Addr
	err = dump(func() (err error) { addrs, err = netlink.AddrList(nil, netlink.FAMILY_ALL); return err })
	if err != nil {
		return devices{}, fmt.Errorf("list addresses: %w", err)
	}

	d := devices{resolving: map[int]bool{}}
	reachable := map[int]bool{}
	for _, link := range links {
		a := link.Attrs()
		d.interfaces = append(d.interfaces, newInterface(a))
		up := a.RawFlags&unix.IFF_UP != 0
		reachable[a.Index] = up && a.RawFlags&unix.IFF_LOOPBACK == 0
		d.resolving[a.Index] = reachable[a.Index] && a.RawFlags&(unix.IFF_NOARP|unix.IFF_POINTOPOINT) == 0
	}
	slices.SortFunc(d.interfaces, func(a, b Interface) int { return cmp.Compare(a.Index, b.Index) })
	for _, a := range addrs {
		if a.Flags&unix.IFA_F_DADFAILED != 0 {
			continue // another host has it
		}
		if own, ok := toAddr(a.IP, a.LinkIndex); ok {
			d.own = append(d.own, own)
		}
		if reachable[a.LinkIndex] {
			d.onLink = append(d.onLink, addrPrefixes(a)...)
		}
	}
	d.own = sortAddrs(d.own)
	return d, nil
}

func newInterface(a *netlink.LinkAttrs) Interface {
	i := Interface{
		Index:     a.Index,
		Name:      a.Name,
		LinkLayer: a.EncapType,
		Up:        a.RawFlags&unix.IFF_UP != 0,
		MTU:       a.MTU,
	}
	if len(a.HardwareAddr) == 6 {
		i.MAC = a.HardwareAddr
	}
	if a.Xdp != nil && a.Xdp.Attached {
		i.XDP.ProgID = a.Xdp.ProgId
		// The values of IFLA_XDP_ATTACHED, from linux/if_link.h.
		switch a.Xdp.AttachMode {
		case 1:
			i.XDP.Mode = "native"
		case 2:
			i.XDP.Mode = "generic"
		case 3:
			i.XDP.Mode = "offload"
		default:
			i.XDP.Mode = "multi"
		}
	}
	return i
}

// addrPrefixes returns the network of an address, and the other end of a
// point-to-point link.
func addrPrefixes(a netlink.Addr) []netip.Prefix {
	var list []netip.Prefix
	if p, ok := toPrefix(a.IPNet); ok && !p.IsSingleIP() {
		list = append(list, p)
	}
	if p, ok := toPrefix(a.Peer); ok {
		list = append(list, p)
	}
	return list
}

// readRoutes looks at every table: where policy routing is used, the
// gateways of a second uplink are not in the main one. It keeps only what
// is distinct, since a router may have a million routes.
func readRoutes() (routes, error) {
	var gateways map[netip.Addr]bool
	var reached map[direct]bool
	add := func(ip net.IP, index int) {
		if a, ok := toAddr(ip, index); ok && !a.IsUnspecified() {
			gateways[a] = true
		}
	}
	visit := func(r netlink.Route) bool {
		if r.Type != unix.RTN_UNICAST {
			return true
		}
		hops := r.MultiPath
		if len(hops) == 0 {
			hops = []*netlink.NexthopInfo{{LinkIndex: r.LinkIndex, Gw: r.Gw, Via: r.Via}}
		}
		for _, hop := range hops {
			via, _ := hop.Via.(*netlink.Via)
			switch {
			case via != nil:
				add(via.Addr, hop.LinkIndex)
			case hop.Gw != nil:
				add(hop.Gw, hop.LinkIndex)
			default:
				if p, ok := toPrefix(r.Dst); ok {
					reached[direct{p, hop.LinkIndex}] = true
				}
			}
		}
		return true
	}
	err := dump(func() error {
		gateways, reached = map[netip.Addr]bool{}, map[direct]bool{}
		interrupted := false
		for _, family := range []int{netlink.FAMILY_V4, netlink.FAMILY_V6} {
			// Asking for table "unspecified" is how the library is
			// told not to leave out any.
			all := &netlink.Route{Table: unix.RT_TABLE_UNSPEC}
			err := netlink.RouteListFilteredIter(family, all, netlink.RT_FILTER_TABLE, visit)
			if errors.Is(err, netlink.ErrDumpInterrupted) {
				interrupted = true
			} else if err != nil {
				return err
			}
		}
		if interrupted {
			return netlink.ErrDumpInterrupted
		}
		return nil
	})
	if err != nil {
		return routes{}, fmt.Errorf("list routes: %w", err)
	}
	var t routes
	for a := range gateways {
		t.gateways = append(t.gateways, a)
	}
	for d := range reached {
		t.direct = append(t.direct, d)
	}
	t.gateways = sortAddrs(t.gateways)
	t.nat, err = publishes()
	return t, err
}

// toAddr converts an address on the interface with the given index.
func toAddr(ip net.IP, index int) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.Addr{}, false
	}
	a = a.Unmap()
	if isLinkLocal(a) {
		a = a.WithZone(strconv.Itoa(index))
	}
	return a, true
}

// isLinkLocal reports whether an address means another host on every link.
func isLinkLocal(a netip.Addr) bool { return a.Is6() && a.IsLinkLocalUnicast() }

// toPrefix converts a network; not the default route, which is everything
// and says nothing.
func toPrefix(n *net.IPNet) (netip.Prefix, bool) {
	if n == nil {
		return netip.Prefix{}, false
	}
	a, ok := netip.AddrFromSlice(n.IP)
	bits, size := n.Mask.Size()
	if !ok || bits == 0 || size != a.BitLen() {
		return netip.Prefix{}, false
	}
	p, err := a.Prefix(bits)
	return p, err == nil
}
