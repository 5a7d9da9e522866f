// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
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
	locator  atomic.Pointer[Locator]

	// Owned by the goroutine of run, once it runs.
	config   config.Config
	log      *eventlog.Log
	also     eventlog.Sink
	notifier *runningNotifier
}

// order makes run use another configuration.
type order struct {
	config config.Config
	done   chan<- struct{}
}

// openOutputs opens the event log, which must be possible, and the other
// outputs, which may fail.
func openOutputs(o Options, tell *teller) (*outputs, error) {
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
	out.config, out.log = o.Config, log
	out.also = out.openAlso(o.Config.Log)
	out.openLocator()
	out.startNotifier()
	go out.run()
	return out, nil
}

func (o *outputs) openLog(c config.Log) (*eventlog.Log, error) {
	return eventlog.Open(eventlog.Options{
		Path: c.Path, Format: eventlog.Format(c.Format), Meta: o.opts.Meta,
		MaxSize: c.MaxSize, Keep: c.Keep, Compress: c.Compress,
		Report: o.tell.say, Now: o.opts.Clock.Now, NewID: o.opts.NewID,
	})
}

func (o *outputs) openAlso(c config.Log) eventlog.Sink {
	so := eventlog.SocketOptions{Meta: o.opts.Meta, Report: o.tell.say, Now: o.opts.Clock.Now}
	var sinks []eventlog.Sink
	for _, where := range c.Also {
		switch where {
		case config.Journal:
			sinks = append(sinks, eventlog.OpenJournal(so))
		case config.Syslog:
			sinks = append(sinks, eventlog.OpenSyslog(so))
		}
	}
	return eventlog.Multi(sinks...)
}

// openLocator opens the sources of locations, or leaves them out.
func (o *outputs) openLocator() {
	if o.opts.Locate == nil {
		return
	}
	// Even with an error there is something to ask, unless it is nil.
	l, err := o.opts.Locate(o.config)
	if err != nil {
		o.tell.say(err.Error() + "; events go on without it")
	}
	if l == nil {
		o.locator.Store(nil)
		return
	}
	o.locator.Store(&l)
}

// locate is what the tracker asks.
func (o *outputs) locate(addr netip.Addr) (place event.Place) {
	defer o.recovered("locate " + addr.String())
	if l := o.locator.Load(); l != nil {
		place = (*l).Locate(addr)
	}
	return place
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
		_ = o.log.Write(e)
	}()
	func() {
		defer o.recovered("write to journal or syslog")
		_ = o.also.Write(e)
	}()
	if o.notifier == nil {
		return
	}
	defer o.recovered("notify")
	ecs, err := eventlog.EncodeJSON(e, o.opts.Meta)
	if err != nil {
		ecs = nil // the bare facts are told all the same
	}
	o.notifier.Handle(e, ecs)
}

// recovered keeps a bug in an output from ending protection.
func (o *outputs) recovered(what string) {
	if r := recover(); r != nil {
		o.overflow.Add(1)
		o.tell.trouble("panic", fmt.Sprintf("bug: %s: %v; please report it", what, r))
	}
}

// apply changes over to another configuration. What cannot be opened
// leaves in force what was.
func (o *outputs) apply(c config.Config) {
	old := o.config
	o.config = c
	o.applyLog(old.Log, c.Log)
	if !reflect.DeepEqual(old.Geo, c.Geo) {
		before := o.locator.Load()
		o.openLocator()
		if before != nil {
			o.closeLocator(*before)
		}
	} else if l := o.locator.Load(); l != nil {
		if err := (*l).Reload(); err != nil {
			o.tell.say(err.Error())
		}
	}
	if !reflect.DeepEqual(old.Mail, c.Mail) || !reflect.DeepEqual(old.Notify, c.Notify) {
		// Two must not use the state directory at the same time.
		o.stopNotifier()
		o.startNotifier()
	}
}

func (o *outputs) applyLog(old, c config.Log) {
	if reflect.DeepEqual(old, c) {
		if err := o.log.Reopen(); err != nil {
			o.tell.say(err.Error() + "; the old file is written on")
		}
		return
	}
	log, err := o.openLog(c)
	if err != nil {
		o.config.Log = old
		o.tell.say(err.Error() + "; the old log is written on")
		return
	}
	o.closeSink("event log", o.log)
	o.log = log
	o.closeSink("log", o.also)
	o.also = o.openAlso(c)
}

func (o *outputs) closeSink(name string, s eventlog.Sink) {
	if err := s.Close(); err != nil {
		o.tell.say(fmt.Sprintf("close %s: %v", name, err))
	}
}

func (o *outputs) closeLocator(l Locator) {
	if err := l.Close(); err != nil {
		o.tell.say(err.Error())
	}
}

func (o *outputs) closeAll() {
	o.stopNotifier()
	o.closeSink("event log", o.log)
	o.closeSink("log", o.also)
	if l := o.locator.Load(); l != nil {
		o.closeLocator(*l)
	}
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
		o.tell.say(fmt.Sprintf("the event log does not answer; %d events are not in it", len(o.queue)))
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

// runningNotifier is a Notifier with the goroutine that runs it.
type runningNotifier struct {
	Notifier
	stop context.CancelFunc
	done chan struct{}
}

func (o *outputs) startNotifier() {
	if o.opts.Notify == nil {
		return
	}
	n, err := o.opts.Notify(o.config)
	if err != nil {
		o.tell.say(err.Error() + "; nobody is notified")
	}
	if n == nil || err != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningNotifier{n, cancel, make(chan struct{})}
	go func() {
		defer close(r.done)
		defer o.recovered("notify")
		if err := n.Run(ctx); err != nil {
			o.tell.say("notify: " + err.Error())
		}
	}()
	o.notifier = r
}

func (o *outputs) stopNotifier() {
	if o.notifier == nil {
		return
	}
	o.notifier.stop()
	<-o.notifier.done
	o.notifier = nil
}
