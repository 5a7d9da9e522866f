// SPDX-License-Identifier: MIT

package lists

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Random edits of random files, against a plain model: the set of entries
// must be what the model says, and every line that no edit named must be
// there byte for byte, in order.
func TestRandomEdits(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		before := randomList(r, r.IntN(12))
		if r.IntN(3) == 0 {
			before = strings.TrimRight(before, "\r\n")
		}
		path := tempList(t, before)
		for range 6 {
			if r.IntN(2) == 0 {
				randomAdd(t, r, path)
			} else {
				randomRemove(t, r, path)
			}
		}
	}
}

func randomAdd(t *testing.T, r *rand.Rand, path string) {
	before := mustRead(t, path)
	var add []Entry
	for _, e := range mustParse(t, Allow, randomList(r, 1+r.IntN(3))).Entries {
		e.Comment = []string{"", "note", "new"}[r.IntN(3)]
		add = append(add, e)
	}
	if _, err := Add(context.Background(), path, Allow, add, AddOptions{Now: testNow}); err != nil {
		t.Fatalf("add to %q: %v", before, err)
	}
	after := mustRead(t, path)
	touched := map[netip.Prefix]bool{}
	last := map[netip.Prefix]Entry{}
	for _, e := range mustParse(t, Allow, after).Entries {
		last[e.Prefix] = e
	}
	for _, e := range add {
		touched[e.Prefix] = true
	}
	unique, err := lastOfEach(add, Allow)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range unique {
		got, ok := last[want.Prefix]
		if !ok || got.Watch != want.Watch || !got.Until.Equal(want.Until) || want.Comment != "" && got.Comment != want.Comment {
			t.Fatalf("add %+v to %q: %+v in %q", want, before, got, after)
		}
	}
	sameRest(t, before, after, touched)
}

func randomRemove(t *testing.T, r *rand.Rand, path string) {
	before := mustRead(t, path)
	entries := mustParse(t, Allow, before).Entries
	if len(entries) == 0 {
		return
	}
	touched := map[netip.Prefix]bool{}
	var remove []netip.Prefix
	for range 1 + r.IntN(2) {
		p := entries[r.IntN(len(entries))].Prefix
		touched[p] = true
		remove = append(remove, p)
	}
	if _, err := Remove(context.Background(), path, Allow, remove); err != nil {
		t.Fatalf("remove %v from %q: %v", remove, before, err)
	}
	after := mustRead(t, path)
	for _, e := range mustParse(t, Allow, after).Entries {
		if touched[e.Prefix] {
			t.Fatalf("remove %v from %q: still in %q", remove, before, after)
		}
	}
	sameRest(t, before, after, touched)
}

// sameRest compares the lines that name none of touched.
func sameRest(t *testing.T, before, after string, touched map[netip.Prefix]bool) {
	t.Helper()
	rest := func(content string) (lines []string) {
		named := map[int]bool{}
		for _, e := range mustParse(t, Allow, content).Entries {
			named[e.Line] = touched[e.Prefix]
		}
		for i, line := range strings.SplitAfter(content, "\n") {
			if line != "" && !named[i+1] {
				// An added line needs an end on the one before it.
				lines = append(lines, strings.TrimRight(line, "\r\n"))
			}
		}
		return lines
	}
	if a, b := rest(before), rest(after); !reflect.DeepEqual(a, b) {
		t.Fatalf("untouched lines of %q became %q: %q and %q", before, after, a, b)
	}
}

const (
	editorEnv  = "DENMAP_TEST_EDITOR" // path of the list to edit
	editorBase = "DENMAP_TEST_EDITOR_BASE"
	perEditor  = 20
)

// TestMain lets the test binary be an editor in a process of its own.
func TestMain(m *testing.M) {
	if path := os.Getenv(editorEnv); path != "" {
		base, err := strconv.Atoi(os.Getenv(editorBase))
		if err == nil {
			err = runEditor(path, base)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runEditor adds addresses one by one and removes every other one again.
func runEditor(path string, base int) error {
	for i := range perEditor {
		addr := netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 14: byte(base), 15: byte(i)})
		p := netip.PrefixFrom(addr, 128)
		if _, err := Add(context.Background(), path, Deny, []Entry{{Prefix: p, Comment: "by an editor"}}, AddOptions{}); err != nil {
			return err
		}
		if i%2 == 0 {
			continue
		}
		if _, err := Remove(context.Background(), path, Deny, []netip.Prefix{p}); err != nil {
			return err
		}
	}
	return nil
}

func TestConcurrentEditors(t *testing.T) {
	path := tempList(t, "# head\n192.0.2.1\n")
	const routines, processes = 6, 3
	errs := make([]error, routines+processes)
	stop := make(chan struct{})
	var editors, reader sync.WaitGroup
	for n := range routines {
		editors.Go(func() { errs[n] = runEditor(path, n) })
	}
	for n := range processes {
		editors.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), editorEnv+"="+path, fmt.Sprintf("%s=%d", editorBase, routines+n))
			if out, err := cmd.CombinedOutput(); err != nil {
				errs[routines+n] = fmt.Errorf("%w: %s", err, out)
			}
		})
	}
	var readErr error
	reader.Go(func() {
		for readErr == nil {
			select {
			case <-stop:
				return
			default:
			}
			list, err := Load(path, Deny)
			if err == nil && (list.Missing || len(list.Entries) == 0) {
				err = errors.New("a reader saw no list")
			}
			readErr = err
		}
	})
	editors.Wait()
	close(stop)
	reader.Wait()
	if err := errors.Join(append(errs, readErr)...); err != nil {
		t.Fatal(err)
	}
	content := mustRead(t, path)
	list := mustParse(t, Deny, content)
	if want := 1 + (routines+processes)*perEditor/2; len(list.Entries) != want || len(list.Active(testNow)) != want {
		t.Errorf("%d entries, want %d: %s", len(list.Entries), want, content)
	}
	if !strings.HasPrefix(content, "# head\n192.0.2.1\n") {
		t.Errorf("the head of the file is lost: %.60q", content)
	}
}
