// SPDX-License-Identifier: MIT

package daemon

import (
	"fmt"
	"net/netip"
	"reflect"
	"sync/atomic"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
)

// locatePatience is how long the sources of locations, which may lie on a
// disk that hangs, may take to open before that is said, and to close.
const locatePatience = 2 * time.Second

// locating answers where addresses are, and opens and exchanges the
// Locator on a goroutine of its own: a disk that hangs leaves events
// without a location, and holds up nothing.
type locating struct {
	opts    Options
	tell    *teller
	order   chan config.Config // the latest only
	opened  chan struct{}      // closed when the sources were opened for the first time
	quit    chan struct{}
	done    chan struct{} // closed when run has ended
	current atomic.Pointer[Locator]
}

// startLocating opens the sources of locations, and does not wait for them:
// no interface is protected later for their sake. Sources that cannot be
// opened are said and left out.
func startLocating(o Options, tell *teller) *locating {
	l := &locating{
		opts: o, tell: tell,
		order: make(chan config.Config, 1), opened: make(chan struct{}), quit: make(chan struct{}), done: make(chan struct{}),
	}
	if o.Locate == nil {
		close(l.opened)
		close(l.done)
		return l
	}
	late := time.AfterFunc(locatePatience, func() {
		tell.say("the location databases do not answer; events go on without them")
	})
	go func() {
		defer close(l.done)
		l.open(l.opts.Config)
		late.Stop()
		close(l.opened)
		l.run()
	}()
	return l
}

// locate is what the tracker asks, and may wait for long: the tracker does
// not.
func (l *locating) locate(addr netip.Addr) (place event.Place) {
	defer func() {
		if r := recover(); r != nil {
			l.tell.trouble("panic", fmt.Sprintf("bug: locate %v: %v; please report it", addr, r))
		}
	}()
	<-l.opened
	if current := l.current.Load(); current != nil {
		place = (*current).Locate(addr)
	}
	return place
}

// configure makes the locator follow another configuration, soon, and look
// at its files again in any case. It is called from one goroutine only.
func (l *locating) configure(c config.Config) {
	select {
	case <-l.order: // it has not come to that one yet
	default:
	}
	l.order <- c
}

// close ends the locator, or leaves one behind that hangs.
func (l *locating) close() {
	close(l.quit)
	timer := time.NewTimer(locatePatience)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		l.tell.say("the location databases do not answer; going on without")
	}
}

func (l *locating) run() {
	geo := l.opts.Config.Geo
	for {
		select {
		case <-l.quit:
			l.release(l.current.Load())
			return
		case c := <-l.order:
			if !reflect.DeepEqual(geo, c.Geo) {
				geo = c.Geo
				before := l.current.Load()
				l.open(c)
				l.release(before)
			} else if current := l.current.Load(); current != nil {
				for _, problem := range each((*current).Reload()) {
					l.tell.say("reload: " + problem.Error())
				}
			}
		}
	}
}

func (l *locating) open(c config.Config) {
	// Even with an error there is something to ask, unless it is nil.
	locator, err := l.opts.Locate(c)
	for _, problem := range each(err) {
		l.tell.say(problem.Error() + "; events go on without it")
	}
	if locator == nil {
		l.current.Store(nil)
		return
	}
	l.current.Store(&locator)
}

func (l *locating) release(locator *Locator) {
	if locator == nil {
		return
	}
	if err := (*locator).Close(); err != nil {
		l.tell.say(err.Error())
	}
}

// each returns the errors that errors.Join made one of.
func each(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}
