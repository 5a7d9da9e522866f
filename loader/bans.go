// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/cilium/ebpf"

	"denmap/bpf"
	"denmap/userspace/event"
)

// banTable returns the table that bans of a grade live in: blind ones have
// their own, so that forged sources cannot crowd out the rest.
func (s *State) banTable(grade event.Grade) *ebpf.Map {
	if grade == event.Blind {
		return s.maps["blind_bans"]
	}
	return s.maps["bans"]
}

// Bans returns every ban in force.
func (s *State) Bans() ([]event.Ban, error) {
	now := readClock()
	working := sync.OnceValues(s.stops)
	var out []event.Ban
	for _, table := range []string{"bans", "blind_bans"} {
		var err error
		if out, err = appendBans(out, s.maps[table], working, now); err != nil {
			return out, fmt.Errorf("read %s: %w", table, err)
		}
	}
	return out, nil
}

// appendBans appends the bans of a table that are in force. working reads
// the bans at work, which is needless where there are no bans.
func appendBans(to []event.Ban, table *ebpf.Map, working func() (stops, error), now clock) ([]event.Ban, error) {
	var failed error
	err := walk(table, func(key bpf.ScanPrefix, ban *bpf.ScanBan) {
		if ban.Until <= now.boot {
			return
		}
		var all stops
		all, failed = working()
		to = append(to, banFrom(key, *ban, all, now))
	})
	return to, errors.Join(err, failed)
}

func banFrom(key bpf.ScanPrefix, ban bpf.ScanBan, working stops, now clock) event.Ban {
	return event.Ban{
		Source:  prefixFrom(key),
		Grade:   event.Grade(ban.Grade),
		Since:   now.time(ban.Since),
		Until:   now.time(ban.Until),
		Dropped: ban.Dropped + working.of(key, ban),
	}
}

// Ban returns the ban of exactly this source, also one that has ended but
// is still in the table: its counter is then final.
func (s *State) Ban(source netip.Prefix) (event.Ban, bool, error) {
	keys, err := s.banKeys(source)
	if err != nil {
		return event.Ban{}, false, err
	}
	for _, key := range keys {
		for _, table := range []string{"bans", "blind_bans"} {
			var ban bpf.ScanBan
			err := s.maps[table].Lookup(key, &ban)
			if notFound(err) {
				continue
			}
			if err != nil {
				return event.Ban{}, false, fmt.Errorf("read ban of %s: %w", source, err)
			}
			working, err := s.stops()
			return banFrom(key, ban, working, readClock()), err == nil, err
		}
	}
	return event.Ban{}, false, nil
}

// AddBan puts a ban in force, replacing one of the same source and grade.
// A zero Until has no end. The table of manual and proven bans refuses an
// entry when it is full.
func (s *State) AddBan(ban event.Ban) error {
	if ban.Source.Addr().Is6() && ban.Source.Addr().IsLinkLocalUnicast() {
		return fmt.Errorf("ban %s: a link-local address means nothing without its interface", ban.Source)
	}
	now := readClock()
	value := bpf.ScanBan{
		Since:   now.boot,
		Until:   now.bootNS(ban.Until),
		Dropped: ban.Dropped,
		Grade:   bpf.ScanBanGrade(ban.Grade),
	}
	if !ban.Since.IsZero() {
		value.Since = now.bootNS(ban.Since)
	}
	if err := s.enforce(prefixKey(ban.Source), value); err != nil {
		return fmt.Errorf("ban %s: %w", ban.Source, err)
	}
	return nil
}

// enforce writes a ban into the table of its grade.
func (s *State) enforce(key bpf.ScanPrefix, ban bpf.ScanBan) error {
	if err := s.banTable(event.Grade(ban.Grade)).Put(key, ban); err != nil {
		return err
	}
	if ban.Grade == bpf.ScanBanGradeGRADE_BLIND {
		return s.hintBan(key, bpf.ScanHintHINT_BLIND)
	}
	return s.hintBan(key, bpf.ScanHintHINT_BAN)
}

// RemoveBan lifts every ban of exactly this source and forgets its score.
// It reports whether there was one. The score goes first, while the ban keeps
// the source from failing again: the next failure would bring back a ban that
// the score remembers and no event tells of.
func (s *State) RemoveBan(source netip.Prefix) (bool, error) {
	keys, err := s.banKeys(source)
	if err != nil {
		return false, err
	}
	if err := s.forget(source); err != nil {
		return false, err
	}
	found, err := s.liftPrior(keys)
	if err != nil {
		return found, fmt.Errorf("unban %s: %w", source, err)
	}
	for _, key := range keys {
		for _, table := range []string{"bans", "blind_bans"} {
			err := s.maps[table].Delete(key)
			if err != nil && !notFound(err) {
				return found, fmt.Errorf("unban %s: %w", source, err)
			}
			found = found || err == nil
		}
	}
	if !found {
		return false, nil
	}
	return true, s.voidStops()
}

// DropExpired removes the bans that have ended, so that their slots are
// free, and returns them.
func (s *State) DropExpired() ([]event.Ban, error) {
	now := readClock()
	working := sync.OnceValues(s.stops)
	var ended []event.Ban
	for _, table := range []string{"bans", "blind_bans"} {
		var keys []bpf.ScanPrefix
		var failed error
		err := walk(s.maps[table], func(key bpf.ScanPrefix, ban *bpf.ScanBan) {
			if ban.Until > now.boot {
				return
			}
			keys = append(keys, key)
			var all stops
			all, failed = working()
			ended = append(ended, banFrom(key, *ban, all, now))
		})
		if err := errors.Join(err, failed); err != nil {
			return ended, fmt.Errorf("read %s: %w", table, err)
		}
		for _, key := range keys {
			if err := dropEnded(s.maps[table], key, now); err != nil {
				return ended, err
			}
		}
	}
	return ended, s.renewHints()
}

// dropEnded removes a ban that had ended at now. One that was given or
// prolonged since goes back.
func dropEnded(m *ebpf.Map, key bpf.ScanPrefix, now clock) error {
	var ban bpf.ScanBan
	err := m.LookupAndDelete(key, &ban)
	if notFound(err) {
		return nil
	}
	// Its hint is still there: renewHints runs on this goroutine.
	if err == nil && ban.Until > now.boot {
		err = m.Update(key, ban, ebpf.UpdateNoExist)
		if errors.Is(err, ebpf.ErrKeyExist) {
			return nil // given anew in between
		}
	}
	if err != nil {
		return fmt.Errorf("drop ended ban: %w", err)
	}
	return nil
}

// banKeys returns the keys that source may stand under: itself or, for a
// link-local address, itself on every interface.
func (s *State) banKeys(source netip.Prefix) ([]bpf.ScanPrefix, error) {
	if !source.Addr().Is6() || !source.Addr().IsLinkLocalUnicast() {
		return []bpf.ScanPrefix{prefixKey(source)}, nil
	}
	ifaces, err := s.slots()
	if err != nil {
		return nil, err
	}
	var keys []bpf.ScanPrefix
	for _, iface := range ifaces {
		keys = append(keys, addrKey(source.Addr(), int(iface.Ifindex)))
	}
	return keys, nil
}
