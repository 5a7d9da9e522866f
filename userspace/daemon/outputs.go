// SPDX-License-Identifier: MIT

package daemon

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/eventlog"
)

const (
	// outputQueue is how many events may wait to be written.
	outputQueue = 4096

	// outputPatience is how long the end waits for an output that hangs.
	outputPatience = 10 * time.Second
)

// outputs carries events to the log and to whoever else is configured, on
// a goroutine of its own: a disk or a daemon that hangs holds up nothing
// but it. Events that find no room are counted.
type outputs struct {
	opts  Options
	tell  *teller
	queue chan event.Event
	order chan order    // to the goroutine of run
	quit  chan struct{} // closed when nobody puts any more
	done  chan struct{} // closed when run has ended
	gone  chan struct{} // closed when waiting for run is given up

	overflow atomic.Uint64
	health   logHealth
	places   *locating
	people   *notifying

	// Owned by the goroutine of run, once it runs.
	config config.Config
	log    *eventlog.Log
	also   eventlog.Sink
}

// order makes run use another configuration.
type order struct {
	config config.Config
	done   chan<- struct{}
}

// openOutputs opens the event log, which must be possible, and the other
// outputs, which may fail. onLink are the networks that the host is
// connected to.
func openOutputs(o Options, tell *teller, onLink []netip.Prefix) (*outputs, error) {
	out := &outputs{
		opts: o, tell: tell,
		queue: make(chan event.Event, outputQueue),
		order: make(chan order, 1),
		quit:  make(chan struct{}), done: make(chan struct{}), gone: make(chan struct{}),
	}
	log, err := out.openLog(o.Config.Log)
	if err != nil {
		return nil, err
	}
	if err := checkRoom(o.Config.Log.Path); isFull(err) {
		// A host that starts with a full disk is protected all the same.
		tell.say(err.Error() + "; events are lost until there is room")
	} else if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	out.config, out.log = o.Config, log
	out.also = out.openAlso(o.Config.Log)
	out.places = startLocating(o, tell)
	out.people = startNotifying(o, tell, onLink)
	go out.run()
	return out, nil
}

// put queues an event, waiting for room.
func (o *outputs) put(e event.Event) {
	select {
	case o.queue <- e:
	case <-o.gone:
		o.overflow.Add(1)
	}
}

// offer queues an event if there is room, and counts it otherwise.
func (o *outputs) offer(e event.Event) {
	select {
	case o.queue <- e:
	default:
		o.overflow.Add(1)
	}
}

// notice tells people something that is no event. It never blocks.
func (o *outputs) notice(n Notice) { o.people.put(tidings{notice: &n}) }

// configure puts another configuration in force, reopening the log in any
// case. The returned channel is closed when that is done, or when a later
// call makes it needless. It is called from the main loop only.
func (o *outputs) configure(c config.Config) <-chan struct{} {
	select {
	case late := <-o.order:
		close(late.done)
	default:
	}
	done := make(chan struct{})
	o.order <- order{c, done}
	return done
}

func (o *outputs) run() {
	defer close(o.done)
	o.tell.hurry()
	for {
		select {
		case e := <-o.queue:
			o.write(e)
		case ord := <-o.order:
			o.apply(ord.config)
			close(ord.done)
		case <-o.quit:
			for {
				select {
				case e := <-o.queue:
					o.write(e)
					continue
				default:
				}
				break
			}
			o.closeAll()
			return
		}
	}
}

// write tells everybody. Errors are the sinks' own affair: they report
// them once and count them.
func (o *outputs) write(e event.Event) {
	func() {
		defer o.recovered("write the event log")
		err := o.log.Write(e)
		o.health.note(err, o.opts.Clock.Now())
		if err != nil && o.opts.Unlogged != nil {
			o.opts.Unlogged()
		}
	}()
	func() {
		defer o.recovered("write to journal or syslog")
		_ = o.also.Write(e)
	}()
	o.people.put(tidings{event: e})
	if o.opts.Watch != nil {
		defer o.recovered("show an event")
		o.opts.Watch(e)
	}
}

// recovered keeps a bug in an output from ending protection.
func (o *outputs) recovered(what string) {
	if r := recover(); r != nil {
		o.overflow.Add(1)
		o.tell.trouble("panic", fmt.Sprintf("bug: %s: %v; please report it", what, r))
	}
}

func (o *outputs) closeAll() {
	// The log first: the last deliveries may take seconds.
	o.closeSink("event log", o.log)
	o.closeSink("log", o.also)
	o.people.close()
	o.places.close()
}

// close writes what waits and closes everything. Nobody may put events any
// more. An output that hangs is left behind.
func (o *outputs) close() {
	close(o.quit)
	timer := time.NewTimer(outputPatience)
	defer timer.Stop()
	select {
	case <-o.done:
	case <-timer.C:
		o.abandon()
		if n := len(o.queue); n > 0 {
			o.tell.say(fmt.Sprintf("the event log does not answer; %d events are not in it", n))
		} else {
			o.tell.say("an output does not answer; going on without")
		}
	}
}

// abandon frees whoever waits for room.
func (o *outputs) abandon() {
	select {
	case <-o.gone:
	default:
		close(o.gone)
	}
}
