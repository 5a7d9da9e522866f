// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"denmap/userspace/event"
)

// queueSize is how many events may wait for Run.
const queueSize = 8192

// maxWait is how long Run sleeps at most: midnight is a time of the wall
// clock, which can be set while it sleeps.
const maxWait = 10 * time.Minute

// Notifier decides, gathers, writes and delivers. Make one with New, run
// it with Run, feed it with Handle.
type Notifier struct {
	o        Options
	compose  composer
	spool    *Spool // nil if there is no destination
	workers  []*worker
	queue    chan item
	overflow atomic.Uint64
	changed  chan struct{} // a worker's state changed

	mu         sync.Mutex // guards what follows, between Run and Status
	st         *state
	dirty      bool
	nextFlush  time.Time
	nextStatus time.Time
	stale      bool // the status file is older than the status
	stateErr   string
}

// item is what Handle and Notice queue.
type item struct {
	event  event.Event
	ecs    []byte
	notice *Notice
}

// New returns a Notifier with what an earlier one left in o.StateDir. Two
// of them must not share a state directory at the same time. The error
// names the option that is wrong, or the file that cannot be used.
func New(o Options) (*Notifier, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	targets, err := newTargets(o)
	if err != nil {
		return nil, err
	}
	return newNotifier(o, targets)
}

// newNotifier makes a notifier for options that have their defaults.
func newNotifier(o Options, targets []target) (*Notifier, error) {
	n := &Notifier{
		o:       o,
		compose: composer{host: o.Hostname, version: o.Version, loc: o.Location},
		queue:   make(chan item, queueSize),
		changed: make(chan struct{}, 1),
		stale:   true,
	}
	if len(targets) == 0 {
		return n, nil
	}
	if err := n.open(targets); err != nil {
		return nil, err
	}
	return n, nil
}

// open reads what an earlier process left.
func (n *Notifier) open(targets []target) error {
	now := n.o.Clock.Now()
	var err error
	if n.spool, err = OpenSpool(filepath.Join(n.o.StateDir, "spool")); err != nil {
		return err
	}
	for _, base := range []string{stateFile, statusFile} {
		if err := removeTemporary(n.o.StateDir, base); err != nil {
			return fmt.Errorf("open state directory: %w", err)
		}
	}
	st, problem, err := loadState(n.o.StateDir, now)
	if err != nil {
		return err
	}
	if problem != nil {
		n.o.Report(fmt.Sprintf("notify: the digest so far cannot be read and starts again: %v", problem))
	}
	n.st = st
	var names []string
	for _, t := range targets {
		names = append(names, t.name)
		n.workers = append(n.workers, newWorker(n, t))
	}
	return n.spool.Forget(names)
}

// Handle takes an event and its ECS form, one JSON object, which the
// caller must not change afterwards; nil makes webhooks get the bare
// facts. Handle never blocks: when the queue is full the event is counted
// (Status.Overflow) and left out. It is safe for concurrent use.
func (n *Notifier) Handle(e event.Event, ecs []byte) { n.put(item{event: e, ecs: ecs}) }

// Notice takes something that is not an event: a table that is full, a
// configuration that was refused. Like Handle, it never blocks.
func (n *Notifier) Notice(what Notice) {
	if what.Time.IsZero() {
		what.Time = n.o.Clock.Now()
	}
	n.put(item{notice: &what})
}

// SetInternal replaces Rules.Internal. It is safe for concurrent use.
func (n *Notifier) SetInternal(networks []netip.Prefix) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.o.Rules.Internal = networks
}

func (n *Notifier) put(i item) {
	if n.spool == nil {
		return
	}
	select {
	case n.queue <- i:
	default:
		n.overflow.Add(1)
	}
}

// Run gathers and delivers until ctx ends. Then it sends what waits to be
// told at once, gives deliveries Options.Grace to finish and writes the
// rest to the state directory. It is called once.
func (n *Notifier) Run(ctx context.Context) error {
	if n.spool == nil {
		n.writeStatus(n.o.Clock.Now())
		<-ctx.Done()
		return nil
	}
	deliveries, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var wg sync.WaitGroup
	for _, w := range n.workers {
		wg.Go(func() { w.run(deliveries) })
	}
	for ctx.Err() == nil {
		next := n.step(n.o.Clock.Now(), false)
		var timer <-chan time.Time
		if !next.IsZero() {
			wait := next.Sub(n.o.Clock.Now())
			timer = n.o.Clock.After(min(max(wait, time.Millisecond), maxWait))
		}
		select {
		case <-ctx.Done():
		case i := <-n.queue:
			n.take(i)
		case <-n.changed:
			n.mu.Lock()
			n.stale = true
			n.mu.Unlock()
		case <-timer:
		}
	}
	n.take()
	n.step(n.o.Clock.Now(), true)
	n.drain()
	cancel()
	wg.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.flush(n.o.Clock.Now())
	n.writeStatusLocked(n.o.Clock.Now())
	return nil
}

// drain waits until nothing is under way, at most Options.Grace.
func (n *Notifier) drain() {
	limit := n.o.Clock.After(n.o.Grace)
	for {
		busy := false
		for _, w := range n.workers {
			busy = busy || w.busy()
		}
		if !busy {
			return
		}
		select {
		case <-n.changed:
		case <-limit:
			return
		}
	}
}

// take processes the given items and those that wait in the queue.
func (n *Notifier) take(items ...item) {
	now := n.o.Clock.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, i := range items {
		n.process(i, now)
	}
	for range queueSize {
		select {
		case i := <-n.queue:
			n.process(i, now)
		default:
			return
		}
	}
}

// process puts one item where the rules say. The caller holds n.mu.
func (n *Notifier) process(i item, now time.Time) {
	n.dirty, n.stale = true, true
	if i.notice != nil {
		n.processNotice(*i.notice, now)
		return
	}
	e := i.event
	if !wellFormed(e) {
		return
	}
	dec := n.o.Rules.Decide(e, n.st.LastDetection)
	if dec.When == Never {
		return
	}
	if (e.Action == event.ScanDetected || e.Action == event.SourceBanned) && e.Time.After(n.st.LastDetection) {
		n.st.LastDetection = e.Time
	}
	alerts, digest := n.st.Alerts, n.st.Digest
	var ecs json.RawMessage
	if (dec.When == Now || len(alerts.Items) > 0) && json.Valid(i.ecs) {
		ecs = i.ecs
	}
	told, listed := alerts.join(e, dec, ecs), true
	if !told && dec.When == Now {
		told, listed = alerts.add(&Alert{Class: dec.Class, Key: dec.Key, Severity: dec.Severity, Event: &e, ECS: ecs}, n.o, now)
	}
	if e.Scan != nil {
		fresh := digest.add(e, dec, told, now)
		if told && !listed && fresh {
			alerts.More++
		}
		return
	}
	if told && listed {
		return
	}
	text := eventSentence(e)
	if e.Reason != "" {
		text += ": " + e.Reason
	}
	digest.note(text, e.Time)
	if dec.When >= InDigest {
		digest.news(now)
	}
}

func (n *Notifier) processNotice(what Notice, now time.Time) {
	if what.severity() < n.o.Rules.MinSeverity {
		return
	}
	x := &Alert{Class: what.Class, Key: what.Key, Severity: what.severity(), Notice: &what}
	if admitted, listed := n.st.Alerts.add(x, n.o, now); admitted && listed {
		return
	}
	n.st.Digest.note(noticeTitle(what)+": "+what.Text, what.Time)
	n.st.Digest.news(now)
}
