// SPDX-License-Identifier: MIT

package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/netstate"
)

// guard keeps the configured interfaces protected. Each check compares
// what is wanted with what the kernel has and mends the difference, so it
// does not matter what happened to an interface in between, or how often
// it is called. It belongs to the main loop; only monitors may be called
// by others.
type guard struct {
	kernel Kernel
	tell   *teller
	emit   func(event.Event)

	config   config.Config
	held     map[int]*held   // by interface index
	gone     map[int]*held   // those that are expected back
	excluded map[string]bool // let go of on request, until a reload
	present  []netstate.Interface

	mu      sync.Mutex
	monitor map[string]bool // by name, of the held interfaces
}

// held is an interface that is protected.
type held struct {
	Interface
	entry   string // the name that the configuration knew it by
	adopted bool   // from an earlier daemon, not attached by this one yet
}

// wanted is an interface that is to be protected.
type wanted struct {
	name  string // now
	entry config.Interface
	as    string // the name it is wanted by
}

func newGuard(k Kernel, c config.Config, tell *teller, emit func(event.Event)) *guard {
	g := &guard{
		kernel: k, tell: tell, emit: emit, config: c,
		held: make(map[int]*held), gone: make(map[int]*held), excluded: make(map[string]bool),
	}
	for _, i := range k.Attached() {
		g.held[i.Index] = &held{Interface: i, entry: i.Name, adopted: true}
	}
	return g
}

// missing returns the first entry of the configuration that names no
// present interface, if there is one.
func missing(c config.Config, present []netstate.Interface) error {
	for _, entry := range c.Interfaces {
		if slices.ContainsFunc(present, func(i netstate.Interface) bool { return entry.Match(i.Name) }) {
			continue
		}
		e := &NoInterfaceError{Name: entry.Name}
		for _, i := range present {
			if i.LinkLayer != "loopback" {
				e.Have = append(e.Have, i.Name)
			}
		}
		return e
	}
	return nil
}

// start attaches what is wanted for the first time. It returns an error if
// an interface that has an entry of its own cannot be protected; what was
// not attached before is then detached again, and nothing is told.
func (g *guard) start(present []netstate.Interface) error {
	g.present = present
	plan := g.plan()
	var fresh []int
	var news []func()
	for _, index := range slices.Sorted(maps.Keys(plan)) {
		w := plan[index]
		_, had := g.held[index]
		tell, err := g.attach(w)
		switch {
		case err == nil:
			news = append(news, tell)
			if !had {
				fresh = append(fresh, index)
			}
		case w.entry.IsGlob():
			news = append(news, func() { g.lose(index, w.name, err) })
		default:
			for _, index := range fresh {
				err = errors.Join(err, g.kernel.Detach(index))
			}
			return err
		}
	}
	for _, tell := range news {
		tell()
	}
	g.release(plan)
	g.tellAbsent()
	g.publish()
	return nil
}

// check mends what is not as it should be.
func (g *guard) check() {
	plan := g.plan()
	// First what is gone, so that its slot is free.
	g.release(plan)
	for _, index := range slices.Sorted(maps.Keys(plan)) {
		w := plan[index]
		if tell, err := g.attach(w); err != nil {
			g.lose(index, w.name, err)
		} else {
			tell()
		}
	}
	g.tellAbsent()
	g.publish()
}

// plan returns which of the present interfaces are to be protected.
func (g *guard) plan() map[int]wanted {
	plan := make(map[int]wanted)
	names := make(map[string]bool)
	for _, i := range g.present {
		names[i.Name] = true
	}
	for _, i := range g.present {
		as := i.Name
		entry, ok := g.config.For(as)
		// An interface that was renamed stays protected, unless another
		// one has taken over the name that it was configured by.
		if h := g.held[i.Index]; !ok && h != nil && !names[h.entry] {
			as = h.entry
			entry, ok = g.config.For(as)
		}
		if ok && !g.excluded[as] {
			plan[i.Index] = wanted{i.Name, entry, as}
		}
	}
	return plan
}

// attach protects an interface or makes sure that it is protected. The
// function it returns tells of what is new about it.
func (g *guard) attach(w wanted) (tell func(), err error) {
	now, err := g.kernel.Attach(w.name, AttachOptions{XDP: w.entry.XDP, Monitor: w.entry.Mode == config.Monitor})
	if err != nil {
		return nil, err
	}
	before := g.held[now.Index]
	g.held[now.Index] = &held{Interface: now, entry: w.as}
	g.welcome(now.Index, w.as)
	return func() {
		g.tell.fine("attach "+w.name, "")
		reason, changed := whatChanged(before, now)
		if !changed {
			return
		}
		g.tell.say("protecting " + describe(now) + addReason(reason))
		g.emit(event.Event{Action: event.Attached, Interface: now.Name, Mode: now.mode(), Reason: reason})
	}, nil
}

// whatChanged says in words why an interface is reported as attached, and
// false if there is nothing new about it.
func whatChanged(before *held, now Interface) (reason string, changed bool) {
	switch {
	case before == nil:
		return "", true
	case before.adopted:
		return "taken over from an earlier daemon", true
	case before.Name != now.Name:
		return fmt.Sprintf("renamed from %q", before.Name), true
	case !before.Since.Equal(now.Since):
		return "the program had been taken off", true
	case before.Monitor != now.Monitor || before.Native != now.Native:
		return "configuration changed", true
	}
	return "", false
}

// describe names an interface and how it is protected.
func describe(i Interface) string {
	text := i.Name + " (native XDP)"
	if !i.Native {
		text = i.Name + " (generic XDP"
		if i.Fallback != "" {
			text += "; native is refused: " + i.Fallback
		}
		text += ")"
	}
	if i.Monitor {
		text += ", monitor mode: detects and reports, bans nobody"
	}
	return text
}

func addReason(reason string) string {
	if reason == "" {
		return ""
	}
	return "; " + reason
}

// lose takes note that an interface could not be protected. It is tried
// again with every check.
func (g *guard) lose(index int, name string, err error) {
	if errors.Is(err, ErrNoInterface) {
		return // gone or renamed just now: the next look at the host tells
	}
	if slices.ContainsFunc(g.kernel.Attached(), func(i Interface) bool { return i.Index == index }) {
		g.tell.trouble("attach "+name, fmt.Sprintf("update %s: %v; it stays protected as it was", name, err))
		return
	}
	if h := g.held[index]; h != nil {
		delete(g.held, index)
		g.emit(event.Event{Action: event.Detached, Interface: h.Name, Mode: h.mode(), Reason: err.Error()})
	}
	g.tell.trouble("attach "+name, fmt.Sprintf("warning: %s is NOT protected: %v; trying again every second", name, err))
}

// list returns the held interfaces by index.
func (g *guard) list() []*held {
	return slices.SortedFunc(maps.Values(g.held), func(a, b *held) int { return cmp.Compare(a.Index, b.Index) })
}

// status is a line for the supervisor.
func (g *guard) status() string {
	if len(g.held) == 0 {
		return "protecting nothing yet"
	}
	text := "protecting"
	for i, h := range g.list() {
		if i > 0 {
			text += ","
		}
		text += " " + h.Name
	}
	return text
}

// publish makes the modes readable for monitors.
func (g *guard) publish() {
	modes := make(map[string]bool, len(g.held))
	for _, h := range g.held {
		modes[h.Name] = h.Monitor
	}
	g.mu.Lock()
	g.monitor = modes
	g.mu.Unlock()
}

// monitors reports whether an interface only reports. It may be called
// from any goroutine.
func (g *guard) monitors(name string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.monitor[name]
}
