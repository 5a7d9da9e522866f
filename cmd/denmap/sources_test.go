// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"denmap/loader"
	"denmap/userspace/event"
)

func TestSourceTable(t *testing.T) {
	found := []event.Source{
		{
			Prefix: netip.MustParsePrefix("203.0.113.7/32"), First: testNow.Add(-time.Hour), Last: testNow, Score: 6, UDPScore: 3, Distinct: 7,
			Kinds: event.Kinds(0).With(event.SYN).With(event.UDP), Tool: event.ToolNmap, Confidence: event.High, Ports: []uint16{80, 22, 443, 21, 25},
		},
		{Prefix: netip.MustParsePrefix("2001:db8:9::/64"), Last: testNow, Score: 2, Distinct: 1, Kinds: event.Kinds(0).With(event.Connect), Tool: event.ToolKernel, Ports: []uint16{8080}},
		{Prefix: netip.MustParsePrefix("198.51.100.7/32"), Last: testNow, UDPScore: 1, Kinds: event.Kinds(0).With(event.UDP), Tool: event.ToolRaw},
		{Prefix: netip.MustParsePrefix("198.51.100.8/32"), Last: testNow, UDPScore: 2, Kinds: event.Kinds(0).With(event.UDP)},
	}
	rules := loader.Rules{AlertScore: 4, BanScore: 8, UDPAlert: 8, UDPBan: 16}
	var stdout bytes.Buffer
	env := *newConsole(t).env
	env.Stdout = &stdout
	if err := env.sourceTable(found, rules); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"SOURCE           SCORE                SCAN     TOOL        LAST                 PORTS\n" +
		"203.0.113.7      6 of 8, udp 3 of 16  syn,udp  nmap        2026-01-02 03:04:05  80,22,443,21 +3\n" +
		"2001:db8:9::/64  2 of 8               connect  connect()   2026-01-02 03:04:05  8080\n" +
		"198.51.100.7     udp 1 of 16          udp      raw socket  2026-01-02 03:04:05  -\n" +
		"198.51.100.8     udp 2 of 16          udp      -           2026-01-02 03:04:05  -\n"
	if got := stdout.String(); got != want {
		t.Errorf("table\n%s\nwant\n%s", got, want)
	}
	stdout.Reset()
	if err := env.sourcesJSON(found[:1], rules); err != nil {
		t.Fatal(err)
	}
	wantJSON := `{
  "schema": 1,
  "alert_score": 4,
  "ban_score": 8,
  "udp_alert_score": 8,
  "udp_ban_score": 16,
  "sources": [
    {
      "source": "203.0.113.7",
      "score": 6,
      "udp_score": 3,
      "scan": [
        "syn",
        "udp"
      ],
      "tool": "nmap",
      "tool_confidence": "high",
      "distinct": 7,
      "ports": [
        80,
        22,
        443,
        21,
        25
      ],
      "first": "2026-01-02T02:04:05Z",
      "last": "2026-01-02T03:04:05Z"
    }
  ]
}
`
	if got := stdout.String(); got != wantJSON {
		t.Errorf("document\n%s\nwant\n%s", got, wantJSON)
	}
}
