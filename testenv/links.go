// SPDX-License-Identifier: MIT

package testenv

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// switchBridge is the bridge in the switch's namespace.
const switchBridge = "br0"

func (h *Host) addBridge(name string) error {
	off := false
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	// Multicast snooping would hold neighbour solicitations back.
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &off}
	if err := h.nl.LinkAdd(bridge); err != nil {
		return fmt.Errorf("add bridge %q: %w", name, err)
	}
	return h.setUp(name)
}

func (h *Host) joinBridge(bridge, port string) error {
	master, err := h.nl.LinkByName(bridge)
	if err != nil {
		return fmt.Errorf("find bridge %q: %w", bridge, err)
	}
	link, err := h.nl.LinkByName(port)
	if err != nil {
		return fmt.Errorf("find port %q: %w", port, err)
	}
	if err := h.nl.LinkSetMaster(link, master); err != nil {
		return fmt.Errorf("join %q to %q: %w", port, bridge, err)
	}
	return nil
}

// addVeth joins the host to a peer; mac nil leaves the choice to the
// kernel.
func (h *Host) addVeth(name string, mac net.HardwareAddr, peer *Host, peerName string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr = name, mac
	veth := netlink.NewVeth(attrs)
	veth.PeerName = peerName
	veth.PeerNamespace = netlink.NsPid(peer.keeper.cmd.Process.Pid)
	if err := h.nl.LinkAdd(veth); err != nil {
		return fmt.Errorf("add veth %q on %q: %w", name, h.Name, err)
	}
	return nil
}

func (h *Host) setUp(iface string) error {
	link, err := h.nl.LinkByName(iface)
	if err != nil {
		return fmt.Errorf("find %q on %q: %w", iface, h.Name, err)
	}
	if err := h.nl.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %q up on %q: %w", iface, h.Name, err)
	}
	return nil
}

func (h *Host) addAddr(iface string, prefix netip.Prefix) error {
	link, err := h.nl.LinkByName(iface)
	if err != nil {
		return fmt.Errorf("find %q on %q: %w", iface, h.Name, err)
	}
	addr := &netlink.Addr{IPNet: ipNet(prefix)}
	if prefix.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD // usable without waiting for an echo
	}
	if err := h.nl.AddrReplace(link, addr); err != nil {
		return fmt.Errorf("add %v to %q on %q: %w", prefix, iface, h.Name, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// AddAddr gives an interface of the host one more address.
func (h *Host) AddAddr(iface string, prefix netip.Prefix) {
	h.t.Helper()
	if err := h.addAddr(iface, prefix); err != nil {
		h.t.Fatalf("%v", err)
	}
}

// AddRoute makes a network reachable on the link of iface.
func (h *Host) AddRoute(iface string, network netip.Prefix) {
	h.t.Helper()
	link := h.Link(iface)
	route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(network.Masked()), Scope: netlink.SCOPE_LINK}
	if err := h.nl.RouteReplace(route); err != nil {
		h.t.Fatalf("add route %v on %q: %v", network, h.Name, err)
	}
}

// Link returns an interface of the host with its current attributes.
func (h *Host) Link(iface string) netlink.Link {
	h.t.Helper()
	link, err := h.nl.LinkByName(iface)
	if err != nil {
		h.t.Fatalf("find %q on %q: %v", iface, h.Name, err)
	}
	return link
}

// Netlink returns the handle of the host's network namespace, for what
// the lab has no method for. The lab closes it.
func (h *Host) Netlink() *netlink.Handle { return h.nl }

// XDP returns the number of the program on an interface; 0 when there is
// none, or no such interface.
func (h *Host) XDP(iface string) (program uint32, err error) {
	link, err := h.nl.LinkByName(iface)
	var gone netlink.LinkNotFoundError
	switch {
	case errors.As(err, &gone):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("find %q on %q: %w", iface, h.Name, err)
	case link.Attrs().Xdp == nil || !link.Attrs().Xdp.Attached:
		return 0, nil
	}
	return link.Attrs().Xdp.ProgId, nil
}

// setOffload switches transmit checksum offload of an interface. Off, the
// kernel finishes checksums before a packet leaves the host.
func (h *Host) setOffload(iface string, on bool) error {
	state := "off"
	if on {
		state = "on"
	}
	path, err := toolPath("ethtool")
	if err != nil {
		return err
	}
	cmd := h.Command(h.t.Context(), path, "-K", iface, "tx", state)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("switch checksum offload of %q on %q %s: %w: %s", iface, h.Name, state, err, out)
	}
	return nil
}
