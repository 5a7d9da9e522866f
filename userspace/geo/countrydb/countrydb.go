// SPDX-License-Identifier: MIT

// Package countrydb holds the country database that is built into DenMap,
// and the table it is kept in.
//
// The table is a sorted list of boundaries: each starts a span of
// addresses that lasts until the next one and has one country, or none.
// Compressed, it takes a fifth of the zstd-compressed MMDB file that it
// is made from; open, it takes about 4 MiB of memory, needs no file, and
// no look-up in it can wait for a disk.
package countrydb

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"time"
)

// DB is an opened table. It never changes and is safe for concurrent use.
type DB struct {
	built time.Time
	codes []string // index 0 is "", for spans without a country
	v4    spans[uint32]
	v6    spans[uint64] // the upper half of the address: a /64 has one country
}

// spans is a sorted list of boundaries; country[i] indexes DB.codes and
// holds from start[i] to before start[i+1].
type spans[T uint32 | uint64] struct {
	start   []T
	country []uint8
}

// Built returns when the source of the table was built.
func (db *DB) Built() time.Time { return db.built }

// Spans returns how many spans of IPv4 and of IPv6 addresses the table
// tells apart, those without a country included.
func (db *DB) Spans() (v4, v6 int) { return len(db.v4.start), len(db.v6.start) }

// Countries returns the ISO 3166-1 codes that occur, in table order.
func (db *DB) Countries() []string { return slices.Clone(db.codes[1:]) }

// Lookup returns the ISO 3166-1 code of the country that addr is
// registered in and the widest prefix around addr that has the same
// answer. The code is empty if the table has none. Zones are ignored and
// IPv4-mapped addresses are looked up as IPv4.
func (db *DB) Lookup(addr netip.Addr) (code string, network netip.Prefix) {
	addr = addr.Unmap().WithZone("")
	switch {
	case addr.Is4():
		b := addr.As4()
		key := binary.BigEndian.Uint32(b[:])
		country, first, last := db.v4.find(key, math.MaxUint32)
		bits := widest(uint64(key), uint64(first), uint64(last), 32)
		return db.codes[country], netip.PrefixFrom(addr, bits).Masked()
	case addr.Is6():
		b := addr.As16()
		key := binary.BigEndian.Uint64(b[:8])
		country, first, last := db.v6.find(key, math.MaxUint64)
		bits := widest(key, first, last, 64)
		return db.codes[country], netip.PrefixFrom(addr, bits).Masked()
	}
	return "", netip.Prefix{}
}

// find returns the country of the span that holds key, and the span's
// first and last key. The first span of a decoded table starts at zero.
func (s spans[T]) find(key, highest T) (country uint8, first, last T) {
	i, exact := slices.BinarySearch(s.start, key)
	if !exact {
		i--
	}
	last = highest
	if i+1 < len(s.start) {
		last = s.start[i+1] - 1
	}
	return s.country[i], s.start[i], last
}

// widest returns the length of the shortest prefix of a key of the given
// width that holds key and stays within first and last.
func widest(key, first, last uint64, width int) int {
	bits := width
	for bits > 0 {
		host := uint64(math.MaxUint64)
		if n := width - bits + 1; n < 64 {
			host = 1<<n - 1
		}
		low := key &^ host
		if width == 32 {
			host &= math.MaxUint32
		}
		if low < first || low|host > last {
			break
		}
		bits--
	}
	return bits
}
