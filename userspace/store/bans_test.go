// SPDX-License-Identifier: MIT

package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/store/safefile"
)

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC)

func testClock() time.Time { return testNow }

func testBans() []event.Ban {
	return []event.Ban{
		{Source: netip.MustParsePrefix("192.0.2.7/32"), Grade: event.Proven, Since: testNow.Add(-time.Hour), Until: testNow.Add(time.Hour), Dropped: 12},
		{Source: netip.MustParsePrefix("2001:db8::/64"), Grade: event.Blind, Since: testNow, Until: testNow.Add(time.Nanosecond)},
		{Source: netip.MustParsePrefix("198.51.100.0/24"), Grade: event.Manual, Reason: "the <boss> said so: \"ä\"\n"},
	}
}

func newTestBans(t *testing.T) (*Bans, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state", "bans.json")
	return NewBans(path, testClock), path
}

func mustSave(t *testing.T, b *Bans, bans []event.Ban) {
	t.Helper()
	if err := b.Save(bans); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestBansRoundTrip(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	b, path := newTestBans(t)
	got, err := b.Load()
	if err != nil || len(got) != 0 {
		t.Errorf("Load without a file = %v, %v, want no bans", got, err)
	}
	mustSave(t, b, testBans())
	got, err = b.Load()
	if err != nil || !reflect.DeepEqual(got, testBans()) {
		t.Errorf("Load = %+v, %v, want %+v", got, err, testBans())
	}
	mustSave(t, b, nil)
	if got, err := b.Load(); err != nil || len(got) != 0 {
		t.Errorf("Load = %v, %v, want no bans", got, err)
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o750 | fs.ModeDir} {
		if info, err := os.Stat(name); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
}

func TestBansFormat(t *testing.T) {
	b, path := newTestBans(t)
	mustSave(t, b, testBans()[2:])
	want := "{\n \"schema\": 1,\n \"bans\": [\n  {\n   \"source\": \"198.51.100.0/24\",\n   \"grade\": \"manual\",\n   \"reason\": \"the <boss> said so: \\\"ä\\\"\\n\"\n  }\n ]\n}\n"
	if got := mustRead(t, path); got != want {
		t.Errorf("file %s, want %s", got, want)
	}
	zone := time.FixedZone("", 3600)
	mustSave(t, b, []event.Ban{{Source: netip.MustParsePrefix("192.0.2.1/32"), Until: time.Date(2026, 5, 1, 1, 0, 0, 0, zone)}})
	if got := mustRead(t, path); !strings.Contains(got, `"until": "2026-05-01T00:00:00Z"`) {
		t.Errorf("file %s, want the end in UTC", got)
	}
}

func TestBansExpire(t *testing.T) {
	b, path := newTestBans(t)
	mustSave(t, b, testBans())
	later := NewBans(path, func() time.Time { return testNow.Add(time.Hour) })
	got, err := later.Load()
	if want := testBans()[2:]; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Load an hour later = %+v, %v, want %+v", got, err, want)
	}
	given := testBans()
	mustSave(t, later, given)
	if text := mustRead(t, path); strings.Contains(text, "192.0.2.7") {
		t.Errorf("Save wrote an expired ban: %s", text)
	}
	if !reflect.DeepEqual(given, testBans()) {
		t.Error("Save changed its argument")
	}
}

func TestBansSaveRefuses(t *testing.T) {
	b, path := newTestBans(t)
	mustSave(t, b, testBans())
	before := mustRead(t, path)
	for _, ban := range []event.Ban{
		{},
		{Source: netip.MustParsePrefix("192.0.2.7/24")},
		{Source: netip.MustParsePrefix("::ffff:192.0.2.7/128")},
		{Source: netip.MustParsePrefix("192.0.2.7/32"), Until: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if err := b.Save([]event.Ban{ban}); err == nil {
			t.Errorf("Save of %+v: no error", ban)
		}
	}
	if got := mustRead(t, path); got != before {
		t.Errorf("file %s, want it unchanged", got)
	}
}

// corruptFiles lists what was set aside beside path.
func corruptFiles(t *testing.T, path string) []string {
	t.Helper()
	found, err := filepath.Glob(path + ".corrupt-*")
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A file cut at any byte is set aside, and no ban is made up from it.
func TestBansTruncated(t *testing.T) {
	b, path := newTestBans(t)
	mustSave(t, b, testBans())
	whole := mustRead(t, path)
	for n := range len(whole) - 1 { // without its last "\n" it is still whole
		if err := os.WriteFile(path, []byte(whole[:n]), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := b.Load()
		if !errors.Is(err, ErrCorrupt) || len(got) != 0 {
			t.Fatalf("cut at %d: %v, %v, want ErrCorrupt and no bans", n, got, err)
		}
		aside := corruptFiles(t, path)
		if len(aside) != 1 || mustRead(t, aside[0]) != whole[:n] || !strings.Contains(err.Error(), filepath.Base(aside[0])) {
			t.Fatalf("cut at %d: set aside %v, error %v", n, aside, err)
		}
		if err := os.Remove(aside[0]); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Load(); err != nil || len(got) != 0 {
			t.Fatalf("cut at %d: the next Load = %v, %v", n, got, err)
		}
	}
}

func TestBansCorrupt(t *testing.T) {
	tests := []string{
		"", "\x00\x00\x00", "[]", "null", "{}", `{"schema":0,"bans":[]}`, `{"schema":"1","bans":[]}`, `{"schema":1}`, `{"schema":1,"bans":null}`,
		`{"schema":1,"bans":[]} x`,
		`{"schema":1,"bans":[{}]}`,
		`{"schema":1,"bans":[{"source":"","grade":"blind"}]}`,
		`{"schema":1,"bans":[{"source":"192.0.2.7/24","grade":"blind"}]}`,
		`{"schema":1,"bans":[{"source":"banana","grade":"blind"}]}`,
		`{"schema":1,"bans":[{"source":"192.0.2.7/32","grade":"sure"}]}`,
		`{"schema":1,"bans":[{"source":"192.0.2.7/32","grade":"blind","until":"tomorrow"}]}`,
		`{"schema":1,"bans":[{"source":"192.0.2.7/32","grade":"blind","dropped":-1}]}`,
	}
	b, path := newTestBans(t)
	mustSave(t, b, nil)
	for i, content := range tests {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Load(); !errors.Is(err, ErrCorrupt) || len(got) != 0 || strings.Contains(err.Error(), "\n") {
			t.Errorf("Load of %s = %v, %v, want ErrCorrupt", content, got, err)
		}
		// All in the same second: none overwrites another.
		if got := len(corruptFiles(t, path)); got != i+1 {
			t.Errorf("%d files set aside, want %d", got, i+1)
		}
	}
}

func TestBansUpdate(t *testing.T) {
	b, path := newTestBans(t)
	add := func(bans []event.Ban) []event.Ban { return append(bans, testBans()[len(bans)]) }
	for range 3 {
		if err := b.Update(context.Background(), add); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := b.Load(); err != nil || !reflect.DeepEqual(got, testBans()) {
		t.Errorf("Load = %+v, %v, want %+v", got, err, testBans())
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Update(context.Background(), add); !errors.Is(err, ErrCorrupt) {
		t.Errorf("Update of a damaged file: %v, want ErrCorrupt", err)
	}
	if got, err := b.Load(); err != nil || !reflect.DeepEqual(got, testBans()[:1]) {
		t.Errorf("Load after that = %+v, %v, want the one new ban", got, err)
	}
}

func TestBansNewerSchema(t *testing.T) {
	const newer = `{"schema":2,"bans":"elsewhere"}`
	b, path := newTestBans(t)
	mustSave(t, b, nil)
	if err := os.WriteFile(path, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	_, loadErr := b.Load()
	saveErr := b.Save(testBans())
	updateErr := b.Update(context.Background(), func(bans []event.Ban) []event.Ban { return bans })
	for _, err := range []error{loadErr, saveErr, updateErr} {
		if !errors.Is(err, ErrNewerSchema) || !strings.Contains(err.Error(), "schema 2, expected at most 1") {
			t.Errorf("error %v, want ErrNewerSchema", err)
		}
	}
	if got := mustRead(t, path); got != newer || len(corruptFiles(t, path)) != 0 {
		t.Errorf("file %s, want it untouched", got)
	}
	// A later version of the same schema may have more fields.
	if err := os.WriteFile(path, []byte(`{"schema":1,"host":"x","bans":[{"source":"192.0.2.7/32","grade":"blind","port":1}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Load(); err != nil || len(got) != 1 {
		t.Errorf("Load with unknown fields = %v, %v", got, err)
	}
}

func TestBansConcurrentUpdates(t *testing.T) {
	b, path := newTestBans(t)
	const writers, each = 8, 15
	errs := make([]error, writers)
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			own := NewBans(path, testClock)
			for i := range each {
				source := netip.MustParsePrefix(fmt.Sprintf("2001:db8::%x:%x/128", w+1, i))
				errs[w] = errors.Join(errs[w], own.Update(context.Background(), func(bans []event.Ban) []event.Ban {
					return append(bans, event.Ban{Source: source, Grade: event.Manual})
				}))
				if _, err := own.Load(); err != nil {
					errs[w] = errors.Join(errs[w], err)
				}
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Load(); err != nil || len(got) != writers*each {
		t.Errorf("%d bans, %v, want %d", len(got), err, writers*each)
	}
}

func TestBansOtherTrouble(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, fifo} {
		b := NewBans(path, testClock)
		if _, err := b.Load(); !errors.Is(err, safefile.ErrNotRegular) {
			t.Errorf("Load of %s: %v, want ErrNotRegular", path, err)
		}
		if err := b.Save(nil); !errors.Is(err, safefile.ErrNotRegular) {
			t.Errorf("Save to %s: %v, want ErrNotRegular", path, err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := NewBans(filepath.Join(file, "bans.json"), nil).Save(nil); err == nil {
		t.Error("Save below a file: no error")
	}
	if err := os.Truncate(file, 1<<30); err != nil {
		t.Fatal(err)
	}
	if _, err := NewBans(file, nil).Load(); !errors.Is(err, safefile.ErrTooLarge) {
		t.Errorf("Load of 1 GiB: %v, want ErrTooLarge", err)
	}
}

func FuzzDecodeBans(f *testing.F) {
	good, err := EncodeBans(testBans())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"schema":2}`))
	f.Add([]byte(`{"schema":1,"bans":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		bans, err := DecodeBans(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNewerSchema) {
				t.Errorf("decode %q: %v", data, err)
			}
			return
		}
		again, err := EncodeBans(bans)
		if err != nil {
			t.Fatalf("encode what was read from %q: %v", data, err)
		}
		if back, err := DecodeBans(again); err != nil || !reflect.DeepEqual(back, bans) {
			t.Errorf("%q was read as %+v and then as %+v, %v", data, bans, back, err)
		}
	})
}
