// SPDX-License-Identifier: MIT

package eventlog

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// watcher runs Follow and keeps what it hands out.
type watcher struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan error
	reader *Reader

	mu  sync.Mutex
	got []string
}

func follow(t *testing.T, path string) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watcher{t: t, cancel: cancel, done: make(chan error, 1)}
	w.reader = NewReader(ReaderOptions{Path: path, Poll: time.Millisecond})
	go func() {
		w.done <- w.reader.Follow(ctx, func(r Record) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.got = append(w.got, shortID(r))
			return nil
		})
	}()
	t.Cleanup(cancel)
	return w
}

func (w *watcher) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.got)
}

// stop waits for the events first..last-1 and checks that each came once
// and in order.
func (w *watcher) stop(first, last int) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); w.count() < last-first && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	w.cancel()
	if err := <-w.done; err != nil {
		w.t.Fatalf("follow: %v", err)
	}
	for i := first; i < last; i++ {
		if i-first >= len(w.got) || w.got[i-first] != fmt.Sprint(i) {
			w.t.Fatalf("event %d is missing or out of order, after %d; then: %v", i, i-first, w.got[i-first:min(len(w.got), i-first+5)])
		}
	}
	if len(w.got) > last-first {
		w.t.Errorf("%d events, want %d", len(w.got), last-first)
	}
}

func TestFollowAcrossFastRotation(t *testing.T) {
	for _, compress := range []bool{false, true} {
		l := mustOpen(t, Options{MaxSize: 3 * lineSize(t), Keep: 10_000, Compress: compress})
		mustWrite(t, l, 1, 10)
		w := follow(t, l.opts.Path)
		for i := 10; i < 600; i++ {
			mustWrite(t, l, i, i+1)
			if i%97 == 0 {
				time.Sleep(3 * time.Millisecond) // let the follower come near now and then
			}
		}
		w.stop(1, 600)
	}
}

func TestFollowStartsBeforeTheLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "later", "events.log")
	w := follow(t, path)
	time.Sleep(2 * time.Millisecond)
	l := mustOpen(t, Options{Path: path})
	mustWrite(t, l, 1, 5)
	w.stop(1, 5)
}

func TestFollowLogrotateWithLateSignal(t *testing.T) {
	l := mustOpen(t, Options{})
	path := l.opts.Path
	w := follow(t, path)
	at := 1
	for range 5 {
		mustWrite(t, l, at, at+4)
		if err := shift(path, 100); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o640); err != nil { // logrotate's "create"
			t.Fatal(err)
		}
		seen := w.count()
		mustWrite(t, l, at+4, at+6) // into the renamed file
		eventually(t, "lines after the renaming", func() bool { return w.count() >= seen+2 })
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
		at += 6
	}
	mustWrite(t, l, at, at+1)
	w.stop(1, at+1)
}

// TestFollowCopyTruncate copies and cuts as logrotate's copytruncate does,
// while nothing is written: what is written between the two is lost by
// design.
func TestFollowCopyTruncate(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	l := mustOpen(t, Options{})
	path := l.opts.Path
	w := follow(t, path)
	at := 1
	for range 60 {
		n := 1 + random.IntN(9)
		mustWrite(t, l, at, at+n)
		at += n
		if random.IntN(2) == 0 {
			time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
		}
		if err := shift(path, 1000); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path+".1", content(t, path), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
	mustWrite(t, l, at, at+1)
	w.stop(1, at+1)
}

func TestFollowWaitsForWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := follow(t, path)
	for i := 1; i < 20; i++ {
		line := append(mustJSON(t, numberedEvent(i)), '\n')
		for part := range bytes.SplitAfterSeq(line, []byte(",")) {
			if _, err := f.Write(part); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.stop(1, 20)
	if w.reader.badLines != 0 {
		t.Errorf("%d bad lines", w.reader.badLines)
	}
}

func TestFollowNotesBadLinesOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.log")
	if err := os.WriteFile(path, []byte("bad\nbad\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	var notes bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	l := mustOpen(t, Options{Path: path})
	mustWrite(t, l, 1, 2)
	r := NewReader(ReaderOptions{Path: path, Notes: &notes, Poll: time.Millisecond})
	err := r.Follow(ctx, func(rec Record) error {
		if shortID(rec) == "2" {
			cancel()
			return nil
		}
		if _, err := l.file.WriteString("worse\n"); err != nil {
			return err
		}
		return l.Write(numberedEvent(2))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(notes.String(), "\n"); got != 1 {
		t.Errorf("%d notes: %q", got, notes.String())
	}
	if r.badLines != 3 {
		t.Errorf("%d bad lines, want 3", r.badLines)
	}
}
