// SPDX-License-Identifier: MIT

package testenv

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// The network behind a victim that is more than a host of its own.
var (
	behind4 = netip.MustParsePrefix("203.0.113.0/24")
	behind6 = netip.MustParsePrefix("2001:db8:2::/64")
)

// passOn makes the host forward packets.
func (h *Host) passOn() error {
	return h.Inside(func() error {
		if err := setSysctl("net/ipv4/ip_forward", "1"); err != nil {
			return err
		}
		return setSysctl("net/ipv6/conf/all/forwarding", "1")
	})
}

// behind adds a host that reaches the switch through outer alone. Hosts of
// the switch have no route to it.
func (l *Lab) behind(outer *Host) (inner *Host) {
	l.t.Helper()
	inner, err := l.newHost("inner")
	if err != nil {
		l.t.Fatalf("put a host behind %q: %v", outer.Name, err)
	}
	inner.IPv4, inner.IPv6 = hostAddr(behind4, 1), hostAddr(behind6, 1)
	gateway4, gateway6 := hostAddr(behind4, 0), hostAddr(behind6, 0)
	l.Pair(outer, "inside", netip.PrefixFrom(gateway4, 24), inner, "outside", netip.PrefixFrom(inner.IPv4, 24))
	outer.AddAddr("inside", netip.PrefixFrom(gateway6, 64))
	inner.AddAddr("outside", netip.PrefixFrom(inner.IPv6, 64))
	err = errors.Join(outer.passOn(), inner.routeVia(Net4, gateway4), inner.routeVia(Net6, gateway6))
	if err != nil {
		l.t.Fatalf("put a host behind %q: %v", outer.Name, err)
	}
	return inner
}

// routeVia sends what is for a network to a router.
func (h *Host) routeVia(network netip.Prefix, router netip.Addr) error {
	route := &netlink.Route{Dst: ipNet(network), Gw: router.AsSlice()}
	if err := h.nl.RouteReplace(route); err != nil {
		return fmt.Errorf("route %v by %v on %q: %w", network, router, h.Name, err)
	}
	return nil
}

// publish gives the ports low to high of the host to inner, by nft's
// address translation: no process of the host listens on them.
func (h *Host) publish(low, high uint16, inner *Host) error {
	path, err := toolPath("nft")
	if err != nil {
		return err
	}
	rules := fmt.Sprintf(`table inet published {
	chain in {
		type nat hook prerouting priority dstnat;
		ip daddr %v tcp dport %d-%d dnat ip to %v
		ip6 daddr %v tcp dport %d-%d dnat ip6 to %v
	}
}
`, h.IPv4, low, high, inner.IPv4, h.IPv6, low, high, inner.IPv6)
	h.WriteFile("/run/lab/published.nft", rules)
	if out, err := h.Command(h.t.Context(), path, "-f", "/run/lab/published.nft").CombinedOutput(); err != nil {
		return fmt.Errorf("publish ports on %q: %w: %s", h.Name, err, out)
	}
	return nil
}

// Publish puts a host behind the victim that serves the ports first to
// first+services-1, and gives all of first to last to it by address
// translation, before the victim is protected. It returns the victim's
// addresses, which a client uses.
func (l *Lab) Publish(victim *Host, first, last uint16, services int) (v4, v6 netip.Addr) {
	l.t.Helper()
	inner := l.behind(victim)
	for i := range services {
		inner.Serve(first + uint16(i))
	}
	if err := victim.publish(first, last, inner); err != nil {
		l.t.Fatalf("%v", err)
	}
	return victim.IPv4, victim.IPv6
}

// Route puts a host behind the victim, which forwards for it, and tells
// the other hosts the way. It returns the inner host's addresses.
func (l *Lab) Route(victim *Host, others ...*Host) (v4, v6 netip.Addr) {
	l.t.Helper()
	inner := l.behind(victim)
	for _, h := range others {
		if err := errors.Join(h.routeVia(behind4, victim.IPv4), h.routeVia(behind6, victim.IPv6)); err != nil {
			l.t.Fatalf("%v", err)
		}
	}
	return inner.IPv4, inner.IPv6
}

// Bridge puts a host on the switch by way of a bridge of the victim, whose
// own uplink becomes a port of it. It returns the inner host and its
// addresses.
func (l *Lab) Bridge(victim *Host) (inner *Host, v4, v6 netip.Addr) {
	l.t.Helper()
	const bridge, port = "br1", "inside"
	inner, err := l.newHost("inner")
	if err == nil {
		err = victim.addBridge(bridge)
	}
	if err == nil {
		err = victim.joinBridge(bridge, uplink)
	}
	if err != nil {
		l.t.Fatalf("bridge a host by %q: %v", victim.Name, err)
	}
	v4, v6 = hostAddr(Net4, 40), hostAddr(Net6, 40)
	l.Pair(inner, "outside", netip.PrefixFrom(v4, 24), victim, port, netip.MustParsePrefix("192.0.2.1/24"))
	inner.AddAddr("outside", netip.PrefixFrom(v6, 64))
	if err := victim.joinBridge(bridge, port); err != nil {
		l.t.Fatalf("bridge a host by %q: %v", victim.Name, err)
	}
	return inner, v4, v6
}
