// SPDX-License-Identifier: MIT

package lists

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"denmap/userspace/store/safefile"
)

// Limits of a feed.
const (
	MaxFeedSize = 256 << 20 // bytes
	maxFeedLine = 64 << 10  // bytes; longer ones are invalid
	maxQuoted   = 5         // invalid lines that a result quotes
)

// progressEvery is how many lines pass between two calls of
// ImportOptions.Progress.
const progressEvery = 100_000

// feed reads addresses from text of foreign make.
type feed struct {
	r      *bufio.Reader
	size   int64
	result *ImportResult
}

func newFeed(r io.Reader, result *ImportResult) *feed {
	return &feed{r: bufio.NewReaderSize(r, maxFeedLine), result: result}
}

// read calls yield for every network of the feed and counts the rest.
func (f *feed) read(ctx context.Context, progress func(int), yield func(netip.Prefix) error) error {
	for {
		line, long, err := f.next()
		if err != nil && err != io.EOF {
			return fmt.Errorf("read feed: %w", err)
		}
		if len(line) == 0 && err == io.EOF {
			return nil
		}
		f.result.Lines++
		if f.result.Lines == 1 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		if err := f.line(line, long, yield); err != nil {
			return err
		}
		if f.result.Lines%progressEvery == 0 {
			if progress != nil {
				progress(f.result.Lines)
			}
			if ctx.Err() != nil {
				return fmt.Errorf("read feed: %w", context.Cause(ctx))
			}
		}
	}
}

// next returns one line with its end, or the beginning of one that is too
// long. The bytes are good until the next call.
func (f *feed) next() (line []byte, long bool, err error) {
	line, err = f.r.ReadSlice('\n')
	f.size += int64(len(line))
	if errors.Is(err, bufio.ErrBufferFull) {
		long = true
		line = bytes.Clone(line[:maxShown+1])
		for errors.Is(err, bufio.ErrBufferFull) && f.size <= MaxFeedSize {
			var rest []byte
			rest, err = f.r.ReadSlice('\n')
			f.size += int64(len(rest))
		}
	}
	if f.size > MaxFeedSize {
		return nil, false, fmt.Errorf("%w: more than %d bytes", safefile.ErrTooLarge, MaxFeedSize)
	}
	return line, long, err
}

func (f *feed) line(line []byte, long bool, yield func(netip.Prefix) error) error {
	if long {
		f.invalid(fmt.Errorf("line %q: expected at most %d bytes", clip(string(line)), maxFeedLine))
		return nil
	}
	field := firstField(line)
	if len(field) == 0 {
		return nil
	}
	p, masked, err := parseFeedPrefix(string(field))
	if err != nil {
		f.invalid(err)
		return nil
	}
	if masked {
		f.result.Masked++
	}
	return yield(p)
}

func (f *feed) invalid(err error) {
	f.result.Skipped[Invalid]++
	if len(f.result.Invalid) < maxQuoted {
		f.result.Invalid = append(f.result.Invalid, LineError{Line: f.result.Lines, Err: err})
	}
}

// firstField returns the first word or CSV column of a line, without
// quotes, or nothing for a comment.
func firstField(line []byte) []byte {
	if i := bytes.IndexAny(line, "#;"); i >= 0 {
		line = line[:i]
	}
	line = bytes.TrimSpace(line)
	if i := bytes.IndexAny(line, " \t,"); i >= 0 {
		line = line[:i]
	}
	return bytes.Trim(line, `"'`)
}

// parseFeedPrefix is ParsePrefix, except that host bits are no error: it
// reports that it removed some.
func parseFeedPrefix(s string) (p netip.Prefix, masked bool, err error) {
	if strings.Contains(s, "/") {
		if p, err := netip.ParsePrefix(s); err == nil && !p.Addr().Is4In6() {
			return p.Masked(), p != p.Masked(), nil
		}
	}
	p, err = ParsePrefix(s)
	return p, false, err
}
