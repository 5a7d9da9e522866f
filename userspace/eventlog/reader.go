// SPDX-License-Identifier: MIT

package eventlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// defaultPoll is how often Follow looks for new lines.
const defaultPoll = 200 * time.Millisecond

// ErrNoLog is returned, wrapped, by Read when there is no file at all.
var ErrNoLog = errors.New("no event log")

// ReaderOptions of NewReader. Path is required.
type ReaderOptions struct {
	Path   string // of the current file; rotated ones are found beside it
	Filter Filter
	Last   int           // of what was written so far, only the last N that fit; 0: all
	Notes  io.Writer     // told once of lines and files that cannot be read; nil drops it
	Poll   time.Duration // of Follow; 0 is 200 ms
}

// Reader reads the log in the order in which it was written. One call of
// Read or Follow at a time.
type Reader struct {
	opts     ReaderOptions
	buf      []byte
	badLines int
	badFiles int
	noted    bool
}

// NewReader returns a Reader. Nothing is opened yet.
func NewReader(o ReaderOptions) *Reader {
	if o.Notes == nil {
		o.Notes = io.Discard
	}
	if o.Poll <= 0 {
		o.Poll = defaultPoll
	}
	if real, err := filepath.EvalSymlinks(o.Path); err == nil {
		o.Path = real
	}
	return &Reader{opts: o, buf: make([]byte, maxLine)}
}

// Read calls yield for every record that fits the filter, oldest first,
// and returns at the end of the log, with the error of yield, or with the
// one of ctx. The error wraps ErrNoLog when there is no log.
func (r *Reader) Read(ctx context.Context, yield func(Record) error) error {
	defer r.note()
	emit, flush := r.lastOnly(yield)
	f, err := r.history(ctx, emit)
	if err != nil {
		return err
	}
	defer f.close()
	if f.current == nil {
		if _, err := os.Stat(r.opts.Path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w at %q", ErrNoLog, r.opts.Path)
		}
	}
	// What was written, and rotated, meanwhile.
	if err := f.step(ctx); err != nil && !r.tolerable(err) {
		return err
	}
	if f.current != nil {
		if err := r.deliver(f.current.rest(r.buf), emit); err != nil {
			return err
		}
	}
	return flush()
}

// history reads the files that are there now and returns a follower that
// stands at the end of the newest. The caller closes it.
func (r *Reader) history(ctx context.Context, emit func(Record) error) (*follower, error) {
	f := &follower{Reader: r, yield: emit}
	segments, _, err := snapshot(r.opts.Path, r.badFile, func(*segment) bool { return false })
	if err != nil {
		return nil, err
	}
	for i, s := range slices.Backward(segments) {
		f.learn(s.finger)
		if i == 0 {
			f.current = s // read by the first step
			break
		}
		// The time of a file is that of its last line, or later.
		if s.info.ModTime().Before(r.opts.Filter.Since) {
			s.close()
			continue
		}
		if err := f.finish(ctx, s); err != nil {
			closeAll(segments[:i])
			return nil, err
		}
	}
	return f, nil
}

// lastOnly holds records back and passes the last ones on at flush, as
// many as the options say, or holds none back.
func (r *Reader) lastOnly(yield func(Record) error) (emit func(Record) error, flush func() error) {
	n := r.opts.Last
	if n <= 0 {
		return yield, func() error { return nil }
	}
	var held []Record // a ring once it is full
	oldest := 0
	emit = func(rec Record) error {
		if len(held) < n {
			held = append(held, rec)
			return nil
		}
		held[oldest] = rec
		oldest = (oldest + 1) % n
		return nil
	}
	flush = func() error {
		for i := range held {
			if err := yield(held[(oldest+i)%len(held)]); err != nil {
				return err
			}
		}
		return nil
	}
	return emit, flush
}

// readError is what went wrong with a file, not with yield or ctx.
type readError struct{ error }

func (e readError) Unwrap() error { return e.error }

// tolerable counts a damaged file and goes on with the next.
func (r *Reader) tolerable(err error) bool {
	var bad readError
	if !errors.As(err, &bad) {
		return false
	}
	r.badFile(bad.error)
	return true
}

// drain hands out the whole lines of s that were not handed out yet.
func (r *Reader) drain(ctx context.Context, s *segment, yield func(Record) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		lines, err := s.chunk(r.buf)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errReplaced):
			return err
		case err != nil:
			return readError{fmt.Errorf("read %q: %w", s.file.Name(), cause(err))}
		case len(lines) == 0:
			r.badLine()
			continue
		}
		if err := r.deliver(lines, yield); err != nil {
			return err
		}
	}
}

// deliver decodes lines and hands out those that fit.
func (r *Reader) deliver(lines []byte, yield func(Record) error) error {
	for line := range bytes.Lines(lines) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		rec, err := Decode(line)
		if err != nil {
			r.badLine()
			continue
		}
		if !r.opts.Filter.Match(rec) {
			continue
		}
		if err := yield(rec); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) badLine() { r.badLines++ }

// badFile notes a file that is there but cannot be read. Each says
// something else, so each is told, up to a few.
func (r *Reader) badFile(err error) {
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	r.badFiles++
	if r.badFiles <= 3 {
		fmt.Fprintf(r.opts.Notes, "note: skipped: %s\n", clean(err.Error()))
	}
}

// note tells once of lines that were skipped.
func (r *Reader) note() {
	if r.badLines == 0 || r.noted {
		return
	}
	r.noted = true
	fmt.Fprintf(r.opts.Notes, "note: %s of %s skipped: not an event\n", plural(uint64(r.badLines), "line", "lines"), r.opts.Path)
}
