// SPDX-License-Identifier: MIT

package netstate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// window is how long changes are gathered, from the first on: a link
	// that comes up brings a dozen messages.
	window = 50 * time.Millisecond

	// retry is the pause after something failed.
	retry = time.Second

	defaultEvery = 10 * time.Second

	// Reading may take up to a third of a processor for devices, where
	// speed protects, and a twentieth for routes: a router with a full
	// table changes all the time and takes seconds to read.
	devicePause = 2
	routePause  = 20
)

// Watch calls report with the present state at once, and then after each
// change that makes a difference, 50 ms after the first announcement of it:
// time enough to report many changes as one. It returns nil when ctx ends,
// or an error if the very first look fails; later failures go to OnError
// and are tried again.
//
// All calls of report come from Watch's goroutine; while one runs no other
// change is reported. Watch keeps its goroutine on its thread, and so in
// the network namespace it was called in.
func (r Reader) Watch(ctx context.Context, report func(Snapshot)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return r.watch(ctx, rtnetlink(), report)
}

func (r Reader) watch(ctx context.Context, k kernel, report func(Snapshot)) error {
	every := r.Every
	if every <= 0 {
		every = defaultEvery
	}
	w := watcher{
		Reader:      r,
		deviceState: schedule{pause: devicePause},
		routeState:  schedule{pause: routePause},
		bell:        bell{rung: make(chan struct{}, 1)},
	}
	// Subscribing comes first, so that no change falls between the first
	// look and the first message.
	socket, err := k.subscribe()
	if err != nil {
		return err
	}
	lost, since := w.listen(socket), time.Now()
	defer func() {
		if socket != nil {
			socket.Close()
			<-lost
		}
	}()

	var resubscribe <-chan time.Time
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	due := time.NewTimer(0)
	defer due.Stop()
	w.mark(dirtyAll, 0)
	for first := true; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-due.C:
			if err := w.read(k); err != nil {
				if first {
					return err
				}
				w.fail(err)
			}
			first = false
			w.assembled(report)
		case <-w.bell.rung:
			w.mark(w.bell.take(), window)
		case <-ticker.C:
			w.mark(dirtyAll, 0)
		case err := <-lost:
			w.fail(fmt.Errorf("receive network changes: %w", err))
			socket.Close()
			socket, lost = nil, nil
			// At once, unless sockets keep failing.
			resubscribe = time.After(retry - time.Since(since))
		case <-resubscribe:
			resubscribe = nil
			if socket, err = k.subscribe(); err != nil {
				socket = nil
				w.fail(err)
				resubscribe = time.After(retry)
				continue
			}
			lost, since = w.listen(socket), time.Now()
			w.mark(dirtyAll, 0)
		}
		due.Reset(w.wait())
	}
}

// watcher is the state of one Watch. Only bell is shared, with the
// goroutine that reads the socket.
type watcher struct {
	Reader
	devices     devices
	routes      routes
	deviceState schedule
	routeState  schedule
	bell        bell
	last        Snapshot
	reported    bool
}

func (w *watcher) fail(err error) {
	if w.OnError != nil {
		w.OnError(err)
	}
}

// mark schedules reading, after a delay if nothing is scheduled yet.
func (w *watcher) mark(d dirt, delay time.Duration) {
	now := time.Now()
	if d&dirtyDevices != 0 {
		w.deviceState.ask(now.Add(delay))
	}
	if d&dirtyRoutes != 0 {
		w.routeState.ask(now.Add(delay))
	}
}

// wait returns the time until the next reading; the ticker sees to it that
// there is one.
func (w *watcher) wait() time.Duration {
	next := w.deviceState.due
	if next.IsZero() || !w.routeState.due.IsZero() && w.routeState.due.Before(next) {
		next = w.routeState.due
	}
	if next.IsZero() {
		return time.Hour
	}
	return max(0, time.Until(next))
}

// read reads what is due. Where that fails the last state stays, and is
// tried again. The error returned is that of the devices alone: without
// routes there is still enough to protect, and a strange one must not keep
// the daemon from starting.
func (w *watcher) read(k kernel) error {
	var failed error
	if w.deviceState.begin() {
		d, err := k.devices()
		if err == nil {
			w.devices = d
		} else {
			failed = err
		}
		w.deviceState.end(err)
	}
	if w.routeState.begin() {
		t, err := k.routes()
		if err == nil {
			w.routes = t
		} else {
			w.fail(err)
		}
		w.routeState.end(err)
	}
	return failed
}

func (w *watcher) assembled(report func(Snapshot)) {
	s := w.assemble(w.devices, w.routes)
	if w.reported && s.Equal(w.last) {
		return
	}
	w.last, w.reported = s, true
	report(s)
}

// listen rings the bell for every message, until the socket fails or is
// closed, and then sends the reason.
func (w *watcher) listen(socket io.Reader) <-chan error {
	lost := make(chan error, 1)
	go func() {
		buf := make([]byte, 16<<10) // more than any header needs
		for {
			n, err := socket.Read(buf)
			switch {
			case errors.Is(err, unix.ENOBUFS):
				// Messages were dropped, the socket lives on. That
				// some were sent is all there is to know.
				w.bell.ring(dirtyAll)
			case errors.Is(err, unix.EINTR):
			case err != nil:
				lost <- err
				return
			default:
				w.bell.ring(classify(buf[:n]))
			}
		}
	}()
	return lost
}

// bell carries dirt from the goroutine that reads the socket, without ever
// holding it up: the socket is emptied even while a report takes long.
type bell struct {
	dirt atomic.Uint32
	rung chan struct{}
}

func (b *bell) ring(d dirt) {
	b.dirt.Or(uint32(d))
	select {
	case b.rung <- struct{}{}:
	default:
	}
}

func (b *bell) take() dirt { return dirt(b.dirt.Swap(0)) }

// schedule is when one part of the state is read next, and never sooner
// than its pause, in multiples of what reading it took, allows.
type schedule struct {
	pause    time.Duration // factor
	due      time.Time     // zero: nothing to do
	earliest time.Time
	started  time.Time
}

func (s *schedule) ask(at time.Time) {
	if at.Before(s.earliest) {
		at = s.earliest
	}
	if s.due.IsZero() || at.Before(s.due) {
		s.due = at
	}
}

func (s *schedule) begin() bool {
	now := time.Now()
	if s.due.IsZero() || s.due.After(now) {
		return false
	}
	s.due, s.started = time.Time{}, now
	return true
}

func (s *schedule) end(err error) {
	now := time.Now()
	s.earliest = now.Add(s.pause * now.Sub(s.started))
	if err != nil {
		s.earliest = now.Add(retry)
		s.ask(s.earliest)
	}
}
