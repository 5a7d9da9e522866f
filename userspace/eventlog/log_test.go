// SPDX-License-Identifier: MIT

package eventlog

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"denmap/userspace/event"
)

// reports collects what a Log reports.
type reports struct {
	mu    sync.Mutex
	lines []string
}

func (r *reports) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, s)
}

func (r *reports) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

func mustOpen(t *testing.T, o Options) *Log {
	t.Helper()
	o.Meta = testMeta
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "events.log")
	}
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustWrite(t *testing.T, l *Log, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := l.Write(numberedEvent(i)); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
	}
}

// lineSize is the size of a line of numberedEvent with its end.
func lineSize(t *testing.T) int64 {
	t.Helper()
	return int64(len(mustJSON(t, numberedEvent(1)))) + 1
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(path, ".gz") {
		return b
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if b, err = io.ReadAll(z); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return b
}

// ids returns the IDs of the lines of a file; a bad line is "BAD".
func ids(t *testing.T, path string) []string {
	t.Helper()
	var list []string
	for line := range bytes.Lines(content(t, path)) {
		r, err := Decode(line)
		switch {
		case err != nil:
			list = append(list, "BAD")
		case r.Event.Action == event.EventsLost:
			list = append(list, "LOST")
		default:
			list = append(list, strings.TrimLeft(strings.TrimPrefix(r.Event.ID, "event-"), "0"))
		}
	}
	return list
}

func wantIDs(t *testing.T, path, want string) {
	t.Helper()
	if got := strings.Join(ids(t, path), " "); got != want {
		t.Errorf("%s has %q, want %q", filepath.Base(path), got, want)
	}
}

// names lists a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

// eventually polls until ok, for ten seconds at most.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within ten seconds", what)
}

func TestRotationBySizeAndCount(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "dir", "events.log")
	l := mustOpen(t, Options{Path: path, MaxSize: 2 * lineSize(t), Keep: 2})
	mustWrite(t, l, 1, 8)
	wantIDs(t, path, "7")
	wantIDs(t, path+".1", "5 6")
	wantIDs(t, path+".2", "3 4")
	if got := names(t, filepath.Dir(path)); got != "events.log events.log.1 events.log.2" {
		t.Errorf("files %q", got)
	}
	s := l.Stats()
	if s.Written != 7 || s.Rotations != 3 || s.Bytes != uint64(7*lineSize(t)) || s.Failed != 0 {
		t.Errorf("stats %+v", s)
	}
}

func TestSizeLimitIsExact(t *testing.T) {
	for off, want := range map[int64]string{0: "1 2", -1: "2", 1: "1 2"} {
		l := mustOpen(t, Options{MaxSize: 2*lineSize(t) + off, Keep: 5})
		mustWrite(t, l, 1, 3)
		wantIDs(t, l.opts.Path, want)
	}
}

func TestKeepNone(t *testing.T) {
	l := mustOpen(t, Options{MaxSize: 1, Keep: 0})
	mustWrite(t, l, 1, 4)
	wantIDs(t, l.opts.Path, "3")
	if got := names(t, filepath.Dir(l.opts.Path)); got != "events.log" {
		t.Errorf("files %q", got)
	}
}

func TestModesWhateverTheUmask(t *testing.T) {
	for _, mask := range []int{0, 0o077} {
		old := syscall.Umask(mask)
		l := mustOpen(t, Options{MaxSize: 1, Keep: 3, Compress: true})
		syscall.Umask(mask)
		mustWrite(t, l, 1, 4)
		dir := filepath.Dir(l.opts.Path)
		eventually(t, "compression", func() bool { return names(t, dir) == "events.log events.log.1.gz events.log.2.gz" })
		syscall.Umask(old)
		for name := range strings.FieldsSeq(names(t, dir)) {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != 0o640 {
				t.Errorf("umask %o: %s has mode %s", mask, name, info.Mode())
			}
		}
	}
}

func TestCompressionKeepsContentAndOrder(t *testing.T) {
	l := mustOpen(t, Options{MaxSize: lineSize(t), Keep: 50, Compress: true})
	mustWrite(t, l, 1, 31)
	dir := filepath.Dir(l.opts.Path)
	eventually(t, "compression", func() bool {
		return strings.Count(names(t, dir), ".gz ") == 28 && !strings.Contains(names(t, dir), "tmp")
	})
	for n := 1; n < 30; n++ {
		wantIDs(t, rotatedPath(l.opts.Path, n, true), strings.TrimLeft(numberedEvent(30 - n).ID[6:], "0"))
	}
}

