// SPDX-License-Identifier: MIT

package loader

import (
	"fmt"
	"net/netip"
	"strconv"

	"github.com/cilium/ebpf"

	"denmap/bpf"
)

// Host is what the program must know of the machine it protects.
type Host struct {
	Own       []netip.Addr   // all local unicast addresses
	OnLink    []netip.Prefix // directly connected IPv6 prefixes
	Protected []netip.Addr   // never banned automatically
	NAT       bool           // ports are published by address translation
}

// SetHost brings the program's view of the host up to date, by difference.
// The zone of a link-local address is its interface index in decimal.
func (s *State) SetHost(h Host) error {
	onlink := make(map[bpf.ScanPrefix]struct{})
	for _, p := range h.OnLink {
		if p.Addr().Is6() {
			onlink[prefixKey(p.Masked())] = struct{}{}
		}
	}
	own, err := hostKeys(h.Own)
	if err != nil {
		return err
	}
	protected, err := hostKeys(h.Protected)
	if err != nil {
		return err
	}
	for name, want := range map[string]map[bpf.ScanPrefix]struct{}{
		"own_addrs": own, "protected": protected, "onlink": onlink,
	} {
		if err := syncSet(s.maps[name], want); err != nil {
			return fmt.Errorf("update %s: %w", name, err)
		}
	}
	err = s.setGate(func(g *bpf.ScanGate) { g.Nat, g.Onlink = uint32(flag(h.NAT)), onlinkBits(onlink) })
	if err != nil {
		return err
	}
	for key := range protected {
		if err := s.lift(key); err != nil {
			return err
		}
	}
	return s.fillOwnSlots(own)
}

// onlinkBits is what the gate says of connected prefixes: see is_onlink of
// the program.
func onlinkBits(prefixes map[bpf.ScanPrefix]struct{}) (bits uint64) {
	for key := range prefixes {
		if key.Len < 64 {
			return ^uint64(0)
		}
		bits |= 1 << ((key.Addr[0] ^ key.Addr[1]) * 0x9e3779b1 >> 26)
	}
	return bits
}

// lift takes a blind ban off an address that became one to protect: the
// program does not ask again for each packet.
func (s *State) lift(key bpf.ScanPrefix) error {
	err := s.maps["blind_bans"].Delete(key)
	if notFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("lift ban: %w", err)
	}
	return s.voidStops()
}

// fillOwnSlots puts the host's addresses where the program finds them
// without a hash table. Of two that share a slot, one stays in the table
// alone.
func (s *State) fillOwnSlots(own map[bpf.ScanPrefix]struct{}) error {
	slots := make([]bpf.ScanOwn, bpf.ScanLayoutOWN_SLOTS)
	for key := range own {
		w := key.Addr
		slots[(w[0]^w[1]^w[2]^w[3])*0x9e3779b1>>24] = bpf.ScanOwn{Addr: w, Used: 1}
	}
	for i, slot := range slots {
		var now bpf.ScanOwn
		if err := s.maps["own_slots"].Lookup(uint32(i), &now); err != nil {
			return fmt.Errorf("read own addresses: %w", err)
		}
		if now == slot {
			continue
		}
		if err := s.maps["own_slots"].Put(uint32(i), slot); err != nil {
			return fmt.Errorf("write own addresses: %w", err)
		}
	}
	return nil
}

// Protected reports whether addr is never banned automatically.
func (s *State) Protected(addr netip.Addr) (bool, error) {
	var v uint32
	err := s.maps["protected"].Lookup(addrKey(addr, zoneIndex(addr)), &v)
	if err != nil && !notFound(err) {
		return false, fmt.Errorf("look up %s among protected addresses: %w", addr, err)
	}
	return err == nil, nil
}

func hostKeys(addrs []netip.Addr) (map[bpf.ScanPrefix]struct{}, error) {
	keys := make(map[bpf.ScanPrefix]struct{}, len(addrs))
	for _, a := range addrs {
		if a.Zone() != "" && zoneIndex(a) == 0 {
			return nil, fmt.Errorf("set host address %q: the zone is not an interface index", a)
		}
		keys[addrKey(a.WithZone(""), zoneIndex(a))] = struct{}{}
	}
	return keys, nil
}

func zoneIndex(a netip.Addr) int {
	index, err := strconv.Atoi(a.Zone())
	if err != nil {
		return 0
	}
	return index
}

// syncSet makes the keys of m equal to want.
func syncSet(m *ebpf.Map, want map[bpf.ScanPrefix]struct{}) error {
	var key bpf.ScanPrefix
	var value uint32
	var gone []bpf.ScanPrefix
	missing := make(map[bpf.ScanPrefix]struct{}, len(want))
	for k := range want {
		missing[k] = struct{}{}
	}
	it := m.Iterate()
	for it.Next(&key, &value) {
		if _, ok := want[key]; !ok {
			gone = append(gone, key)
		}
		delete(missing, key)
	}
	if err := it.Err(); err != nil {
		return err
	}
	for k := range missing {
		if err := m.Put(k, uint32(1)); err != nil {
			return err
		}
	}
	for _, k := range gone {
		if err := m.Delete(k); err != nil && !notFound(err) {
			return err
		}
	}
	return nil
}
