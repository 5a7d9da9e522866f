// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"slices"
	"sync"

	"denmap/userspace/event"
	"denmap/userspace/netstate"
)

// fakeHost is a host with interfaces: what Network sees and the kernel
// attaches to.
type fakeHost struct {
	mu       sync.Mutex
	snapshot netstate.Snapshot
	next     int
	failing  error // what looking at the host gives
	services []event.Service
	watchers map[chan struct{}]bool
}

func newFakeHost(names ...string) *fakeHost {
	h := &fakeHost{watchers: make(map[chan struct{}]bool)}
	h.snapshot.Interfaces = []netstate.Interface{{Index: 1, Name: "lo", LinkLayer: "loopback", Up: true}}
	h.next = 2
	for _, name := range names {
		h.plug(name)
	}
	return h
}

// change edits the host and tells the watchers.
func (h *fakeHost) change(edit func(*netstate.Snapshot)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.snapshot.Interfaces = slices.Clone(h.snapshot.Interfaces)
	edit(&h.snapshot)
	for w := range h.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

func (h *fakeHost) plug(name string) {
	h.change(func(s *netstate.Snapshot) {
		s.Interfaces = append(s.Interfaces, netstate.Interface{Index: h.next, Name: name, LinkLayer: "ether", Up: true})
		h.next++
	})
}

func (h *fakeHost) unplug(name string) {
	h.change(func(s *netstate.Snapshot) {
		s.Interfaces = slices.DeleteFunc(s.Interfaces, func(i netstate.Interface) bool { return i.Name == name })
	})
}

func (h *fakeHost) rename(from, to string) {
	h.change(func(s *netstate.Snapshot) {
		for i := range s.Interfaces {
			if s.Interfaces[i].Name == from {
				s.Interfaces[i].Name = to
			}
		}
	})
}

func (h *fakeHost) find(name string) (netstate.Interface, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, i := range h.snapshot.Interfaces {
		if i.Name == name {
			return i, true
		}
	}
	return netstate.Interface{}, false
}

func (h *fakeHost) Read() (netstate.Snapshot, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.snapshot, h.failing
}

func (h *fakeHost) Services() ([]event.Service, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.services), nil
}

func (h *fakeHost) Watch(ctx context.Context, report func(netstate.Snapshot)) error {
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	h.mu.Lock()
	if h.failing != nil {
		defer h.mu.Unlock()
		return h.failing
	}
	h.watchers[wake] = true
	h.mu.Unlock()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wake:
			s, _ := h.Read()
			report(s)
		}
	}
}