func TestCrashDuringCompression(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.log")
	first := mustOpen(t, Options{Path: path, MaxSize: lineSize(t), Keep: 5})
	mustWrite(t, first, 1, 4)
	first.Close()
	// One crash in the middle of a copy, one between rename and remove.
	for _, name := range []string{path + tmpSuffix, path + ".1.gz"} {
		if err := os.WriteFile(name, []byte("\x1f\x8bhalf"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	mustOpen(t, Options{Path: path, Keep: 5, Compress: true})
	dir := filepath.Dir(path)
	eventually(t, "compression", func() bool { return names(t, dir) == "events.log events.log.1.gz events.log.2.gz" })
	wantIDs(t, path+".1.gz", "2")
	wantIDs(t, path+".2.gz", "1")
}

func TestOpenRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	rows := map[string]Options{
		"is a directory":     {Path: dir},
		"not a regular file": {Path: pipe},
		"not a directory":    {Path: filepath.Join(file, "events.log")},
		"no path":            {},
		`format "xml"`:       {Path: filepath.Join(dir, "x"), Format: "xml"},
		"must not be neg":    {Path: filepath.Join(dir, "x"), Keep: -1},
	}
	for want, o := range rows {
		l, err := Open(o)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want %q", o, err, want)
		}
	}
}

func TestReopenAfterLogrotate(t *testing.T) {
	l := mustOpen(t, Options{Keep: 5})
	path := l.opts.Path
	mustWrite(t, l, 1, 3)
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, 3, 4) // until the signal the old file is written on
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, 4, 5)
	wantIDs(t, path+".1", "1 2 3")
	wantIDs(t, path, "4")
}

func TestReopenThatFailsKeepsTheFile(t *testing.T) {
	l := mustOpen(t, Options{})
	path := l.opts.Path
	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil {
		t.Fatal("reopened a directory")
	}
	mustWrite(t, l, 1, 2)
	wantIDs(t, path+".moved", "1")
}

func TestCopyTruncate(t *testing.T) {
	l := mustOpen(t, Options{MaxSize: 3 * lineSize(t), Keep: 5})
	for i := 1; i < 10; i += 3 {
		mustWrite(t, l, i, i+3)
		if err := os.Truncate(l.opts.Path, 0); err != nil {
			t.Fatal(err)
		}
	}
	mustWrite(t, l, 10, 12)
	wantIDs(t, l.opts.Path, "10 11")
	if got := l.Stats().Rotations; got != 0 {
		t.Errorf("%d rotations of files that others keep small", got)
	}
}

func TestRemovedDirectoryIsMadeAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "denmap")
	l := mustOpen(t, Options{Path: filepath.Join(dir, "events.log")})
	mustWrite(t, l, 1, 2)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, 2, 3)
	wantIDs(t, l.opts.Path, "2")
}

func TestLinkTargetIsRotated(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "real.log"), filepath.Join(dir, "events.log")
	if err := os.WriteFile(target, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	l := mustOpen(t, Options{Path: link, MaxSize: 1, Keep: 2})
	mustWrite(t, l, 1, 3)
	wantIDs(t, link, "2")
	wantIDs(t, target+".1", "1")
}

func TestConcurrentWritersRotateAndCompress(t *testing.T) {
	const writers, each = 8, 200
	l := mustOpen(t, Options{MaxSize: 5 * lineSize(t), Keep: 10_000, Compress: true})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := l.Write(numberedEvent(w*each + i)); err != nil {
					t.Error(err)
				}
				if i%50 == 0 {
					if err := l.Reopen(); err != nil {
						t.Error(err)
					}
					l.Stats()
				}
			}
		})
	}
	wg.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	r := NewReader(ReaderOptions{Path: l.opts.Path})
	if err := r.Read(t.Context(), func(rec Record) error { seen[rec.Event.ID]++; return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range writers * each {
		if n := seen[numberedEvent(i).ID]; n != 1 {
			t.Fatalf("event %d is there %d times", i, n)
		}
	}
	if r.badLines != 0 {
		t.Errorf("%d bad lines", r.badLines)
	}
}

func TestClosed(t *testing.T) {
	l := mustOpen(t, Options{Compress: true})
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Write(numberedEvent(1)); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
	if err := l.Reopen(); !errors.Is(err, ErrClosed) {
		t.Errorf("error %v, want ErrClosed", err)
	}
}
