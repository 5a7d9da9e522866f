// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var (
	host    = netip.MustParseAddr("198.51.100.1")
	host6   = netip.MustParseAddr("2001:db8:1::1")
	client  = netip.MustParseAddr("203.0.113.7")
	client6 = netip.MustParseAddr("2001:db8:2::7")
)

// closedPort has no socket.
const closedPort = 9

// peers are the two ends of a connection that the namespace holds.
type peers struct {
	client, host netip.AddrPort
}

// sockets are what the socket table of the bench's namespace holds, by
// family: an open port and a connection to it.
type sockets map[bool]peers // key: IPv6

// kept keeps sockets open: collected ones are closed.
var kept []any

// enterNamespace makes a network namespace whose loopback carries both ends
// of a connection.
func enterNamespace() (sockets, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("make network namespace: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return nil, fmt.Errorf("find loopback: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return nil, fmt.Errorf("bring loopback up: %w", err)
	}
	out := make(sockets)
	pairs := [][2]netip.Addr{{client, host}, {client6, host6}}
	for _, pair := range pairs {
		for _, a := range pair {
			addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}, Flags: unix.IFA_F_NODAD}
			if err := netlink.AddrAdd(lo, addr); err != nil {
				return nil, fmt.Errorf("add %s to loopback: %w", a, err)
			}
		}

	}
	for _, pair := range pairs {
		connected, err := connect(pair[0], pair[1])
		if err != nil {
			return nil, err
		}
		out[pair[0].Is6()] = connected
	}
	return out, nil
}

func connect(from, to netip.Addr) (peers, error) {
	listener, err := net.Listen("tcp", netip.AddrPortFrom(to, 0).String())
	if err != nil {
		return peers{}, fmt.Errorf("open a port: %w", err)
	}
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := dialer.Dial("tcp", listener.Addr().String())
	// The route of an IPv6 address appears a moment after the address.
	for try := 0; errors.Is(err, unix.ENETUNREACH) && try < 200; try++ {
		time.Sleep(10 * time.Millisecond)
		conn, err = dialer.Dial("tcp", listener.Addr().String())
	}
	if err != nil {
		return peers{}, fmt.Errorf("connect to %s: %w", listener.Addr(), err)
	}
	accepted, err := listener.Accept()
	if err != nil {
		return peers{}, fmt.Errorf("accept: %w", err)
	}
	kept = append(kept, listener, conn, accepted)
	return peers{
		client: conn.LocalAddr().(*net.TCPAddr).AddrPort(),
		host:   conn.RemoteAddr().(*net.TCPAddr).AddrPort(),
	}, nil
}
