// SPDX-License-Identifier: MIT

package eventlog

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRotationThatFailsLosesNothing(t *testing.T) {
	now := testTime
	var said reports
	l := mustOpen(t, Options{MaxSize: 1, Keep: 2, Now: func() time.Time { return now }, Report: said.add})
	path := l.opts.Path
	if err := os.MkdirAll(path+".1/busy", 0o700); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, 1, 4)
	wantIDs(t, path, "1 2 3")
	if got := said.all(); len(got) != 1 || !strings.Contains(got[0], "rotate log") {
		t.Errorf("reports %q", got)
	}
	if err := os.RemoveAll(path + ".1"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(retryRotation)
	mustWrite(t, l, 4, 5)
	wantIDs(t, path+".1", "1 2 3")
	if got := said.all(); len(got) != 2 || !strings.Contains(got[1], "again") {
		t.Errorf("reports %q", got)
	}
}

func TestTornLineOfACrashIsNotContinued(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.log")
	if err := os.WriteFile(path, []byte(`{"@timestamp":"2026-01`), 0o640); err != nil {
		t.Fatal(err)
	}
	l := mustOpen(t, Options{Path: path})
	mustWrite(t, l, 1, 3)
	wantIDs(t, path, "BAD 1 2")
}

// TestShortWrites breaks off writes in the middle.
func TestShortWrites(t *testing.T) {
	for _, cut := range []bool{true, false} {
		var said reports
		l := mustOpen(t, Options{Report: said.add})
		full := false
		l.writeTo = func(f *os.File, b []byte) (int, error) {
			if !full {
				return f.Write(b)
			}
			n, err := f.Write(b[:len(b)/2])
			if !cut && err == nil { // somebody else's line: the rest cannot be cut off
				_, err = f.WriteString("x")
			}
			return n, errors.Join(err, &fs.PathError{Op: "write", Err: syscall.ENOSPC})
		}
		mustWrite(t, l, 1, 2)
		full = true
		for i := 2; i < 5; i++ {
			if err := l.Write(numberedEvent(i)); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("error %v, want ENOSPC", err)
			}
		}
		if s := l.Stats(); s.Failed != 3 || s.Lost != 3 || s.Written != 1 {
			t.Errorf("stats %+v", s)
		}
		full = false
		mustWrite(t, l, 5, 7)
		got := strings.Join(ids(t, l.opts.Path), " ")
		want := "1 LOST 5 6"
		if !cut {
			want = "1 BAD LOST BAD LOST BAD LOST 5 6" // its own line got through each time
		}
		if got != want {
			t.Errorf("cut %v: log has %q, want %q", cut, got, want)
		}
		if s := l.Stats(); s.Lost != 0 || s.Failed != 3 {
			t.Errorf("stats %+v", s)
		}
		if got := said.all(); len(got) != 2 || !strings.Contains(got[0], "no space left") {
			t.Errorf("reports %q", got)
		}
	}
}
