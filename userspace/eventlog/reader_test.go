// SPDX-License-Identifier: MIT

package eventlog

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

// shortID is the number of a numberedEvent.
func shortID(r Record) string {
	return strings.TrimLeft(strings.TrimPrefix(r.Event.ID, "event-"), "0")
}

func mustRead(t *testing.T, o ReaderOptions) (string, *Reader) {
	t.Helper()
	var got []string
	r := NewReader(o)
	err := r.Read(t.Context(), func(rec Record) error { got = append(got, shortID(rec)); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(got, " "), r
}

func TestReadInOrderAcrossFiles(t *testing.T) {
	for _, format := range []Format{JSON, Text} {
		l := mustOpen(t, Options{Format: format, MaxSize: 1, Keep: 20, Compress: true})
		mustWrite(t, l, 1, 13)
		if got, _ := mustRead(t, ReaderOptions{Path: l.opts.Path}); got != "1 2 3 4 5 6 7 8 9 10 11 12" {
			t.Errorf("%s: read %q", format, got)
		}
		if got, _ := mustRead(t, ReaderOptions{Path: l.opts.Path, Last: 3}); got != "10 11 12" {
			t.Errorf("%s: the last three are %q", format, got)
		}
	}
}

func TestReadPassesLinesOn(t *testing.T) {
	for _, format := range []Format{JSON, Text} {
		l := mustOpen(t, Options{Format: format})
		mustWrite(t, l, 1, 2)
		want := mustJSON(t, numberedEvent(1))
		err := NewReader(ReaderOptions{Path: l.opts.Path}).Read(t.Context(), func(rec Record) error {
			line, err := rec.JSON()
			if !bytes.Equal(line, want) {
				t.Errorf("%s: line\n%s\nwant\n%s", format, line, want)
			}
			if raw := bytes.TrimRight(content(t, l.opts.Path), "\n"); !bytes.Equal(rec.Raw(), raw) {
				t.Errorf("%s: raw %s", format, rec.Raw())
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadSkipsWhatIsNoEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.log")
	one, two := mustJSON(t, numberedEvent(1)), mustJSON(t, numberedEvent(2))
	lines := bytes.Join([][]byte{
		[]byte("garbage"), one, nil, one[:40], bytes.Repeat([]byte("x"), maxLine+5),
		append([]byte("\x00\x00"), one...), two, two[:len(two)/2],
	}, []byte("\n"))
	if err := os.WriteFile(path, lines, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".1.gz", []byte("\x1f\x8b no"), 0o640); err != nil {
		t.Fatal(err)
	}
	var notes bytes.Buffer
	got, r := mustRead(t, ReaderOptions{Path: path, Notes: &notes})
	if got != "1 2" || r.badLines != 5 {
		t.Errorf("read %q with %d bad lines, want \"1 2\" and 5", got, r.badLines)
	}
	said := strings.Split(strings.TrimSpace(notes.String()), "\n")
	if len(said) != 2 || !strings.Contains(said[0], "events.log.1.gz") || !strings.Contains(said[1], "5 lines") {
		t.Errorf("notes %q", said)
	}
}

func TestReadWithoutLog(t *testing.T) {
	r := NewReader(ReaderOptions{Path: filepath.Join(t.TempDir(), "none", "events.log")})
	if err := r.Read(t.Context(), nil); !errors.Is(err, ErrNoLog) {
		t.Errorf("error %v, want ErrNoLog", err)
	}
}

func TestReadStopsAtTheCallersError(t *testing.T) {
	l := mustOpen(t, Options{MaxSize: 1, Keep: 9})
	mustWrite(t, l, 1, 6)
	stop := errors.New("enough")
	calls := 0
	err := NewReader(ReaderOptions{Path: l.opts.Path}).Read(t.Context(), func(Record) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := NewReader(ReaderOptions{Path: l.opts.Path}).Read(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want canceled", err)
	}
}

func TestFilter(t *testing.T) {
	banned := NewRecord(scanEvent(event.SourceBanned), testMeta)
	attached := NewRecord(event.Event{ID: "x", Time: testTime, Action: event.Attached}, testMeta)
	net6 := NewRecord(changed(event.ScanEnded, func(_ *event.Event, s *event.Scan) {
		s.Source, s.Grade = netip.MustParsePrefix("2001:db8:1:2::/64"), event.Proven
	}), testMeta)
	rows := []struct {
		name                   string
		f                      Filter
		banned, net6, attached bool
	}{
		{"all", Filter{}, true, true, true},
		{"since now", Filter{Since: testTime}, true, true, true},
		{"since later", Filter{Since: testTime.Add(1)}, false, false, false},
		{"until now", Filter{Until: testTime}, false, false, false},
		{"until later", Filter{Until: testTime.Add(1)}, true, true, true},
		{"source", Filter{Source: netip.MustParsePrefix("203.0.113.69/32")}, true, false, false},
		{"source net", Filter{Source: netip.MustParsePrefix("203.0.113.0/24")}, true, false, false},
		{"inside the source", Filter{Source: netip.MustParsePrefix("2001:db8:1:2::9/128")}, false, true, false},
		{"kind", Filter{Kinds: event.Kinds(0).With(event.SYN).With(event.FIN)}, true, true, false},
		{"other kind", Filter{Kinds: event.Kinds(0).With(event.FIN)}, false, false, false},
		{"action", Filter{Actions: []event.Action{event.Attached, event.ScanEnded}}, false, true, true},
		{"grade", Filter{Grades: []event.Grade{event.Proven}}, false, true, false},
		{"id", Filter{ID: "x"}, false, false, true},
		{"severity", Filter{MinSeverity: 5}, true, false, false},
	}
	for _, row := range rows {
		if row.f.Match(banned) != row.banned || row.f.Match(net6) != row.net6 || row.f.Match(attached) != row.attached {
			t.Errorf("%s: %v %v %v, want %v %v %v", row.name,
				row.f.Match(banned), row.f.Match(net6), row.f.Match(attached), row.banned, row.net6, row.attached)
		}
	}
}

func TestOldFilesAreNotReadForSince(t *testing.T) {
	l := mustOpen(t, Options{MaxSize: 1, Keep: 9})
	mustWrite(t, l, 1, 4)
	old := l.opts.Path + ".2"
	if err := os.WriteFile(old, []byte("garbage\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(old, testTime, testTime); err != nil {
		t.Fatal(err)
	}
	_, r := mustRead(t, ReaderOptions{Path: l.opts.Path, Filter: Filter{Since: testTime.Add(time.Second)}})
	if r.badLines != 0 {
		t.Error("a file from before was read")
	}
}
