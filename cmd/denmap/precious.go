// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"denmap/loader"
	"denmap/userspace/lists"
)

const ownAddress = "an address of this host"

// preciousAddrs are the addresses without which this host, or whoever
// administers it, would be cut off; each with what it is.
type preciousAddrs struct {
	what map[netip.Addr]string
}

// precious looks at the host and, if state is not nil, at what the daemon
// told the kernel.
func (e *environment) precious(state *loader.State) (preciousAddrs, error) {
	p := preciousAddrs{what: make(map[netip.Addr]string)}
	host, err := e.Network()
	if err != nil {
		return p, fmt.Errorf("look at the host's addresses: %w", err)
	}
	p.add(ownAddress, host.Own)
	p.add("a gateway", host.Gateways)
	p.add("a DNS server of this host", host.Resolvers)
	p.add("where a logged-in session comes from", host.Sessions)
	if state != nil {
		known, err := state.ProtectedAddrs()
		if err != nil {
			return p, err
		}
		p.add("a protected address", known)
	}
	return p, nil
}

// vital is precious together with where this very command is called from:
// a session that neither logind nor utmp may know of.
func (e *environment) vital(state *loader.State) (preciousAddrs, error) {
	p, err := e.precious(state)
	p.add("where your session comes from", e.Caller())
	return p, err
}

func (p preciousAddrs) add(what string, addrs []netip.Addr) {
	for _, a := range addrs {
		a = a.WithZone("")
		if p.what[a] == "" {
			p.what[a] = what
		}
	}
}

func (p preciousAddrs) prefixes() []netip.Prefix {
	out := make([]netip.Prefix, 0, len(p.what))
	for a := range p.what {
		out = append(out, netip.PrefixFrom(a, a.BitLen()))
	}
	return out
}

func (p preciousAddrs) sorted() []netip.Addr {
	return slices.SortedFunc(maps.Keys(p.what), netip.Addr.Compare)
}

// touched returns a precious address that lies in prefix.
func (p preciousAddrs) touched(prefix netip.Prefix) (netip.Addr, bool) {
	for _, a := range p.sorted() {
		if prefix.Contains(a) {
			return a, true
		}
	}
	return netip.Addr{}, false
}

// refuse is the error of cutting off prefix, which touches a precious one.
func (p preciousAddrs) refuse(verb string, prefix, touched netip.Prefix) error {
	what := p.what[touched.Addr()]
	if what == "" {
		what = "a protected address"
	}
	err := fmt.Errorf("%s %q: it is %s", verb, lists.FormatPrefix(prefix), what)
	if prefix != touched {
		err = fmt.Errorf("%s %q: it contains %s, %s", verb, lists.FormatPrefix(prefix), touched.Addr(), what)
	}
	return forceable(err)
}
