// SPDX-License-Identifier: MIT

package eventlog

import (
	"net/netip"
	"strings"
	"testing"

	"denmap/userspace/event"
)

func TestFilterFindsDecoys(t *testing.T) {
	other := Filter{Source: netip.MustParsePrefix("203.0.113.70/32")}
	for _, s := range samples() {
		want := s.name == "detected-decoys"
		if got := other.Match(NewRecord(s.event, testMeta)); got != want {
			t.Errorf("%s: matches %v, want %v", s.name, got, want)
		}
	}
}

func TestDecodeRefusesNoGroup(t *testing.T) {
	for _, line := range []string{
		`2026-01-02T03:04:05Z scan-ended: text | src=192.0.2.7 group=x group_sources=192.0.2.8`,
		`2026-01-02T03:04:05Z scan-ended: text | src=192.0.2.7 group_size=1`,
		`{"@timestamp":"2026-01-02T03:04:05Z","event":{"action":"scan-ended"},"denmap":{"group":{"size":-1,"sources":["x"]}}}`,
	} {
		r, err := Decode([]byte(line))
		if err != nil || r.Event.Scan.Group != nil {
			t.Errorf("%s: group %+v, error %v; want neither", line, r.Event.Scan.Group, err)
		}
	}
	if _, err := Decode([]byte(`{"@timestamp":"2026-01-02T03:04:05Z","event":{"action":"scan-ended"},"denmap":{"group":{"size":2,"sources":["x"]}}}`)); err == nil {
		t.Error("a group of no address is read")
	}
}

func TestGroupOfMany(t *testing.T) {
	e := changed(event.ScanDetected, func(e *event.Event, s *event.Scan) {
		s.Group = &event.Group{Size: 300}
		for i := range 16 {
			s.Group.Sources = append(s.Group.Sources, netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32))
		}
	})
	text := Message(e)
	if strings.Count(text, "192.0.2.") != namedSources || !strings.Contains(text, "192.0.2.7, ...)") || !strings.Contains(text, "one of 300 addresses") {
		t.Errorf("message %q", text)
	}
}
