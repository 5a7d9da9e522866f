// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"denmap/userspace/event"
)

// stopPatience is how long the end waits for goroutines that hang, on a
// disk for example.
const stopPatience = 10 * time.Second

// stop ends everything in the order in which it depends on each other:
// first what changes the kernel, then what hears of it, then the kernel's
// programs, then the outputs. It returns err joined with what went wrong.
func (d *daemon) stop(keep bool, err error) error {
	d.opts.Service.Stopping()
	if d.control != nil {
		d.control.Stop()
	}
	for _, g := range []struct {
		*group
		name string
	}{{&d.watchers, "lists"}, {&d.reader, "the kernel's events"}} {
		if !g.end(stopPatience) {
			d.tell.say(g.name + " do not answer; going on without")
		}
	}
	if !d.tracking.end(stopPatience) {
		d.out.abandon()
	}
	d.countLosses(d.opts.Clock.Now())
	// Before the kernel's tables go.
	d.saveServices(context.Background())
	err = errors.Join(err, d.bans.save(context.Background()), d.detach(keep))
	d.flushLosses(d.opts.Clock.Now())
	d.out.close()
	d.answerAll(err)
	return err
}

// detach ends the hold on the kernel.
func (d *daemon) detach(keep bool) error {
	if err := d.kernel.Close(keep); err != nil {
		return fmt.Errorf("end: %w", err)
	}
	for _, h := range d.guard.list() {
		if keep {
			d.tell.say(h.Name + " stays protected without a daemon: no events are logged until the next attach")
			continue
		}
		d.emit(event.Event{Action: event.Detached, Interface: h.Name, Mode: h.mode(), Reason: event.ReasonStopped})
	}
	return nil
}
