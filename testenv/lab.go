// SPDX-License-Identifier: MIT

// Package testenv is the lab: it builds hosts out of network, mount and
// process namespaces, joins them by veth pairs, and runs the real denmap,
// real scanners and benign clients on them.
//
// Every host is one keeper process, a re-execution of the test binary in
// namespaces of its own. When the test ends in whatever way, SIGKILL
// included, the keepers see their standard input close and exit, and the
// kernel takes everything with them: commands, interfaces, mounts, pinned
// BPF objects. Nothing of the machine's own state is written.
//
// A test binary that uses the package must call Main from its TestMain;
// other programs call Reexec first thing.
package testenv

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"denmap/testenv/need"
)

// T is the part of testing.TB that the lab needs, so that the lab command
// can be used without a test around it.
type T interface {
	Helper()
	Name() string
	Context() context.Context
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Cleanup(func())
	Failed() bool
}

// Options describe a lab. The zero value is a victim, an attacker and a
// client on one switch.
type Options struct {
	// Hosts names the hosts on the switch, in the order of their
	// addresses: 198.51.100.10 and 2001:db8:1::10 are the first one's.
	Hosts []string

	// NoOffload switches transmit checksum offload off on every link, so
	// that packets carry finished checksums as on a physical wire.
	NoOffload bool
}

// The networks of the switch.
var (
	Net4 = netip.MustParsePrefix("198.51.100.0/24")
	Net6 = netip.MustParsePrefix("2001:db8:1::/64")
)

// uplink is the interface that joins every host to the switch.
const uplink = "eth0"

// Lab is a set of hosts joined by one switch. Its methods may be called
// from several goroutines.
type Lab struct {
	t     T
	fab   *Host // the namespace of the switch
	hosts map[string]*Host
	opts  Options
	shell sync.Once
}

// New builds a lab that is torn down by t.Cleanup. It ends the test when
// the lab cannot be built, and skips it without root.
func New(t T, opts Options) *Lab {
	t.Helper()
	need.Root(t, "making namespaces (make test-lab)")
	if len(opts.Hosts) == 0 {
		opts.Hosts = []string{"victim", "attacker", "client"}
	}
	l := &Lab{t: t, hosts: make(map[string]*Host), opts: opts}
	if err := l.build(); err != nil {
		t.Fatalf("build lab: %v", err)
	}
	t.Cleanup(l.offerShell)
	return l
}

func (l *Lab) build() error {
	err := ownRoot()
	if err != nil {
		return err
	}
	if l.fab, err = l.newHost("switch"); err != nil {
		return err
	}
	if err := l.fab.addBridge(switchBridge); err != nil {
		return err
	}
	for i, name := range l.opts.Hosts {
		h, err := l.newHost(name)
		if err != nil {
			return err
		}
		l.hosts[name] = h
		h.IPv4, h.IPv6 = hostAddr(Net4, i), hostAddr(Net6, i)
		if err := l.plug(h); err != nil {
			return err
		}
	}
	return nil
}

// hostAddr returns the address of host number i: its last byte is 10 or
// ::10 and up, read as the people who write tests would.
func hostAddr(network netip.Prefix, i int) netip.Addr {
	raw := network.Addr().AsSlice()
	first := 10
	if network.Addr().Is6() {
		first = 0x10
	}
	raw[len(raw)-1] = byte(first + i)
	addr, _ := netip.AddrFromSlice(raw)
	return addr
}

// plug gives h an interface eth0 on the switch, with its addresses.
func (l *Lab) plug(h *Host) error {
	port := portOf(h)
	// A fixed address (RFC 7042, documentation) keeps the neighbours'
	// caches right when the interface is made again.
	mac := net.HardwareAddr{0, 0, 0x5e, 0, 0x53, h.IPv4.As4()[3]}
	if err := h.addVeth(uplink, mac, l.fab, port); err != nil {
		return err
	}
	if err := l.fab.joinBridge(switchBridge, port); err != nil {
		return err
	}
	return l.raise(h, uplink, l.fab, port,
		netip.PrefixFrom(h.IPv4, Net4.Bits()), netip.PrefixFrom(h.IPv6, Net6.Bits()))
}

// portOf names the switch's end of the host's link.
func portOf(h *Host) string { return "p-" + h.Name }

// Replug gives h its interface eth0 again, after it was deleted.
func (l *Lab) Replug(h *Host) {
	l.t.Helper()
	if err := l.plug(h); err != nil {
		l.t.Fatalf("plug %q in again: %v", h.Name, err)
	}
}

// Pair joins two hosts by a veth pair of their own, besides the switch.
// Each side gets its prefix as address and its network as on-link route.
func (l *Lab) Pair(a *Host, ifaceA string, prefixA netip.Prefix, b *Host, ifaceB string, prefixB netip.Prefix) {
	l.t.Helper()
	err := a.addVeth(ifaceA, nil, b, ifaceB)
	if err == nil {
		err = l.raise(a, ifaceA, b, ifaceB, prefixA)
	}
	if err == nil {
		err = b.addAddr(ifaceB, prefixB)
	}
	if err != nil {
		l.t.Fatalf("join %q and %q: %v", a.Name, b.Name, err)
	}
}

// raise sets both ends of a pair up, waits until they carry packets and
// addresses the first one.
func (l *Lab) raise(h *Host, iface string, peer *Host, peerIface string, addrs ...netip.Prefix) error {
	for _, end := range []struct {
		host  *Host
		iface string
	}{{peer, peerIface}, {h, iface}} {
		if l.opts.NoOffload {
			if err := end.host.setOffload(end.iface, false); err != nil {
				return err
			}
		}
		if err := end.host.setUp(end.iface); err != nil {
			return err
		}
	}
	for _, addr := range addrs {
		if err := h.addAddr(iface, addr); err != nil {
			return err
		}
	}
	return until(l.t.Context(), 5*time.Second, func() error {
		link, err := h.nl.LinkByName(iface)
		if err != nil {
			return err
		}
		if link.Attrs().OperState != netlink.OperUp {
			return fmt.Errorf("%q on %q is %v", iface, h.Name, link.Attrs().OperState)
		}
		return nil
	})
}

// Host returns the host of that name; a name that is not in the lab ends
// the test.
func (l *Lab) Host(name string) *Host {
	l.t.Helper()
	h, ok := l.hosts[name]
	if !ok {
		l.t.Fatalf("lab has no host %q", name)
	}
	return h
}
