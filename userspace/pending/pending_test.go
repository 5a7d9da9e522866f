// SPDX-License-Identifier: MIT

package pending

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// bench is a journal with a clock of the test's own.
type bench struct {
	*Journal
	t   *testing.T
	dir string
	mu  sync.Mutex
	now Moment
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir(), now: Moment{"boot", time.Hour}}
	b.Journal = In(b.dir, func() (Moment, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.now, nil
	})
	return b
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now.Since += d
}

func (b *bench) begin(before string) Change {
	b.t.Helper()
	c, err := b.Begin(context.Background(), Change{What: "deny", Text: "additions"}, []byte(before), time.Minute)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// undo counts how often the change was taken back.
func (b *bench) undo(early bool, want string) (calls int, undone bool) {
	b.t.Helper()
	_, undone, err := b.Undo(context.Background(), func(Change) bool { return early }, func(_ Change, before []byte) error {
		calls++
		if string(before) != want {
			b.t.Errorf("before = %q, want %q", before, want)
		}
		return nil
	})
	if err != nil {
		b.t.Error(err)
	}
	return calls, undone
}

func (b *bench) isGone(name string) bool {
	_, err := os.Stat(filepath.Join(b.dir, name))
	return errors.Is(err, os.ErrNotExist)
}

func TestConfirmed(t *testing.T) {
	b := newBench(t)
	if _, err := b.Confirm(context.Background(), ""); !errors.Is(err, ErrNone) {
		t.Errorf("confirm nothing: %v", err)
	}
	c := b.begin("old")
	if _, err := b.Begin(context.Background(), Change{}, nil, time.Minute); !errors.Is(err, ErrWaiting) {
		t.Errorf("second change: %v, want %v", err, ErrWaiting)
	}
	if calls, undone := b.undo(false, ""); calls != 0 || undone {
		t.Error("taken back before its time")
	}
	// The wait begins anew when the change is made.
	b.pass(50 * time.Second)
	if err := b.Made(context.Background(), c.ID, "sum", time.Minute); err != nil {
		t.Fatal(err)
	}
	b.pass(50 * time.Second)
	if got, err := b.Confirm(context.Background(), "another"); !errors.Is(err, ErrNone) {
		t.Errorf("confirm another change: %+v, %v", got, err)
	}
	got, err := b.Confirm(context.Background(), "")
	if err != nil || got.ID != c.ID || got.After != "sum" || !b.isGone("pending.before") {
		t.Errorf("%+v, %v", got, err)
	}
	b.pass(time.Hour)
	if calls, undone := b.undo(true, ""); calls != 0 || undone {
		t.Error("a confirmed change was taken back")
	}
	b.begin("next") // nothing waits any more
}

func TestOverdue(t *testing.T) {
	b := newBench(t)
	c := b.begin("old")
	b.pass(time.Minute)
	if _, err := b.Confirm(context.Background(), ""); !errors.Is(err, ErrNone) {
		t.Errorf("confirmed too late: %v", err)
	}
	if err := b.Made(context.Background(), c.ID, "", time.Minute); !errors.Is(err, ErrNone) {
		t.Errorf("prolonged too late: %v", err)
	}
	// The one who takes it back is killed halfway, or fails: it is done again.
	_, undone, err := b.Undo(context.Background(), Never, func(Change, []byte) error { return errors.New("disk full") })
	if err == nil || undone {
		t.Errorf("a failure counts as done: %v", err)
	}
	if calls, undone := b.undo(false, "old"); calls != 1 || !undone {
		t.Errorf("taken back %d times, %v", calls, undone)
	}
	if calls, _ := b.undo(false, ""); calls != 0 || !b.isGone("pending.before") {
		t.Error("taken back twice")
	}
}

// TestReboot: who would have confirmed is gone.
func TestReboot(t *testing.T) {
	b := newBench(t)
	b.begin("old")
	b.now = Moment{"next boot", time.Second}
	if calls, undone := b.undo(false, "old"); calls != 1 || !undone {
		t.Error("a change outlives the reboot")
	}
}

// TestOneUndo: of many that find a change overdue, one takes it back.
func TestOneUndo(t *testing.T) {
	b := newBench(t)
	b.begin("old")
	b.pass(2 * time.Minute)
	var mu sync.Mutex
	total := 0
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			calls, _ := b.undo(false, "old")
			mu.Lock()
			defer mu.Unlock()
			total += calls
		})
	}
	all.Wait()
	if total != 1 {
		t.Errorf("taken back %d times", total)
	}
}

func TestDamagedJournal(t *testing.T) {
	b := newBench(t)
	for _, text := range []string{"", "{", `{"schema":2,"state":"waiting"}`} {
		if err := os.WriteFile(b.path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Read(); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestRestore(t *testing.T) {
	for _, row := range []struct {
		name            string
		existed         bool
		before, current string
		after           string // what the change left
		want, aside     string // "-": no file
	}{
		{"as the change left it", true, "old", "new", "new", "old", "-"},
		{"created by the change", false, "", "new", "new", "-", "-"},
		{"edited since", true, "old", "newer", "new", "old", "newer"},
		{"killed before the end", true, "old", "new", "", "old", "new"},
		{"killed before the change", true, "old", "old", "", "old", "-"},
		{"removed since", true, "old", "-", "new", "old", "-"},
		{"never made", false, "", "-", "", "-", "-"},
	} {
		t.Run(row.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "deny.list")
			if row.current != "-" {
				if err := os.WriteFile(path, []byte(row.current), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			c := Change{Path: path, Existed: row.existed}
			if row.after != "" {
				c.After = Sum([]byte(row.after))
			}
			for range 2 { // it may be repeated
				if err := Restore(context.Background(), c, []byte(row.before)); err != nil {
					t.Fatal(err)
				}
			}
			for file, want := range map[string]string{path: row.want, path + Aside: row.aside} {
				data, err := os.ReadFile(file)
				got := string(data)
				if errors.Is(err, os.ErrNotExist) {
					got = "-"
				}
				if got != want {
					t.Errorf("%s holds %q, want %q", filepath.Base(file), got, want)
				}
			}
		})
	}
}
