// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"time"
)

// servicesPause is how often the services of the host are written to their
// file, for a reboot that nobody announces.
const servicesPause = 5 * time.Minute

// restoreServices tells the kernel which services the host had before a
// reboot, and which it has.
func (d *daemon) restoreServices() {
	d.services = d.opts.Services(d.opts.Config.StateDir)
	if !d.kernel.Adopted() {
		before, err := d.services.Load()
		if err == nil {
			err = d.kernel.NoteServices(before)
		}
		if err != nil {
			d.tell.say(err.Error() + "; clients of services that did not come back after a reboot may be taken for scanners")
		}
	}
	d.noteServices()
}

// noteServices tells the kernel of the services that there are, so that it
// knows them when they are gone, also those that nobody asked for.
func (d *daemon) noteServices() {
	services, err := d.opts.Network.Services()
	if err == nil {
		err = d.kernel.NoteServices(services)
	}
	if err != nil {
		d.tell.trouble("services", err.Error()+"; services that are stopped may not be known")
		return
	}
	d.tell.fine("services", "the host's services are known again")
}

func (d *daemon) saveServices(ctx context.Context) {
	services, err := d.kernel.Services()
	if err == nil {
		err = d.services.Save(ctx, services)
	}
	if err != nil {
		d.tell.trouble("save services", err.Error()+"; they would be forgotten at a reboot")
		return
	}
	d.tell.fine("save services", "services are saved again")
}

// watchServices looks at the host's services every second and saves them
// now and then.
func (d *daemon) watchServices(ctx context.Context) {
	ticks, stop := d.opts.Clock.Tick(time.Second)
	defer stop()
	next := d.opts.Clock.Now().Add(servicesPause)
	for {
		d.pulses.beat("services")
		select {
		case <-ctx.Done():
			return
		case now := <-ticks:
			d.noteServices()
			if !now.Before(next) {
				d.saveServices(ctx)
				next = now.Add(servicesPause)
			}
		}
	}
}
