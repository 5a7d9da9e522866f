// SPDX-License-Identifier: MIT

package eventlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// ErrClosed is returned by a Log that was closed.
var ErrClosed = errors.New("event log is closed")

// Options of Open. Path is required.
type Options struct {
	Path   string
	Format Format // empty is JSON
	Meta   Meta

	MaxSize  int64 // bytes; a file never grows beyond it, single lines excepted. 0: never rotate
	Keep     int   // rotated files that are kept; 0: the old file is removed
	Compress bool  // rotated files with gzip

	// Report is told in one line what went wrong with the files, once
	// until it works again. It is called with no lock held by the caller
	// of Write, Reopen or Close, or by the compressing goroutine. nil
	// drops it.
	Report func(string)

	Now   func() time.Time // nil is time.Now
	NewID func() string    // for events-lost; nil gives ULIDs
}

// Stats are counts since Open. Lost is a gauge.
type Stats struct {
	Written   uint64 // events in the log
	Failed    uint64 // events that could not be written
	Bytes     uint64
	Rotations uint64
	Lost      uint64 // failed events that no events-lost line has told of yet
}

// Log is the event log file. It may be used by several goroutines.
type Log struct {
	opts Options

	mu       sync.Mutex // guards what follows, and the names of all files
	file     *os.File   // nil while it cannot be opened
	torn     bool       // the file's last line has no end
	closed   bool
	retry    time.Time // no rotation before, after one went wrong
	stats    Stats
	writing  trouble
	rotating trouble

	packer  *packer
	reports []string // to be told once mu is free

	// writeTo is (*os.File).Write, but for tests of short writes.
	writeTo func(*os.File, []byte) (int, error)
}

// Open opens or creates the log and its directory. An error names the
// path: it is a directory or cannot be written.
func Open(o Options) (*Log, error) {
	switch {
	case o.Path == "":
		return nil, errors.New("open log: no path")
	case o.Format == "":
		o.Format = JSON
	case o.Format != JSON && o.Format != Text:
		return nil, fmt.Errorf("open log: format %q: want json or text", o.Format)
	}
	if o.MaxSize < 0 || o.Keep < 0 {
		return nil, fmt.Errorf("open log: size %d and count %d must not be negative", o.MaxSize, o.Keep)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = func() string { return ulid.Make().String() }
	}
	if o.Report == nil {
		o.Report = func(string) {}
	}
	// A link's target is rotated, not the link.
	if real, err := filepath.EvalSymlinks(o.Path); err == nil {
		o.Path = real
	}
	l := &Log{opts: o, writeTo: (*os.File).Write}
	if err := l.open(); err != nil {
		return nil, err
	}
	if o.Compress {
		l.packer = startPacker(l)
		l.packer.wake()
	}
	return l, nil
}

// open opens the file in place of the present one, which stays if that
// fails.
func (l *Log) open() error {
	f, err := openCurrent(l.opts.Path)
	if err != nil {
		return err
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file = f
	l.torn = endsTorn(f)
	return nil
}

// endsTorn reports whether the last line of f has no end: a process died
// in the middle of it.
func endsTorn(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

// Reopen opens the path anew, after another program renamed the file. If
// that fails, the old file is written on.
func (l *Log) Reopen() error {
	l.mu.Lock()
	defer l.unlock()
	if l.closed {
		return ErrClosed
	}
	return l.open()
}

// Close closes the file and stops compressing; what is left uncompressed
// is taken up by the next Open. It may be called twice. Events that failed
// and were not told of get a last chance.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	err := l.append(nil, 0)
	l.closed = true
	if l.file != nil {
		err = errors.Join(err, l.file.Close())
		l.file = nil
	}
	l.unlock()
	l.packer.stop()
	return err
}

// Stats returns the counts so far.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// unlock frees mu and then tells what there is to tell, so that Report may
// call the Log.
func (l *Log) unlock() {
	reports := l.reports
	l.reports = nil
	l.mu.Unlock()
	for _, r := range reports {
		l.opts.Report(r)
	}
}
