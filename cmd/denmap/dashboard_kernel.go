// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"denmap/loader"
	"denmap/userspace/dashboard"
	"denmap/userspace/event"
	"denmap/userspace/notify"
)

// pageKernel is the kernel state as the page sees it.
type pageKernel struct {
	page *page

	mu    sync.Mutex
	state *loader.State // nil until it is needed
}

// open returns the pinned state, which is there as soon as the daemon has
// attached.
func (k *pageKernel) open() (*loader.State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state == nil {
		s, err := k.page.env.openState()
		if err != nil {
			return nil, err
		}
		k.state = s
	}
	return k.state, nil
}

// close lets go of the state, after the last request.
func (k *pageKernel) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.state != nil {
		_ = k.state.Close() // it has no error to tell
	}
}

func (k *pageKernel) Sources() ([]event.Source, error) {
	s, err := k.open()
	if err != nil {
		return nil, err
	}
	return s.Sources()
}

func (k *pageKernel) Bans() ([]event.Ban, error) {
	s, err := k.open()
	if err != nil {
		return nil, err
	}
	return k.page.env.readBans(k.page.config(), s)
}

func (k *pageKernel) AddBan(_ context.Context, ban event.Ban) error {
	s, err := k.open()
	if err != nil {
		return err
	}
	p := k.page
	var failed error
	err = p.env.updateBanFile(p.c, p.config(), func(saved []event.Ban) []event.Ban {
		if failed = s.AddBan(ban); failed != nil {
			return saved
		}
		saved = slices.DeleteFunc(saved, func(b event.Ban) bool { return b.Source == ban.Source && b.Grade == ban.Grade })
		return append(saved, ban)
	})
	if failed != nil {
		return failed
	}
	return err
}

func (k *pageKernel) Unban(_ context.Context, source netip.Prefix) (lifted []event.Ban, known bool, err error) {
	s, err := k.open()
	if err != nil {
		return nil, false, err
	}
	p := k.page
	all, err := p.env.readBans(p.config(), s)
	if err != nil {
		return nil, false, err
	}
	for _, b := range all {
		if source.Overlaps(b.Source) {
			lifted = append(lifted, b)
		}
	}
	freed, err := p.env.free(p.c, p.config(), s, []netip.Prefix{source})
	return lifted, len(freed) > 0, err
}

func (k *pageKernel) precious() ([]dashboard.Precious, error) {
	s, err := k.open()
	if err != nil {
		return nil, err
	}
	found, err := k.page.env.precious(s)
	if err != nil {
		return nil, err
	}
	var out []dashboard.Precious
	for _, addr := range slices.SortedFunc(maps.Keys(found.what), netip.Addr.Compare) {
		out = append(out, dashboard.Precious{Addr: addr, What: found.what[addr], Own: found.what[addr] == ownAddress})
	}
	return out, nil
}

func (k *pageKernel) Counters() ([]dashboard.Counter, error) {
	s, err := k.open()
	if err != nil {
		return nil, err
	}
	counters, err := s.Counters()
	if err != nil {
		return nil, err
	}
	out := make([]dashboard.Counter, len(counters))
	for i, c := range counters {
		out[i] = dashboard.Counter{Interface: c.Interface, Verdict: c.Verdict, Reason: c.Reason, Packets: c.Count}
	}
	return out, nil
}

func (k *pageKernel) Health(context.Context) (dashboard.Health, error) {
	s, err := k.open()
	if err != nil {
		return dashboard.Health{}, err
	}
	h := k.page.health()
	if h.PausedUntil, err = s.Paused(); err != nil {
		return h, err
	}
	protections, err := s.Protections()
	if err != nil {
		return h, err
	}
	for _, p := range protections {
		h.Interfaces = append(h.Interfaces, dashboard.Interface{
			Name: p.Name, Hook: string(p.Hook), Mode: mode(p.Interface), Since: stamp(p.Since), Problem: p.Problem,
		})
	}
	absent, err := k.page.env.absent(k.page.config(), protections)
	if err != nil {
		return h, err
	}
	for _, i := range absent {
		h.Interfaces = append(h.Interfaces, dashboard.Interface{
			Name: i.Name, Hook: string(i.XDP), Mode: string(i.Mode), Problem: "waiting for it: there is no such interface, or it cannot be attached",
		})
	}
	fills, err := s.Fills()
	if err != nil {
		return h, err
	}
	for _, f := range fills {
		h.Tables = append(h.Tables, dashboard.Table{Name: f.Table, Entries: f.Entries, Capacity: f.Capacity, Bytes: f.Bytes})
	}
	return h, nil
}

// health is what can be told without the kernel.
func (p *page) health() dashboard.Health {
	cfg := p.config()
	h := dashboard.Health{Started: p.started.UTC().Truncate(time.Second)}
	// No file yet means that nobody is notified.
	if mail, err := notify.ReadStatus(cfg.StateDir); err == nil {
		h.Mail = &mail
	}
	if p.history != nil {
		s := p.history()
		h.History = &dashboard.HistoryHealth{Available: s.Available, Bytes: s.Bytes, Stored: s.Stored, Lost: s.Lost, Queued: s.Queued}
	}
	if p.lost != nil {
		h.Lost = p.lost()
	}
	p.mu.Lock()
	h.Config.Time = stamp(p.last)
	if p.err != nil {
		h.Config.Error = oneLine(p.err)
	}
	p.mu.Unlock()
	h.Config.File = p.env.ConfigPath
	if p.c.IsSet("config") {
		h.Config.File = p.c.String("config")
	}
	h.Versions = []dashboard.Fact{{Name: "DenMap", Value: version()}}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		h.Versions = append(h.Versions, dashboard.Fact{Name: "Linux", Value: unix.ByteSliceToString(uts.Release[:])})
	}
	h.Versions = append(h.Versions, dashboard.Fact{Name: "Go", Value: runtime.Version()}, dashboard.Fact{Name: "Host", Value: p.wiring.meta.Hostname})
	return h
}
