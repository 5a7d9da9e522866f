// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"sync/atomic"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/eventlog"
)

// notifyQueue is how many events may wait while the notifier changes over
// to another configuration: it may take seconds to let deliveries end.
const notifyQueue = 4096

// notifying hands events to the Notifier on a goroutine of its own, which
// also exchanges it for another one on a reload, so that neither holds up
// the event log.
type notifying struct {
	opts Options
	tell *teller

	queue  chan tidings
	order  chan config.Config // the latest only
	wake   chan struct{}      // internal has changed
	done   chan struct{}      // closed when run has ended
	onLink atomic.Pointer[[]netip.Prefix]
	lost   atomic.Uint64 // what found no room

	// Owned by the goroutine of run, once it runs.
	config  config.Config // that the notifier was made with
	current *runningNotifier
}

// tidings is an event or a notice.
type tidings struct {
	event  event.Event
	notice *Notice
}

// runningNotifier is a Notifier with the goroutine that runs it.
type runningNotifier struct {
	Notifier
	stop context.CancelFunc
	done chan struct{}
}

// startNotifying opens the notifier, if there is one, and starts to hand
// events to it. One that cannot be opened is said and left out.
func startNotifying(o Options, tell *teller, onLink []netip.Prefix) *notifying {
	n := &notifying{
		opts: o, tell: tell, config: o.Config,
		queue: make(chan tidings, notifyQueue), order: make(chan config.Config, 1),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	n.onLink.Store(&onLink)
	if err := n.start(o.Config); err != nil {
		tell.say(err.Error() + "; nobody is notified")
	}
	go n.run()
	return n
}

// put queues something to tell. It never blocks.
func (n *notifying) put(t tidings) {
	select {
	case n.queue <- t:
	default:
		n.lost.Add(1)
	}
}

// configure makes the notifier follow another configuration, soon. It is
// called from one goroutine only.
func (n *notifying) configure(c config.Config) {
	select {
	case <-n.order: // it has not come to that one yet
	default:
	}
	n.order <- c
}

// setOnLink tells which networks the host is connected to. It may be
// called from any goroutine.
func (n *notifying) setOnLink(networks []netip.Prefix) {
	if old := n.onLink.Swap(&networks); slices.Equal(*old, networks) {
		return
	}
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// close hands over what waits and ends the notifier. Nobody may put any
// more. It waits for the notifier.
func (n *notifying) close() {
	close(n.queue)
	<-n.done
}

func (n *notifying) run() {
	defer close(n.done)
	for {
		select {
		case t, ok := <-n.queue:
			if !ok {
				n.stop()
				return
			}
			n.hand(t)
		case c := <-n.order:
			n.apply(c)
		case <-n.wake:
			n.setInternal()
		}
		if lost := n.lost.Swap(0); lost > 0 {
			n.tell.say(fmt.Sprintf("notify: %d events found no room and are not told; they are in the log", lost))
		}
	}
}

func (n *notifying) hand(t tidings) {
	if n.current == nil {
		return
	}
	defer n.recovered()
	if t.notice != nil {
		n.current.Notice(*t.notice)
		return
	}
	ecs, err := eventlog.EncodeJSON(t.event, n.opts.Meta)
	if err != nil {
		ecs = nil // the bare facts are told all the same
	}
	n.current.Handle(t.event, ecs)
}

// apply changes over to another configuration. If it cannot be used, the
// one before stays in force.
func (n *notifying) apply(c config.Config) {
	if reflect.DeepEqual(n.config.Mail, c.Mail) && reflect.DeepEqual(n.config.Notify, c.Notify) {
		return
	}
	// Two must not use the state directory at the same time.
	n.stop()
	err := n.start(c)
	if err == nil {
		n.config = c
		return
	}
	if again := n.start(n.config); again != nil || n.current == nil {
		n.tell.say(err.Error() + "; nobody is notified")
		return
	}
	n.tell.say(err.Error() + "; the old mail and notify settings stay in force")
	n.hand(tidings{notice: &Notice{Class: ConfigRefused, Key: "notify", Text: err.Error()}})
}

func (n *notifying) start(c config.Config) error {
	if n.opts.Notify == nil {
		return nil
	}
	opened, err := n.opts.Notify(c)
	if opened == nil || err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningNotifier{opened, cancel, make(chan struct{})}
	n.current = r
	n.setInternal()
	go func() {
		defer close(r.done)
		defer n.recovered()
		if err := opened.Run(ctx); err != nil {
			n.tell.say("notify: " + err.Error())
		}
	}()
	return nil
}

func (n *notifying) stop() {
	if n.current == nil {
		return
	}
	n.current.stop()
	<-n.current.done
	n.current = nil
}

// The shortest prefixes that count as a network of the host: a default
// route on a link without a router makes no internal network.
const (
	minOnLink4 = 8
	minOnLink6 = 32
)

func (n *notifying) setInternal() {
	if n.current == nil {
		return
	}
	var internal []netip.Prefix
	for _, p := range *n.onLink.Load() {
		if p.Addr().Is4() && p.Bits() >= minOnLink4 || p.Addr().Is6() && p.Bits() >= minOnLink6 {
			internal = append(internal, p)
		}
	}
	defer n.recovered()
	n.current.SetInternal(internal)
}

// recovered keeps a bug in the notifier from ending protection.
func (n *notifying) recovered() {
	if r := recover(); r != nil {
		n.tell.trouble("panic", fmt.Sprintf("bug: notify: %v; please report it", r))
	}
}
