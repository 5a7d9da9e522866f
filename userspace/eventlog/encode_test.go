// SPDX-License-Identifier: MIT

package eventlog

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s\nwant:\n%s", path, got, want)
	}
}

func mustJSON(t *testing.T, e event.Event) []byte {
	t.Helper()
	line, err := EncodeJSON(e, testMeta)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestGolden(t *testing.T) {
	var asJSON, asText, human bytes.Buffer
	for _, s := range samples() {
		asJSON.Write(append(mustJSON(t, s.event), '\n'))
		asText.Write(append(EncodeText(s.event, testMeta), '\n'))
		if err := RenderHuman(&human, NewRecord(s.event, testMeta), time.UTC); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "events.json", asJSON.Bytes())
	golden(t, "events.txt", asText.Bytes())
	golden(t, "human.txt", human.Bytes())
}

func TestSeverities(t *testing.T) {
	want := map[string]int{
		"crafted": 1, "detected": 3, "banned": 5, "banned-proven-ipv6-net": 7, "banned-protected": 9,
		"banned-by-operator": 5, "unbanned": 0, "ended": 0, "lost": 0,
	}
	for _, s := range samples() {
		if w, ok := want[s.name]; ok && Severity(s.event) != w {
			t.Errorf("%s: severity %d, want %d", s.name, Severity(s.event), w)
		}
	}
}

// sameRecord compares all that a line holds.
func sameRecord(t *testing.T, name string, got, want Record) {
	t.Helper()
	got.raw, want.raw = nil, nil
	if !reflect.DeepEqual(got, want) {
		g, _ := json.MarshalIndent(got, "", " ")
		w, _ := json.MarshalIndent(want, "", " ")
		t.Errorf("%s: got\n%s\nwant\n%s", name, g, w)
	}
}

// checkFormats holds both formats against the facts, and so against each
// other.
func checkFormats(t *testing.T, name string, e event.Event) {
	t.Helper()
	want := NewRecord(e, testMeta)
	asJSON, asText := mustJSON(t, e), EncodeText(e, testMeta)
	for format, line := range map[string][]byte{"json": asJSON, "text": asText} {
		if bytes.ContainsAny(line, "\n\r\x1b\x00") {
			t.Errorf("%s %s: control character in %q", name, format, line)
		}
		got, err := Decode(line)
		if err != nil {
			t.Fatalf("%s %s: %v: %s", name, format, err, line)
		}
		sameRecord(t, name+" "+format, got, want)
		again, err := got.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, asJSON) {
			t.Errorf("%s %s: as JSON\n%s\nwant\n%s", name, format, again, asJSON)
		}
	}
}

func TestFormatsCarryTheSameFacts(t *testing.T) {
	for _, s := range samples() {
		checkFormats(t, s.name, s.event)
	}
}

func TestRandomEventsCarryTheSameFacts(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for range 5000 {
		checkFormats(t, "random", randomEvent(r))
		if t.Failed() {
			return
		}
	}
}

