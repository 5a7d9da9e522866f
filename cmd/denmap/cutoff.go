// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

// refuseUncover refuses to take networks off the allow list that keep an
// address from being dropped without which somebody would be cut off.
func (e *environment) refuseUncover(cfg config.Config, state *loader.State, removed []netip.Prefix) error {
	before, err := e.loadRules(cfg, state)
	if err != nil {
		return err
	}
	after := before
	after.allow = &lists.List{Entries: slices.DeleteFunc(slices.Clone(before.allow.Entries), func(entry lists.Entry) bool {
		return slices.Contains(removed, entry.Prefix)
	})}
	c, err := e.findCut(state, before, after)
	if err != nil || c == nil {
		return err
	}
	return forceable(fmt.Errorf("remove from the allow list: then %s, %s, is dropped: %s", c.addr, c.what, c.why))
}

// forceable says how to do all the same what is refused.
func forceable(err error) error { return fmt.Errorf("%w; --force does it all the same", err) }

// rules are what decides by address alone.
type rules struct {
	allow, deny *lists.List
	bans        []event.Ban
}

// loadRules reads them from the files, and the bans from the kernel where
// it has any. A list that is refused cannot be judged, and is an error.
func (e *environment) loadRules(cfg config.Config, state *loader.State) (r rules, err error) {
	if r.allow, err = lists.Load(cfg.Lists.Allow, lists.Allow); err != nil {
		return r, explainEdit(err, preciousAddrs{})
	}
	if r.deny, err = lists.Load(cfg.Lists.Deny, lists.Deny); err != nil {
		return r, explainEdit(err, preciousAddrs{})
	}
	r.bans, err = e.readBans(cfg, state)
	return r, err
}

// dropped says what drops everything from addr, "" if nothing does.
func (r rules) dropped(addr netip.Addr, now time.Time) string {
	whole := netip.PrefixFrom(addr, addr.BitLen())
	if _, ok := r.allow.Lookup(whole, now); ok {
		return ""
	}
	if entry, ok := r.deny.Lookup(whole, now); ok {
		return fmt.Sprintf("deny list, line %d", entry.Line)
	}
	for _, ban := range r.bans {
		if ban.Source.Contains(addr) && ban.Grade != event.Blind {
			return fmt.Sprintf("%s ban of %s", ban.Grade, lists.FormatPrefix(ban.Source))
		}
	}
	return ""
}

// cut is a vital address that a change would drop.
type cut struct {
	addr      netip.Addr
	what, why string
}

// findCut looks for a vital address that is dropped after a change and was
// not before; nil: there is none.
func (e *environment) findCut(state *loader.State, before, after rules) (*cut, error) {
	vital, err := e.vital(state)
	if err != nil {
		return nil, err
	}
	for _, addr := range vital.sorted() {
		if why := after.dropped(addr, e.Now()); why != "" && before.dropped(addr, e.Now()) == "" {
			return &cut{addr, vital.what[addr], why}, nil
		}
	}
	return nil, nil
}
