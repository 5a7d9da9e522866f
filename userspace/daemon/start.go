// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"fmt"

	"denmap/userspace/daemon/control"
	"denmap/userspace/netstate"
	"denmap/userspace/scans"
)

// start brings everything up, attaching last. What can fail without the
// kernel comes before it is touched; when something fails after that, the
// kernel is left as it was found.
func start(o Options) (_ *daemon, err error) {
	if len(o.Config.Interfaces) == 0 {
		return nil, ErrNoInterfaces
	}
	tell := newTeller(o.Report)
	tell.now = o.Clock.Now
	d := &daemon{
		opts: o, tell: tell, ring: newRing(), losses: newLosses(),
		network:  make(chan netstate.Snapshot),
		requests: make(chan request),
		watchers: newGroup(), reader: newGroup(), tracking: newGroup(),
		ringError: make(chan error, 1),
	}
	var undo []func() error
	defer func() {
		if err != nil {
			for i := len(undo) - 1; i >= 0; i-- {
				err = errors.Join(err, undo[i]())
			}
		}
	}()

	host, err := d.look()
	if err != nil {
		return nil, err
	}
	d.lists = newListKeeper(o.Clock, tell, d.emit, o.Progress)
	undo = append(undo, func() error { d.lists.close(); return nil })
	if err := d.lists.read(o.Config.Lists); err != nil {
		return nil, err
	}
	if d.kernel, err = o.Open(settingsOf(o.Config)); err != nil {
		return nil, err
	}
	// What an earlier daemon left goes on dropping.
	undo = append(undo, d.kernel.Abandon)
	d.bans = newBanKeeper(d.kernel, o.Bans(o.Config.StateDir), o.Clock, tell)
	if err := d.bans.restore(); err != nil {
		return nil, err
	}
	if d.out, err = openOutputs(o, tell, host.OnLink); err != nil {
		return nil, err
	}
	undo = append(undo, func() error { d.out.close(); return nil })
	d.lists.refused = func(path string, err error) { d.out.notice(refusal(path, err)) }
	if err := d.fill(hostOf(host)); err != nil {
		return nil, err
	}
	d.restoreServices()
	if err := d.guard.start(host.Interfaces); err != nil {
		return nil, err
	}
	d.run()
	return d, nil
}

// look reads the host's network and wants the named interfaces there.
func (d *daemon) look() (netstate.Snapshot, error) {
	host, err := d.opts.Network.Read()
	if err != nil && len(host.Interfaces) == 0 {
		return host, err
	}
	if err != nil {
		d.tell.say(err.Error())
	}
	if d.opts.Named {
		err = missing(d.opts.Config, host.Interfaces)
	} else {
		err = nil
	}
	return host, err
}

// fill gives the kernel everything it must know before the first packet.
func (d *daemon) fill(h Host) error {
	if err := d.lists.fill(d.kernel); err != nil {
		return err
	}
	if err := d.kernel.SetHost(h); err != nil {
		return fmt.Errorf("tell the kernel the host's addresses: %w", err)
	}
	// Also where there is none: an earlier daemon may have set it.
	if err := d.kernel.Heartbeat(d.opts.Config.DeadMan); err != nil {
		return fmt.Errorf("set the dead man's switch: %w", err)
	}
	// Losses from before are no news.
	counts, err := d.kernel.LostEvents()
	if err != nil {
		return err
	}
	d.losses.counts.since(counts)
	d.guard = newGuard(d.kernel, d.opts.Config, d.tell, d.emit)
	d.tracker = scans.New(scans.Options{
		Kernel: d.bans, Now: d.opts.Clock.Now, NewID: d.opts.NewID,
		IPv6Prefix: d.opts.Config.Detect.IPv6Prefix,
		Monitor:    d.guard.monitors,
		Locate:     d.out.places.locate,
		Hurry:      d.tell.hurry,
	})
	d.bans.follow(d.tracker)
	return nil
}

// run starts the goroutines. Nothing fails from here on.
func (d *daemon) run() {
	d.tracking.run(func(ctx context.Context) { d.tracker.Run(ctx, d.ring.out, d.out.put) })
	d.reader.run(func(ctx context.Context) {
		d.tell.hurry()
		if err := d.ring.run(ctx, d.kernel); err != nil {
			d.ringError <- err
		}
	})
	d.lists.beat = func() { d.pulses.beat("list files") }
	d.bans.beat = func() { d.pulses.beat("saved bans") }
	d.watchers.run(d.watchNetwork)
	d.watchers.run(d.lists.run)
	d.watchers.run(d.bans.run)
	d.watchers.run(d.watchTables)
	d.watchers.run(d.watchServices)
	if d.opts.Control != "" {
		server, err := control.Listen(d.opts.Control, d.request)
		if err != nil {
			d.tell.say(err.Error() + `; "denmap detach" cannot reach this daemon, signals can`)
		} else {
			d.control = server
		}
	}
	d.opts.Service.Ready(d.guard.status())
}
