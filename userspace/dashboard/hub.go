// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"denmap/userspace/event"
)

const (
	// maxStreams bounds the open pages.
	maxStreams = 128
	// maxBehind is how many messages a page may be behind before its
	// stream ends; it then asks again and gets the whole table.
	maxBehind = 32
	// soon is how long a change waits for others to be told with.
	soon = 100 * time.Millisecond
	// look is how often the kernel is looked at while somebody watches.
	look = time.Second
	// breathe is how many times longer than a look the pause after it is,
	// so that full tables do not eat a processor.
	breathe = 10
	// beat is how often a quiet stream says something, so that both ends
	// notice when the other is gone.
	beat = 15 * time.Second
	// maxEvents is how many events may wait for the hub.
	maxEvents = 4096
)

// hub looks at the kernel once for all open pages, and sends each the same
// bytes. While no page is open it only keeps what events say.
type hub struct {
	opts   Options
	events chan event.Event
	lost   atomic.Uint64 // events that found no room
	wake   chan struct{} // somebody has subscribed, or the tables changed

	mu      sync.Mutex // guards everything below
	streams map[*stream]bool
	live    *live
	pulse   pulse
	counts  counts
	seen    time.Time // the last look at the kernel
	problem string    // why it cannot be looked at
}

// stream is one open page.
type stream struct {
	out  chan []byte // closed when the page is too far behind
	rows bool        // it wants the table, too
}

func newHub(o Options) *hub {
	return &hub{
		opts: o, events: make(chan event.Event, maxEvents), wake: make(chan struct{}, 1),
		streams: make(map[*stream]bool), live: newLive(o),
	}
}

// handle never blocks.
func (h *hub) handle(e event.Event) {
	select {
	case h.events <- e:
	default:
		h.lost.Add(1)
	}
}

// nudge has the hub look at the kernel now.
func (h *hub) nudge() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// run does everything until ctx ends.
func (h *hub) run(ctx context.Context) {
	timer := time.NewTimer(look)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-h.events:
			h.mu.Lock()
			h.live.handle(e)
			h.mu.Unlock()
			h.gather(ctx)
			h.tell()
		case <-h.wake:
			h.refresh(true)
		case <-timer.C:
			took := h.refresh(false)
			timer.Reset(max(look, breathe*took))
		}
	}
}

// gather takes in the events of the next moment, so that a burst is one
// message.
func (h *hub) gather(ctx context.Context) {
	timer := time.NewTimer(soon)
	defer timer.Stop()
	for {
		select {
		case e := <-h.events:
			h.mu.Lock()
			h.live.handle(e)
			h.mu.Unlock()
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// refresh looks at the kernel if somebody watches, and returns how long
// that took.
func (h *hub) refresh(now bool) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) == 0 && !now {
		return 0
	}
	began := time.Now()
	h.look()
	h.send()
	if p, changed := h.measure(); changed {
		h.broadcast("pulse", p)
	}
	return time.Since(began)
}

// look brings the table up to date; h.mu is held.
func (h *hub) look() {
	h.seen = h.opts.Now()
	problem := ""
	if err := h.live.refresh(); err != nil {
		problem = err.Error()
	}
	if problem != "" && problem != h.problem {
		h.opts.Report("page: " + problem)
	}
	h.problem = problem
}

// tell sends what events changed.
func (h *hub) tell() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) > 0 {
		h.send()
	}
}

// send publishes the differences; h.mu is held.
func (h *hub) send() {
	c, err := h.live.publish()
	if err != nil {
		h.opts.Report("page: " + err.Error())
		return
	}
	if len(c.Rows)+len(c.Removed) > 0 {
		h.broadcast("rows", c)
	}
}

// broadcast sends a message to every page; h.mu is held.
func (h *hub) broadcast(name string, value any) {
	message, err := message(name, value)
	if err != nil {
		h.opts.Report("page: " + err.Error())
		return
	}
	for s := range h.streams {
		if s.rows || name != "rows" {
			h.post(s, message)
		}
	}
}

func (h *hub) post(s *stream, message []byte) {
	select {
	case s.out <- message:
	default:
		delete(h.streams, s)
		close(s.out)
	}
}

// message is one server-sent event. JSON has no line breaks.
func message(name string, value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("write %s message: %w", name, err)
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, data), nil
}

// subscribe opens a stream, which begins with the pulse and, if rows are
// wanted, the whole table. It returns nil if there are too many.
func (h *hub) subscribe(rows bool) (*stream, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) >= maxStreams {
		return nil, nil
	}
	h.fresh()
	h.send() // to the others, so that all have the same
	s := &stream{out: make(chan []byte, maxBehind), rows: rows}
	p, err := message("pulse", h.pulse)
	if err != nil {
		return nil, err
	}
	s.out <- p
	if rows {
		table, err := message("table", h.live.all())
		if err != nil {
			return nil, err
		}
		s.out <- table
	}
	h.streams[s] = true
	return s, nil
}

// fresh looks at the kernel unless that was just done; h.mu is held.
func (h *hub) fresh() {
	if age := h.opts.Now().Sub(h.seen); age < 0 || age >= look {
		h.look()
		h.measure()
	}
}

func (h *hub) unsubscribe(s *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, s)
}

// table is the whole table, and the pulse, for who asks once.
func (h *hub) table() (change, pulse) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fresh()
	h.send()
	return h.live.all(), h.pulse
}
