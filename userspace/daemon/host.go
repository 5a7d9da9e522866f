// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"denmap/userspace/netstate"
)

// hostOf returns what the kernel must know of the network. Addresses that
// must not be lost are never banned: a forger could otherwise cut the host
// off from its gateway, its DNS servers or its administrator.
func hostOf(s netstate.Snapshot) Host {
	var protected []netip.Addr
	for _, list := range [][]netip.Addr{s.Own, s.Gateways, s.Resolvers, s.Sessions} {
		protected = append(protected, list...)
	}
	slices.SortFunc(protected, netip.Addr.Compare)
	return Host{Own: s.Own, OnLink: s.OnLink, Protected: slices.Compact(protected), NAT: s.NAT}
}

// watchNetwork passes each change of the network to the main loop, which
// takes one before the next is looked for.
func (d *daemon) watchNetwork(ctx context.Context) {
	ticks, stop := d.opts.Clock.Tick(time.Second)
	defer stop()
	for {
		err := d.opts.Network.Watch(ctx, func(s netstate.Snapshot) {
			d.tell.fine("network", "the network is watched again")
			select {
			case d.network <- s:
			case <-ctx.Done():
			}
		})
		if err == nil {
			return
		}
		d.tell.trouble("network", err.Error()+"; changes of interfaces go unnoticed; trying again every second")
		select {
		case <-ticks:
		case <-ctx.Done():
			return
		}
	}
}

// adapt follows a change of the network.
func (d *daemon) adapt(s netstate.Snapshot) {
	d.guard.present = s.Interfaces
	d.guard.check()
	d.setHost(hostOf(s))
	d.out.people.setOnLink(s.OnLink)
}

// beat tells the kernel that the daemon lives, if that is asked for. It is
// called from the main loop, so that one that hangs counts as silent.
func (d *daemon) beat() {
	if err := d.kernel.Heartbeat(d.opts.Config.DeadMan); err != nil {
		d.tell.trouble("dead man", "tell the kernel that the daemon lives: "+err.Error()+"; trying again")
		return
	}
	d.tell.fine("dead man", "the kernel hears the daemon again")
}

// setHost brings the kernel up to date; what fails is tried again.
func (d *daemon) setHost(h Host) {
	if err := d.kernel.SetHost(h); err != nil {
		d.host = &h
		d.tell.trouble("host", "tell the kernel the host's addresses: "+err.Error()+"; trying again")
		return
	}
	d.host = nil
	d.tell.fine("host", "the kernel knows the host's addresses again")
}