func randomText(r *rand.Rand) string {
	pieces := []string{"", "a", " ", "|", "=", "\"", "\\", "\n", "ü", "\xff", "\x1b[0m", " | ", "id=", "{", ": ", "\u202e", strings.Repeat("é", 200)}
	var b strings.Builder
	for range r.IntN(5) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

func randomEvent(r *rand.Rand) event.Event {
	all := samples()
	e := all[r.IntN(len(all))].event
	e.Reason, e.Interface, e.ID = randomText(r), randomText(r), randomText(r)
	e.Time = testTime.Add(time.Duration(r.Int64N(1e18)))
	if l := e.List; l != nil {
		l.Path, l.List, l.Added = randomText(r), randomText(r), r.IntN(10)
	}
	if l := e.Lost; l != nil {
		l.Stage, l.Count = randomText(r), r.Uint64()
	}
	s := e.Scan
	if s == nil {
		return e
	}
	s.Kinds = event.Kinds(r.Uint32N(1 << 14))
	if names := s.Kinds.Names(); len(names) > 0 {
		s.Main, _ = event.ParseKind(names[r.IntN(len(names))])
	}
	s.Tool, s.Confidence, s.Grade = event.Tool(r.IntN(7)), event.Confidence(r.IntN(3)), event.Grade(r.IntN(3))
	s.Score, s.Threshold, s.Distinct = r.IntN(40), r.IntN(40), r.IntN(70000)
	s.Probes, s.Dropped = r.Uint64(), r.Uint64()
	s.First = e.Time.Add(-time.Duration(r.Int64N(1e15)))
	s.Last = e.Time.Add(-time.Duration(r.Int64N(1e15)))
	s.Enforced, s.Protected, s.Watched, s.UsedService = r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0
	s.Ports = nil
	for range r.IntN(17) {
		s.Ports = append(s.Ports, uint16(r.IntN(65536)))
	}
	s.Group = nil
	if r.IntN(3) == 0 {
		s.Group = &event.Group{ID: randomText(r), Size: r.IntN(5)}
		for range r.IntN(4) {
			s.Group.Sources = append(s.Group.Sources, netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(r.IntN(256))}), 24+r.IntN(9)))
		}
		s.Group.Proven = s.Group.Sources[:r.IntN(len(s.Group.Sources)+1)]
	}
	s.Transport = []string{"", "tcp", "udp", randomText(r)}[r.IntN(4)]
	if r.IntN(4) == 0 {
		s.Destination, s.First, s.BanUntil = netip.Addr{}, time.Time{}, time.Time{}
	}
	s.Place = event.Place{
		CountryISO: randomText(r), Country: randomText(r), City: randomText(r),
		Latitude: r.NormFloat64() * 60, Longitude: r.NormFloat64() * 120, HasCoordinates: r.IntN(2) == 0,
		ASNumber: r.Uint32(), ASName: randomText(r), Database: randomText(r),
	}
	if r.IntN(4) == 0 {
		s.Place.Special = randomText(r)
	}
	return e
}

func TestDecodeRefusesWhatIsNoEvent(t *testing.T) {
	whole := mustJSON(t, scanEvent(event.SourceBanned))
	lines := []string{
		"", "{", "{}", "null", "[1]", "hello", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z x",
		"2026-01-02T03:04:05Z scan-ended: no pairs", "2026-01-02T03:04:05Z scan-ended: text | src=nonsense",
		`2026-01-02T03:04:05Z scan-ended: text | src="192.0.2.7`, "2026-01-02T03:04:05Z scan-ended: text | ports=1,x",
		`{"@timestamp":"yesterday","event":{"action":"scan-ended"}}`,
		`{"@timestamp":"2026-01-02T03:04:05Z","event":{"action":"scan-ended"},"source":{"ip":"nowhere"}}`,
		string(whole[:len(whole)/2]), string(whole) + string(whole),
	}
	for _, line := range lines {
		if _, err := Decode([]byte(line)); !errors.Is(err, ErrBadLine) {
			t.Errorf("%q: error %v, want ErrBadLine", line, err)
		}
	}
}

func TestDecodeReadsNewerVersions(t *testing.T) {
	lines := []string{
		`{"@timestamp":"2026-01-02T03:04:05Z","event":{"action":"source-banned"},"source":{"ip":"192.0.2.7"},"new":[1],"denmap":{"schema":1,"scan":["syn","warp"],"tool":{"name":"newtool","confidence":"certain"},"grade":"divine"}}`,
		`2026-01-02T03:04:05Z source-banned: something | src=192.0.2.7 scan=syn,warp tool=newtool,certain grade=divine new="a b"`,
	}
	for _, line := range lines {
		r, err := Decode([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		s := r.Event.Scan
		if s.Kinds.Title(s.Main) != "SYN" || s.Tool != event.ToolUnknown || s.Source.Addr().String() != "192.0.2.7" {
			t.Errorf("%s: %+v", line, s)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range samples() {
		line, err := EncodeJSON(s.event, testMeta)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(line)
		f.Add(EncodeText(s.event, testMeta))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		r, err := Decode(line)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := RenderHuman(&b, r, time.UTC); err != nil {
			t.Fatal(err)
		}
		if bytes.Count(b.Bytes(), []byte("\n")) != 1 || bytes.ContainsRune(b.Bytes(), '\x1b') {
			t.Errorf("%q is rendered as %q", line, b.Bytes())
		}
	})
}
