// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

// fakeKernel is a Kernel in memory.
type fakeKernel struct {
	host *fakeHost

	mu        sync.Mutex
	adopted   bool
	calls     []string // what changed something, in order
	settings  Settings
	attached  map[int]Interface
	refuse    map[string]error // by interface
	badLists  error
	badConfig error
	badTend   error
	tended    int
	services  map[event.Service]bool // without their times
	lists     map[lists.Kind][]lists.Entry
	facts     Host
	beats     []time.Duration
	bans      map[banKey]event.Ban
	lost      map[string]uint64
	fills     []Fill

	overlooked []int // lengths of IPv6 bans
	closed     bool
	kept       bool
	clock      Clock
	attaches   int

	detections chan event.Detection
	broken     chan error
}

func newFakeKernel(h *fakeHost, c Clock) *fakeKernel {
	return &fakeKernel{
		host: h, clock: c, attached: make(map[int]Interface), refuse: make(map[string]error),
		lists: make(map[lists.Kind][]lists.Entry), bans: make(map[banKey]event.Ban), lost: make(map[string]uint64),
		detections: make(chan event.Detection), broken: make(chan error, 1),
	}
}

func (k *fakeKernel) note(format string, args ...any) {
	k.calls = append(k.calls, fmt.Sprintf(format, args...))
}

// with edits the kernel behind the daemon's back.
func (k *fakeKernel) with(edit func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	edit()
}

func (k *fakeKernel) Adopted() bool { return k.adopted }

func (k *fakeKernel) Abandon() error { return k.Close(k.adopted) }

func (k *fakeKernel) Attach(name string, o AttachOptions) (Interface, error) {
	dev, ok := k.host.find(name)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.attaches++
	if !ok {
		return Interface{}, fmt.Errorf("attach to %q: %w", name, ErrNoInterface)
	}
	if err := k.refuse[name]; err != nil {
		delete(k.attached, dev.Index)
		return Interface{}, err
	}
	i, ok := k.attached[dev.Index]
	if !ok {
		i = Interface{Index: dev.Index, Since: k.clock.Now()}
	}
	i.Name, i.Native, i.Monitor = name, o.XDP != config.XDPGeneric, o.Monitor
	if !ok {
		k.note("attach %s", name)
	}
	k.attached[dev.Index] = i
	return i, nil
}

// tries returns how often Attach was called.
func (k *fakeKernel) tries() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.attaches
}

func (k *fakeKernel) Detach(index int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i, ok := k.attached[index]; ok {
		k.note("detach %s", i.Name)
	}
	delete(k.attached, index)
	return nil
}

func (k *fakeKernel) Attached() []Interface {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Collect(maps.Values(k.attached))
}

// names lists the attached interfaces that exist, in order.
func (k *fakeKernel) names() string {
	var names []string
	for _, i := range k.Attached() {
		if dev, ok := k.host.find(i.Name); ok && dev.Index == i.Index {
			names = append(names, i.Name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func (k *fakeKernel) Reconfigure(s Settings) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.badConfig != nil {
		return k.badConfig
	}
	k.settings = s
	return nil
}

func (k *fakeKernel) SyncList(kind lists.Kind, entries []lists.Entry, progress func(done, total int)) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.badLists != nil {
		return k.badLists
	}
	k.note("list %s %d", kind, len(entries))
	k.lists[kind] = entries
	if progress != nil {
		progress(len(entries), len(entries))
	}
	return nil
}

func (k *fakeKernel) list(kind lists.Kind) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []string
	for _, e := range k.lists[kind] {
		out = append(out, e.Prefix.String())
	}
	return strings.Join(out, " ")
}

func (k *fakeKernel) Heartbeat(silence time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.beats = append(k.beats, silence)
	return nil
}

func (k *fakeKernel) SetHost(h Host) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note("host")
	k.facts = h
	return nil
}

func (k *fakeKernel) over(b event.Ban) bool {
	return !b.Until.IsZero() && !k.clock.Now().Before(b.Until)
}

func (k *fakeKernel) Bans() ([]event.Ban, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []event.Ban
	for _, b := range k.bans {
		if !k.over(b) {
			out = append(out, b)
		}
	}
	return out, nil
}

func (k *fakeKernel) Ban(source netip.Prefix) (event.Ban, bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for key, b := range k.bans {
		if key.source == source {
			return b, true, nil
		}
	}
	return event.Ban{}, false, nil
}

// AddBan forgets the reason, as the real kernel does.
func (k *fakeKernel) AddBan(b event.Ban) error {
	if b.Source.Addr().IsLinkLocalUnicast() {
		return errors.New("ban of a link-local address")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.note("ban %s", b.Source)
	b.Reason = ""
	k.bans[banKey{b.Source, b.Grade}] = b
	return nil
}

func (k *fakeKernel) lift(source string) {
	k.with(func() {
		maps.DeleteFunc(k.bans, func(key banKey, _ event.Ban) bool { return key.source == netip.MustParsePrefix(source) })
	})
}

func (k *fakeKernel) DropExpired() ([]event.Ban, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []event.Ban
	for key, b := range k.bans {
		if k.over(b) {
			out = append(out, b)
			delete(k.bans, key)
		}
	}
	return out, nil
}

func (k *fakeKernel) Overlooked() []int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.overlooked)
}

func (k *fakeKernel) Source(netip.Prefix) (event.Source, bool, error) {
	return event.Source{}, false, nil
}

func (k *fakeKernel) NoteServices(services []event.Service) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.services == nil {
		k.services = make(map[event.Service]bool)
	}
	for _, s := range services {
		k.services[event.Service{UDP: s.UDP, Port: s.Port}] = true
	}
	return nil
}

func (k *fakeKernel) Services() (out []event.Service, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for s := range k.services {
		s.Seen = k.clock.Now()
		out = append(out, s)
	}
	return out, nil
}

func (k *fakeKernel) Tend() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tended++
	return k.badTend
}

func (k *fakeKernel) LostEvents() (map[string]uint64, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return maps.Clone(k.lost), nil
}

func (k *fakeKernel) Fills() ([]Fill, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.fills), nil
}

func (k *fakeKernel) Run(ctx context.Context, sink func(event.Detection)) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-k.broken:
			return err
		case d := <-k.detections:
			sink(d)
		}
	}
}

func (k *fakeKernel) Close(keep bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed, k.kept = true, keep
	if !keep {
		clear(k.attached)
	}
	return nil
}
