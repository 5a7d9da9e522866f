// SPDX-License-Identifier: MIT

package scans

import (
	"net/netip"
	"time"

	"denmap/userspace/event"
)

const (
	locateWorkers = 2
	locateQueue   = 1024
)

// place is the answer to where a scan comes from, once there is one.
type place struct {
	addr  netip.Addr
	done  chan struct{} // closed when value is set
	value event.Place
	late  bool // the output waited for it once already; owned by the output
}

// wait returns the place, waiting for it for at most patience, and that
// only once.
func (p *place) wait(patience time.Duration) (event.Place, bool) {
	select {
	case <-p.done:
		return p.value, true
	default:
	}
	if p.late || patience <= 0 {
		return event.Place{}, false
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.value, true
	case <-timer.C:
		p.late = true
		return event.Place{}, false
	}
}

// locator asks Options.Locate on goroutines of its own. A nil locator
// knows no place.
type locator struct {
	asked chan *place
}

func startLocator(locate func(netip.Addr) event.Place) *locator {
	if locate == nil {
		return nil
	}
	l := &locator{asked: make(chan *place, locateQueue)}
	for range locateWorkers {
		go func() {
			for p := range l.asked {
				p.value = locate(p.addr)
				close(p.done)
			}
		}()
	}
	return l
}

// ask starts looking for an address. It never blocks; the answer is nil
// when too many wait already.
func (l *locator) ask(addr netip.Addr) *place {
	if l == nil {
		return nil
	}
	p := &place{addr: addr, done: make(chan struct{})}
	select {
	case l.asked <- p:
		return p
	default:
		return nil
	}
}

func (l *locator) stop() {
	if l != nil {
		close(l.asked)
	}
}
