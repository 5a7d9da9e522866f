// SPDX-License-Identifier: MIT

package eventlog

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
)

const (
	// maxLine bounds a line that is read; longer ones are no events.
	maxLine = 1 << 20
	// maxFinger bounds a fingerprint.
	maxFinger = 512
)

// segment is one open file of the log and how far it was read.
//
// Files change their names and, when they are compressed, their inodes
// while they are read. So they are told apart by their fingerprint: the
// beginning of the first line, which holds a time and an ID. It is "" as
// long as the file has no whole line.
type segment struct {
	file   *os.File
	info   fs.FileInfo
	packed bool
	finger string

	off       int64         // of the content, after the last line handed out
	unpack    *bufio.Reader // packed only
	unpackOff int64         // where unpack stands
	skipped   bool          // inside a line that is too long
}

// openSegment opens one file. Only regular files are segments; others
// give an error.
func openSegment(path string, packed bool) (*segment, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, err
	}
	s := &segment{file: f, packed: packed}
	if s.info, err = f.Stat(); err == nil && !s.info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	if err == nil {
		err = s.readFinger()
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func (s *segment) close() { s.file.Close() }

// readFinger sets the fingerprint, if there is one by now.
func (s *segment) readFinger() error {
	var r io.Reader = io.NewSectionReader(s.file, 0, maxFinger)
	if s.packed {
		z, err := gzip.NewReader(io.NewSectionReader(s.file, 0, 1<<62))
		if err != nil {
			return &fs.PathError{Op: "read", Path: s.file.Name(), Err: err}
		}
		r = z
	}
	head := make([]byte, maxFinger)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	s.finger = fingerprint(head[:n])
	return nil
}

func fingerprint(head []byte) string {
	if len(head) > maxFinger {
		head = head[:maxFinger]
	}
	if i := bytes.IndexByte(head, '\n'); i >= 0 {
		return string(head[:i+1])
	}
	if len(head) == maxFinger {
		return string(head)
	}
	return ""
}

// errReplaced is returned by chunk when the file was cut and has other
// content now.
var errReplaced = errors.New("file was truncated")

// chunk returns the next whole lines, with their ends, into buf, which
// must hold maxLine bytes, and io.EOF when there are none yet. Nothing is
// returned that was read from a file cut in between.
func (s *segment) chunk(buf []byte) ([]byte, error) {
	for {
		n, err := s.fill(buf)
		if err != nil {
			return nil, err
		}
		got := buf[:n]
		if s.skipped {
			i := bytes.IndexByte(got, '\n')
			if i < 0 {
				s.off += int64(n)
				continue
			}
			s.skipped = false
			s.off += int64(i + 1)
			continue
		}
		end := bytes.LastIndexByte(got, '\n') + 1
		if end == 0 {
			if n < len(buf) {
				return nil, io.EOF
			}
			s.skipped = true
			return got[:0], nil // an empty chunk: one bad line
		}
		s.off += int64(end)
		return got[:end], nil
	}
}

// fill reads at the present offset.
func (s *segment) fill(buf []byte) (int, error) {
	if s.packed {
		return s.fillPacked(buf)
	}
	n, err := s.file.ReadAt(buf, s.off)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if err := s.check(); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	if s.off == 0 && s.finger == "" {
		s.finger = fingerprint(buf[:n])
	}
	return n, nil
}

// check compares what was read with the file: a cut file is shorter than
// what was handed out, or begins with another line by now.
func (s *segment) check() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < s.off {
		return errReplaced
	}
	if s.finger == "" {
		return nil
	}
	head := make([]byte, len(s.finger))
	if _, err := s.file.ReadAt(head, 0); err != nil || string(head) != s.finger {
		return errReplaced
	}
	return nil
}

func (s *segment) fillPacked(buf []byte) (int, error) {
	if s.unpack == nil {
		z, err := gzip.NewReader(io.NewSectionReader(s.file, 0, 1<<62))
		if err != nil {
			return 0, err
		}
		s.unpack = bufio.NewReaderSize(z, len(buf))
		if _, err := io.CopyN(io.Discard, s.unpack, s.off); err != nil {
			return 0, err
		}
	} else if _, err := s.unpack.Discard(int(s.off - s.unpackOff)); err != nil {
		return 0, err
	}
	s.unpackOff = s.off
	got, err := s.unpack.Peek(len(buf))
	n := copy(buf, got)
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// rest returns what stands behind the last line end: a line whose writer
// died, in a file that nobody writes to any more.
func (s *segment) rest(buf []byte) []byte {
	n, err := s.fill(buf)
	if err != nil || s.skipped {
		return nil
	}
	s.off += int64(n)
	return buf[:n]
}

// same reports whether two segments hold the same lines. A file that was
// cut holds others than before, a copy the same.
func (s *segment) same(t *segment) bool {
	if s.finger != "" && t.finger != "" {
		return s.finger == t.finger
	}
	return os.SameFile(s.info, t.info)
}
