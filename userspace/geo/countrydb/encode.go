// SPDX-License-Identifier: MIT

package countrydb

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"time"
)

// Builder collects prefixes for a table. The zero value is ready; it is
// not safe for concurrent use.
type Builder struct {
	index map[string]uint8
	codes []string
	v4    family[uint32]
	v6    family[uint64]
}

// family is the list under construction. next is the first key that has
// no country yet; done says that the last key of all has been passed.
type family[T uint32 | uint64] struct {
	spans[T]
	next T
	done bool
}

// Add says that the addresses of prefix are in the country with the given
// ISO 3166-1 code; an empty code means none. Prefixes of one family must
// come in ascending order, as an MMDB reader gives them. Of several IPv6
// prefixes within one /64 the first decides.
func (b *Builder) Add(prefix netip.Prefix, code string) error {
	if code == "" {
		return nil
	}
	country, err := b.country(code)
	if err != nil {
		return fmt.Errorf("add %v: %w", prefix, err)
	}
	prefix = prefix.Masked()
	if addr := prefix.Addr(); addr.Is4() {
		a := addr.As4()
		first := binary.BigEndian.Uint32(a[:])
		err = b.v4.add(first, first|uint32(1<<(32-prefix.Bits())-1), country)
	} else {
		a := addr.As16()
		first := binary.BigEndian.Uint64(a[:8])
		host := uint64(1)<<max(64-prefix.Bits(), 0) - 1
		if prefix.Bits() > 64 && b.v6.passed(first) {
			return nil
		}
		err = b.v6.add(first, first|host, country)
	}
	if err != nil {
		return fmt.Errorf("add %v: %w", prefix, err)
	}
	return nil
}

func (b *Builder) country(code string) (uint8, error) {
	if len(code) != 2 {
		return 0, fmt.Errorf("country code %q is not two letters", code)
	}
	if i, ok := b.index[code]; ok {
		return i, nil
	}
	if len(b.codes) == 255 {
		return 0, fmt.Errorf("country code %q is the 256th", code)
	}
	if b.index == nil {
		b.index = make(map[string]uint8)
	}
	b.codes = append(b.codes, code)
	i := uint8(len(b.codes))
	b.index[code] = i
	return i, nil
}

func (f *family[T]) passed(key T) bool { return f.done || key < f.next }

func (f *family[T]) add(first, last T, country uint8) error {
	if f.passed(first) {
		return fmt.Errorf("prefix out of order")
	}
	if first > f.next {
		f.append(f.next, 0)
	}
	f.append(first, country)
	f.next = last + 1
	f.done = f.next == 0
	return nil
}

// append starts a span unless the one before has the same country.
func (f *family[T]) append(start T, country uint8) {
	if n := len(f.country); n > 0 && f.country[n-1] == country {
		return
	}
	f.start = append(f.start, start)
	f.country = append(f.country, country)
}

// Encode returns the table, compressed. The same prefixes and date give
// the same bytes with the same Go release.
func (b *Builder) Encode(built time.Time) ([]byte, error) {
	out := []byte(magic)
	out = binary.AppendUvarint(out, uint64(built.Unix()))
	out = binary.AppendUvarint(out, uint64(len(b.codes)))
	for _, code := range b.codes {
		out = append(out, code...)
	}
	out = b.v4.encode(out)
	out = b.v6.encode(out)

	var packed bytes.Buffer
	zw, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress table: %w", err)
	}
	if _, err := zw.Write(out); err != nil {
		return nil, fmt.Errorf("compress table: %w", err)
	}
	if err := zw.Close(); err != nil {
		return nil, fmt.Errorf("compress table: %w", err)
	}
	return packed.Bytes(), nil
}

func (f *family[T]) encode(out []byte) []byte {
	if !f.done {
		f.append(f.next, 0)
	}
	out = binary.AppendUvarint(out, uint64(len(f.start)))
	var odd []byte
	for i := 1; i < len(f.start); i++ {
		distance := uint64(f.start[i] - f.start[i-1])
		shift := bits.TrailingZeros64(distance)
		out = append(out, byte(shift))
		odd = binary.AppendUvarint(odd, distance>>shift)
	}
	out = append(out, odd...)
	return append(out, f.country...)
}
