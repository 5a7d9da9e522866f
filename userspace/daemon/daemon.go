// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"denmap/userspace/daemon/control"
	"denmap/userspace/event"
	"denmap/userspace/netstate"
	"denmap/userspace/scans"
)

// daemon is one Run. Its fields belong to the main loop, but for those
// that are shared by their own means.
type daemon struct {
	opts Options
	tell *teller

	kernel   Kernel
	guard    *guard
	lists    *listKeeper
	bans     *banKeeper
	out      *outputs
	ring     *ring
	tracker  *scans.Tracker
	losses   *losses
	pulses   pulses
	services ServiceFile
	host     *Host // what the kernel has yet to be told; nil: nothing

	control  *control.Server // nil without one
	network  chan netstate.Snapshot
	requests chan request
	asked    []request // to be answered at the end

	// Three groups of goroutines, ended one after the other, so that what
	// one still says is heard by the next.
	watchers, reader, tracking group
	ringError                  chan error
}

// group is goroutines that end together.
type group struct {
	wg     sync.WaitGroup
	ctx    context.Context
	cancel context.CancelFunc
}

func newGroup() group {
	ctx, cancel := context.WithCancel(context.Background())
	return group{ctx: ctx, cancel: cancel}
}

func (g *group) run(f func(context.Context)) { g.wg.Go(func() { f(g.ctx) }) }

// end tells the goroutines to end and waits for them, at most limit. It
// reports whether they did.
func (g *group) end(limit time.Duration) bool {
	g.cancel()
	done := make(chan struct{})
	go func() {
		g.wg.Wait()
		close(done)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// Run protects until ctx ends, or a request tells it to stop. An error
// before everything is protected leaves the kernel as it was found.
// Otherwise everything is detached at the end, unless Options.Keep or ctx
// ends with the cause ErrHandOver; an error of the kernel's events ends Run too, but keeps the kernel
// dropping.
//
// Errors: *NoInterfaceError, ErrNoInterfaces, those of Options.Open and of
// the list files (package lists) and the log.
func Run(ctx context.Context, o Options) error {
	d, err := start(o.withDefaults())
	if err != nil {
		return err
	}
	keep, err := d.loop(ctx)
	return d.stop(keep, err)
}

// loop is the main loop. It returns whether the kernel goes on dropping.
func (d *daemon) loop(ctx context.Context) (keep bool, err error) {
	ticks, stop := d.opts.Clock.Tick(time.Second)
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return d.opts.Keep || errors.Is(context.Cause(ctx), ErrHandOver), nil
		case err := <-d.ringError:
			return true, fmt.Errorf("follow the kernel's events: %w; the kernel goes on dropping", err)
		case s := <-d.network:
			d.adapt(s)
		case <-d.opts.Reload:
			_ = d.reload() // has said what is wrong
		case r := <-d.requests:
			if stop := d.serve(r); stop {
				return false, nil
			}
		case <-ticks:
			d.tick(d.opts.Clock.Now())
		}
	}
}

// tick does what is to be done every second, whatever happens.
func (d *daemon) tick(now time.Time) {
	d.opts.Service.Alive()
	if d.opts.Config.DeadMan > 0 {
		d.beat()
	}
	d.guard.check()
	if d.host != nil {
		d.setHost(*d.host)
	}
	if err := d.kernel.Tend(); err != nil {
		d.tell.trouble("probes", err.Error()+"; probes that wait for an answer are not judged")
	} else {
		d.tell.fine("probes", "probes that wait for an answer are judged again")
	}
	d.checkPulses()
	d.countLosses(now)
}

// emit gives an event its name and time and hands it to the outputs.
func (d *daemon) emit(e event.Event) {
	e.ID, e.Time = d.opts.NewID(), d.opts.Clock.Now()
	d.out.offer(e)
}
