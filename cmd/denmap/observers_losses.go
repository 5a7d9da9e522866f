// SPDX-License-Identifier: MIT

package main

import (
	"maps"
	"slices"
	"sync"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/notify"
)

// The stages at which events get lost in user space. What the kernel could
// not report or note is in its counters.
const (
	stageQueue   = "queue"   // between the kernel and the outputs
	stageLog     = "log"     // not written
	stageHistory = "history" // not stored
	stagePage    = "page"    // not shown live
	stageMail    = "mail"    // nobody notified
)

// lossLog counts lost events by stage. It may be used by several
// goroutines.
type lossLog struct {
	mu     sync.Mutex
	counts map[string]uint64
}

func (l *lossLog) add(stage string, n uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = make(map[string]uint64)
	}
	l.counts[stage] += n
}

// note takes in an event that tells of losses. Those of the ring buffer
// are in the kernel's counters already.
func (l *lossLog) note(e event.Event) {
	if e.Lost != nil && e.Lost.Stage != "ring-buffer" {
		l.add(e.Lost.Stage, e.Lost.Count)
	}
}

func (l *lossLog) snapshot() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.counts)
}

// lost returns the events lost in user space since the start, with 0 for
// the stages that lost none.
func (o *observers) lost() map[string]uint64 {
	lost := map[string]uint64{stageQueue: 0, stageLog: 0, stageHistory: 0, stagePage: 0, stageMail: 0}
	for stage, n := range o.losses.snapshot() {
		lost[stage] += n
	}
	if o.history != nil {
		lost[stageHistory] += o.history.Stats().Lost
	}
	if page := o.current(); page != nil {
		lost[stagePage] += page.server.Lost()
	}
	if status, err := notify.ReadStatus(o.config.StateDir); err == nil {
		lost[stageMail] += status.Overflow + status.Dropped
	}
	return lost
}

// lossList is lost for the page, which counts its own.
func (o *observers) lossList() []event.Loss {
	lost := o.lost()
	delete(lost, stagePage)
	var out []event.Loss
	for _, stage := range slices.Sorted(maps.Keys(lost)) {
		out = append(out, event.Loss{Stage: stage, Count: lost[stage]})
	}
	return out
}

// absent returns the interfaces that the configuration asks to protect and
// that are not among those found.
func (e *environment) absent(cfg config.Config, found []loader.Protection) ([]config.Interface, error) {
	wanted, err := wantedInterfaces(e, cfg)
	if err != nil {
		return nil, err
	}
	var out []config.Interface
	for _, name := range wanted {
		if entry, ok := cfg.For(name); ok && !named(found, name) {
			entry.Name = name
			out = append(out, entry)
		}
	}
	return out, nil
}
