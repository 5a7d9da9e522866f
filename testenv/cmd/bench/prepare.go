// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"

	"denmap/loader"
	"denmap/userspace/event"
)

// chance is the same in every run: so are the lists.
func chance() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func manyBans(r *loader.Runner, e ends) error {
	for i := range 10_000 {
		a := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
		if e.six {
			a = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 3, 0, byte(i >> 8), byte(i)})
		}
		if err := r.AddBan(event.Ban{Source: netip.PrefixFrom(a, a.BitLen()), Grade: event.Manual}); err != nil {
			return err
		}
	}
	return nil
}

func bansAndLists(r *loader.Runner, e ends) error {
	if err := manyBans(r, e); err != nil {
		return err
	}
	entries := randomPrefixes(100_000, e.six)
	entries = append(entries, randomAddrs(1_000_000, e.six)...)
	_, err := r.SyncList(loader.Deny, entries, nil)
	return err
}

// randomAddrs returns n addresses from all of the address space.
func randomAddrs(n int, six bool) []loader.ListEntry {
	c := chance()
	out := make([]loader.ListEntry, n)
	for i := range out {
		a := randomAddr(c, six)
		out[i] = loader.ListEntry{Prefix: netip.PrefixFrom(a, a.BitLen())}
	}
	return out
}

// randomPrefixes returns n prefixes of the lengths that block lists have:
// most are a network of one customer.
func randomPrefixes(n int, six bool) []loader.ListEntry {
	c := chance()
	lengths := []int{20, 21, 22, 22, 23, 23, 24, 24, 24, 24, 25, 26, 27, 28, 29, 30}
	if six {
		lengths = []int{29, 32, 32, 36, 40, 44, 48, 48, 48, 48, 56, 56, 60, 64, 64, 64}
	}
	out := make([]loader.ListEntry, n)
	for i := range out {
		out[i] = loader.ListEntry{Prefix: netip.PrefixFrom(randomAddr(c, six), lengths[c.IntN(len(lengths))]).Masked()}
	}
	return out
}

// randomAddr is from where randomSource takes its addresses, too.
func randomAddr(c *rand.Rand, six bool) netip.Addr {
	if !six {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], c.Uint32())
		return netip.AddrFrom4(b)
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], c.Uint64())
	binary.BigEndian.PutUint64(b[8:], c.Uint64())
	b[0] = b[0]&0x1f | 0x20 // 2000::/3
	return netip.AddrFrom16(b)
}

// everything divides the whole IPv4 space into n prefixes of mixed lengths,
// so that every source is denied.
func everything(n int) []loader.ListEntry {
	c := chance()
	out := make([]loader.ListEntry, 0, n)
	var divide func(start uint64, bits, n int)
	divide = func(start uint64, bits, n int) {
		if n == 1 {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], uint32(start))
			out = append(out, loader.ListEntry{Prefix: netip.PrefixFrom(netip.AddrFrom4(b), bits)})
			return
		}
		half := uint64(1) << (32 - bits - 1)
		left := n/4 + c.IntN(n/2+1)
		left = min(max(left, 1, n-int(half)), n-1, int(half))
		divide(start, bits+1, left)
		divide(start+half, bits+1, n-left)
	}
	divide(0, 0, n)
	return out
}

func denyEverything(r *loader.Runner, _ ends) error {
	_, err := r.SyncList(loader.Deny, everything(1_000_000), nil)
	return err
}

func denyClient(r *loader.Runner, e ends) error {
	a := e.client.Addr()
	_, err := r.SyncList(loader.Deny, []loader.ListEntry{{Prefix: netip.PrefixFrom(a, a.BitLen())}}, nil)
	return err
}

func banned(grade event.Grade) func(*loader.Runner, ends) error {
	return func(r *loader.Runner, e ends) error {
		a := e.client.Addr()
		return r.AddBan(event.Ban{Source: netip.PrefixFrom(a, a.BitLen()), Grade: grade})
	}
}

// known makes the client a scored source whose probes of closedPort are
// counted.
func known(r *loader.Runner, e ends) error {
	for _, port := range []uint16{closedPort, closedPort + 1} {
		if _, err := r.Run(e.connect(port).Bytes()); err != nil {
			return err
		}
	}
	return nil
}
