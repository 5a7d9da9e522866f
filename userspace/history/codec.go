// SPDX-License-Identifier: MIT

package history

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"
)

const (
	// mappedBits is how many bits an IPv4 address stands behind in the 16
	// bytes of a stored one.
	mappedBits = 96

	// maxText bounds a stored text in bytes: operators write reasons, and
	// databases of locations write names.
	maxText = 1000

	// maxPorts bounds a stored port sample, maxMembers the stored sources
	// of a group.
	maxPorts   = 64
	maxMembers = 64
)

// key returns a prefix as it is stored: the first address and the length.
func key(p netip.Prefix) (addr []byte, bits int) {
	p = p.Masked()
	first := p.Addr().As16()
	bits = p.Bits()
	if p.Addr().Is4() {
		bits += mappedBits
	}
	return first[:], bits
}

// lastKey returns the last address inside a prefix, as it is stored.
func lastKey(p netip.Prefix) []byte {
	last, bits := key(p)
	for i := bits; i < 128; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	return last
}

// prefixOf is the reverse of key.
func prefixOf(addr []byte, bits int) (netip.Prefix, error) {
	if len(addr) != 16 || bits < 0 || bits > 128 {
		return netip.Prefix{}, fmt.Errorf("stored source of %d bytes and %d bits: %w", len(addr), bits, errForeign)
	}
	a := netip.AddrFrom16([16]byte(addr))
	if a.Is4In6() && bits >= mappedBits {
		return netip.PrefixFrom(a.Unmap(), bits-mappedBits), nil
	}
	return netip.PrefixFrom(a, bits), nil
}

// milli returns a time as it is stored.
func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// text makes a string fit for storing: valid UTF-8 and of bounded length.
func text(s string) string {
	if len(s) > maxText {
		s = s[:maxText]
	}
	return strings.ToValidUTF8(s, "\ufffd")
}

// count fits a counter into SQLite's signed integers.
func count(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

func portBytes(ports []uint16) []byte {
	out := make([]byte, 0, 2*len(ports))
	for _, p := range ports {
		out = binary.BigEndian.AppendUint16(out, p)
	}
	return out
}

func portsOf(b []byte) []uint16 {
	var ports []uint16
	for ; len(b) >= 2; b = b[2:] {
		ports = append(ports, binary.BigEndian.Uint16(b))
	}
	return ports
}

// prefixBytes returns sources as they are stored in one value.
func prefixBytes(list []netip.Prefix) []byte {
	out := []byte{}
	for _, p := range list[:min(len(list), maxMembers)] {
		addr, bits := key(p)
		out = append(append(out, addr...), byte(bits))
	}
	return out
}

// prefixesOf is the reverse of prefixBytes.
func prefixesOf(b []byte) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for ; len(b) >= 17; b = b[17:] {
		p, err := prefixOf(b[:16], int(b[16]))
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}

// union merges port samples, sorted and bounded.
func union(a, b []uint16, bound int) []uint16 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	all = slices.Compact(all)
	return all[:min(len(all), bound)]
}
