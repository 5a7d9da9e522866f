// SPDX-License-Identifier: MIT

package daemon

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/netstate"
)

// release lets go of held interfaces that are gone or no longer wanted.
func (g *guard) release(plan map[int]wanted) {
	for _, index := range slices.Sorted(maps.Keys(g.held)) {
		h := g.held[index]
		if _, ok := plan[index]; ok {
			continue
		}
		if !g.isPresent(index) {
			g.miss(h)
		} else if err := g.drop(h, event.ReasonStopped+": no longer configured"); err != nil {
			g.tell.trouble("detach "+h.Name, fmt.Sprintf("detach %q: %v", h.Name, err))
		}
	}
	for index, h := range g.gone {
		if !g.expects(h) {
			g.bury(index)
		}
	}
}

func (g *guard) isPresent(index int) bool {
	return slices.ContainsFunc(g.present, func(i netstate.Interface) bool { return i.Index == index })
}

// expects reports whether an interface that is gone is asked for by name.
func (g *guard) expects(h *held) bool {
	entry, ok := g.config.For(h.entry)
	return ok && !entry.IsGlob() && !g.excluded[h.entry]
}

// miss takes note that a held interface is gone. If it is expected back,
// the kernel goes on listing it, so that everybody sees what is missing.
func (g *guard) miss(h *held) {
	delete(g.held, h.Index)
	g.gone[h.Index] = h
	text := h.Name + " is gone"
	if g.expects(h) {
		text += "; it is protected again when it comes back"
	}
	g.tell.say(text)
	g.emit(event.Event{Action: event.Detached, Interface: h.Name, Mode: h.mode(), Reason: "link is gone"})
}

// welcome ends the wait for an interface that is back, perhaps under
// another index.
func (g *guard) welcome(index int, entry string) {
	delete(g.gone, index) // the kernel has replaced it already
	for old, h := range g.gone {
		if h.entry == entry {
			g.bury(old)
		}
	}
}

// bury makes the kernel forget an interface that is gone.
func (g *guard) bury(index int) {
	h := g.gone[index]
	delete(g.gone, index)
	if err := g.kernel.Detach(index); err != nil {
		g.tell.say(fmt.Sprintf("forget %q: %v", h.Name, err))
	}
}

// drop detaches a held interface and tells of it.
func (g *guard) drop(h *held, reason string) error {
	if err := g.kernel.Detach(h.Index); err != nil {
		return err
	}
	delete(g.held, h.Index)
	g.tell.say(fmt.Sprintf("%s is no longer protected: %s", h.Name, strings.TrimPrefix(reason, event.ReasonStopped+": ")))
	g.emit(event.Event{Action: event.Detached, Interface: h.Name, Mode: h.mode(), Reason: reason})
	return nil
}

// tellAbsent says once which entries of the configuration name nothing
// that is there, unless it was said that it is gone.
func (g *guard) tellAbsent() {
	for _, entry := range g.config.Interfaces {
		matter := "absent " + entry.Name
		there := slices.ContainsFunc(g.present, func(i netstate.Interface) bool { return entry.Match(i.Name) })
		there = there || g.excluded[entry.Name]
		for _, list := range []map[int]*held{g.held, g.gone} {
			for _, h := range list {
				there = there || entry.Match(h.entry)
			}
		}
		switch {
		case there && entry.IsGlob(): // such as containers' links: they come and go
		case there:
			g.tell.fine(matter, "")
		default:
			g.tell.trouble(matter, fmt.Sprintf("waiting for %q: no such interface yet", entry.Name))
		}
	}
}

// configure puts another configuration in force. Interfaces that were let
// go of on request are protected again.
func (g *guard) configure(c config.Config) {
	g.config = c
	clear(g.excluded)
	g.check()
}

// exclude lets go of the named interfaces until the next reload, or no
// longer waits for them. If one of them is neither protected nor waited
// for, none is let go of.
func (g *guard) exclude(names []string) error {
	var found []*held
	var awaited []string
	for _, name := range names {
		i := slices.IndexFunc(g.list(), func(h *held) bool { return h.Name == name })
		switch {
		case i >= 0:
			found = append(found, g.list()[i])
		case g.awaits(name):
			awaited = append(awaited, name)
		default:
			return fmt.Errorf("detach %q: it is not protected", name)
		}
	}
	for _, name := range awaited {
		g.forgo(name)
	}
	var errs []error
	for _, h := range found {
		// Both: it may carry another name than it is configured by.
		g.excluded[h.Name], g.excluded[h.entry] = true, true
		if g.held[h.Index] == h { // not named twice
			errs = append(errs, g.drop(h, event.ReasonStopped+": by operator"))
		}
	}
	g.publish()
	return errors.Join(errs...)
}

// awaits reports whether an interface is to be protected as soon as that
// is possible.
func (g *guard) awaits(name string) bool {
	entry, ok := g.config.For(name)
	if !ok || g.excluded[name] {
		return false
	}
	return !entry.IsGlob() || slices.ContainsFunc(g.present, func(i netstate.Interface) bool { return i.Name == name })
}

// forgo ends the wait for an interface.
func (g *guard) forgo(name string) {
	g.excluded[name] = true
	for index, h := range g.gone {
		if h.Name == name || h.entry == name {
			g.excluded[h.entry] = true
			g.bury(index)
		}
	}
	g.tell.fine("absent "+name, "")
	g.tell.fine("attach "+name, "")
	g.tell.say(fmt.Sprintf("no longer waiting for %q: by operator", name))
}
