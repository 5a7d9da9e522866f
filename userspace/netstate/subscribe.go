// SPDX-License-Identifier: MIT

package netstate

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// groups are the announcements that can change a Snapshot.
const groups = 1<<(unix.RTNLGRP_LINK-1) |
	1<<(unix.RTNLGRP_IPV4_IFADDR-1) | 1<<(unix.RTNLGRP_IPV6_IFADDR-1) |
	1<<(unix.RTNLGRP_IPV4_ROUTE-1) | 1<<(unix.RTNLGRP_IPV6_ROUTE-1)

// subscribe opens a socket that yields one netlink message per Read, from
// the network namespace of the calling thread; the socket stays there
// whoever reads it.
//
// The messages only say that something changed; what, is read anew. So it
// does no harm that messages get lost in an overrun or are cut short, and
// the state can never drift from the kernel's.
func subscribe() (io.ReadCloser, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink socket: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("subscribe to network changes: %w", err)
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// dirt is a set of what has to be read anew.
type dirt uint32

const (
	dirtyDevices dirt = 1 << iota
	dirtyRoutes
	dirtyAll = dirtyDevices | dirtyRoutes
)

// classify tells what a message makes dirty. The kernel does not announce
// the IPv4 routes that go with a link or an address, so only a message
// about a route spares the devices.
func classify(msg []byte) dirt {
	for len(msg) >= unix.SizeofNlMsghdr {
		length := int(binary.NativeEndian.Uint32(msg))
		kind := binary.NativeEndian.Uint16(msg[4:])
		if kind != unix.RTM_NEWROUTE && kind != unix.RTM_DELROUTE {
			return dirtyAll
		}
		aligned := (length + unix.NLMSG_ALIGNTO - 1) &^ (unix.NLMSG_ALIGNTO - 1)
		if length < unix.SizeofNlMsghdr || aligned >= len(msg) {
			break
		}
		msg = msg[aligned:]
	}
	return dirtyRoutes
}
