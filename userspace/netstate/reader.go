// SPDX-License-Identifier: MIT

package netstate

import (
	"errors"
	"io"
	"net/netip"
	"time"
)

// Reader says where to look. The zero value looks at this host; tests set
// the paths. A Reader is not changed by its methods, which may run in
// several goroutines.
//
// The network namespace that is looked at is that of the calling thread: a
// goroutine in another namespace than the process must hold on to its
// thread with runtime.LockOSThread.
type Reader struct {
	ResolvConf  string // default /etc/resolv.conf
	Upstream    string // the file read where ResolvConf names systemd's stub; default /run/systemd/resolve/resolv.conf
	SessionsDir string // default /run/systemd/sessions
	Utmp        string // default /run/utmp
	Proc        string // default /proc; for Caller

	// Alive reports whether a process exists; by default the kernel is
	// asked.
	Alive func(pid int) bool

	// Every is how often Watch looks again without being told, for what
	// the kernel does not announce; 10 s by default.
	Every time.Duration

	// OnError, if set, is told of what went wrong while Watch goes on
	// with what it knows. It is called in Watch's goroutine.
	OnError func(error)
}

// Read returns the state of this host's network; see Reader.Read.
func Read() (Snapshot, error) { return Reader{}.Read() }

// Read looks once. On an error the snapshot holds what could be read.
// Files that are missing or damaged are no error: which of them exist
// differs from host to host.
func (r Reader) Read() (Snapshot, error) {
	k := rtnetlink()
	devices, errDevices := k.devices()
	routes, errRoutes := k.routes()
	return r.assemble(devices, routes), errors.Join(errDevices, errRoutes)
}

// kernel is what is asked of the kernel, replaced in tests.
type kernel struct {
	subscribe func() (io.ReadCloser, error) // yields a netlink message per Read
	devices   func() (devices, error)
	routes    func() (routes, error)
}

// devices is what links and addresses say.
type devices struct {
	interfaces []Interface
	own        []netip.Addr
	onLink     []netip.Prefix
	resolving  map[int]bool // the indexes of links that look up neighbours
}

// routes is what the routing tables say.
type routes struct {
	gateways []netip.Addr
	direct   []direct
	nat      bool // ports are published by address translation
}

// direct is a destination that is reached without a router.
type direct struct {
	prefix netip.Prefix
	index  int
}

func (r Reader) assemble(d devices, t routes) Snapshot {
	onLink := append([]netip.Prefix(nil), d.onLink...)
	for _, route := range t.direct {
		// A tunnel has no routers to name, so there a route without
		// one says nothing of distance.
		if d.resolving[route.index] {
			onLink = append(onLink, route.prefix)
		}
	}
	return Snapshot{
		Interfaces: d.interfaces,
		Own:        d.own,
		OnLink:     sortPrefixes(onLink),
		Gateways:   t.gateways,
		Resolvers:  r.resolvers(d.interfaces),
		Sessions:   r.sessions(d.interfaces),
		NAT:        t.nat,
	}
}
