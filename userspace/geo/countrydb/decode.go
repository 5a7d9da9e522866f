// SPDX-License-Identifier: MIT

package countrydb

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"
)

// magic opens every table; the digit is the layout's version.
const magic = "denmap countries 1\n"

// maxSpans bounds what a damaged table can make the decoder allocate; the
// built-in one has under half a million spans of each family.
const maxSpans = 1 << 22

// ErrDamaged is wrapped by every error about a table's contents.
var ErrDamaged = errors.New("damaged country table")

// Decode opens a table that Builder.Encode wrote. The result does not
// refer to data.
func Decode(data []byte) (*DB, error) {
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	d := decoder{r: bufio.NewReader(zr)}
	db := &DB{}
	d.header(db)
	db.v4 = readSpans[uint32](&d, len(db.codes))
	db.v6 = readSpans[uint64](&d, len(db.codes))
	if d.err == nil {
		// The checksum is compared at the end of the stream only.
		if _, err := d.r.ReadByte(); err != io.EOF {
			d.fail("data after the table", err)
		}
	}
	if d.err != nil {
		return nil, d.err
	}
	return db, nil
}

// decoder reads the fields of a table; after the first error it returns
// zeros and keeps that error.
type decoder struct {
	r   *bufio.Reader
	err error
}

func (d *decoder) fail(what string, cause error) {
	if d.err != nil {
		return
	}
	if cause == nil || cause == io.EOF {
		d.err = fmt.Errorf("%w: %s", ErrDamaged, what)
		return
	}
	d.err = fmt.Errorf("%w: %s: %w", ErrDamaged, what, cause)
}

func (d *decoder) bytes(n int, what string) []byte {
	b := make([]byte, n)
	if d.err != nil {
		return b
	}
	if _, err := io.ReadFull(d.r, b); err != nil {
		d.fail(what, err)
	}
	return b
}

func (d *decoder) uvarint(what string) uint64 {
	if d.err != nil {
		return 0
	}
	v, err := binary.ReadUvarint(d.r)
	if err != nil {
		d.fail(what, err)
		return 0
	}
	return v
}

func (d *decoder) header(db *DB) {
	if got := d.bytes(len(magic), "magic"); d.err == nil && string(got) != magic {
		d.fail("unknown layout", nil)
	}
	db.built = time.Unix(int64(d.uvarint("date")), 0).UTC()
	count := d.uvarint("number of countries")
	if count > 255 {
		d.fail("too many countries", nil)
		count = 0
	}
	db.codes = make([]string, 1, count+1)
	for range count {
		db.codes = append(db.codes, string(d.bytes(2, "country code")))
	}
}

// readSpans reads one family: the number of spans, then the distances
// between their starts in two columns (trailing zero bits, odd part),
// then the countries. Like beside like compresses best.
func readSpans[T uint32 | uint64](d *decoder, codes int) spans[T] {
	count := d.uvarint("number of spans")
	if d.err == nil && (count == 0 || count > maxSpans) {
		d.fail("impossible number of spans", nil)
	}
	if d.err != nil {
		return spans[T]{}
	}
	s := spans[T]{start: make([]T, count)}
	shifts := d.bytes(int(count)-1, "distances")
	for i, shift := range shifts {
		odd := d.uvarint("distances")
		next := s.start[i] + T(odd)<<shift
		lost := bits.Len64(odd)+int(shift) > 64 || uint64(T(odd)<<shift)>>shift != odd
		if d.err == nil && (lost || next <= s.start[i]) {
			d.fail("spans out of order", nil)
		}
		if d.err != nil {
			return spans[T]{}
		}
		s.start[i+1] = next
	}
	s.country = d.bytes(int(count), "countries of spans")
	for _, c := range s.country {
		if int(c) >= codes {
			d.fail("unknown country index", nil)
			break
		}
	}
	return s
}
