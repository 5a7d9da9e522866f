// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/eventlog"
)

// writeWatchedLog logs what monitor mode saw: two scans, with a rotated
// file between them.
func (c *console) writeWatchedLog(sources int) {
	c.t.Helper()
	log, err := eventlog.Open(eventlog.Options{Path: c.path("log/events.log"), Meta: eventlog.Meta{Version: "test", Hostname: "web1"}, Now: c.env.Now, MaxSize: 4096, Keep: 1000})
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range sources {
		at := testNow.Add(-time.Duration(sources-i) * time.Minute)
		e := event.Event{ID: fmt.Sprintf("scan%d", i), Time: at, Action: event.SourceBanned, Interface: "eth0", Reason: "score 8 of 8", Scan: &event.Scan{
			Source: netip.PrefixFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), 32), Destination: netip.MustParseAddr("192.0.2.1"),
			Kinds: event.Kinds(0).With(event.SYN), Tool: event.ToolNmap, Confidence: event.High, Transport: "tcp", Score: 8, Threshold: 8,
			Probes: 4, Distinct: 4, Ports: []uint16{22, 80}, First: at, Last: at, Place: event.Place{Country: "Testland", CountryISO: "ZZ"},
		}}
		if i == 1 {
			e.Scan.Protected = true
			e.Scan.Group = &event.Group{ID: "scan0", Size: 2, Sources: []netip.Prefix{e.Scan.Source}}
		}
		if err := log.Write(e); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		c.t.Fatal(err)
	}
}

func TestReportText(t *testing.T) {
	c := newConsole(t)
	c.writeWatchedLog(2)
	c.expect("report", outcome{stdout: `2026-01-01 03:04:05 to now
2 scans by 2 sources, 0 bans, 0 packets dropped by those that have ended
1 group of sources that sent the same probes: decoys of one scanner each

SCAN  SCANS
syn   2

FROM      SCANS
Testland  2

PORT  SCANS
22    2
80    2

SOURCE       FROM      SCANS  BANS  DROPPED  SCAN  TOOL  GRADE                   LAST
203.0.113.0  Testland  1      0     0        syn   nmap  blind                   2026-01-02 03:02:05
203.0.113.1  Testland  1      0     0        syn   nmap  blind (may be a decoy)  2026-01-02 03:03:05

Enforcing would have banned:
SOURCE       FROM      SCAN  GRADE                   TIMES  SCORE   NOT BANNED         USED A SERVICE  LAST
203.0.113.0  Testland  syn   blind                   1      8 of 8  monitor mode       no              2026-01-02 03:02:05
203.0.113.1  Testland  syn   blind (may be a decoy)  1      8 of 8  protected address  no              2026-01-02 03:03:05
`})
	c.expect("report --since 90s", outcome{stdout: c.run("report", "--since", "90s").stdout})
	if got := c.run("report", "--since", "90s"); !strings.Contains(got.stdout, "1 scan by 1 source,") {
		t.Errorf("report --since 90s: %+v", got)
	}
	c.expect("report --until 1d", said("no event from 2025-12-31 03:04:05 to 2026-01-01 03:04:05"))
}

func TestReportManySources(t *testing.T) {
	c := newConsole(t)
	c.writeWatchedLog(60)
	got := c.run("report")
	if got.code != 0 || strings.Count(got.stdout, "monitor mode") != 49 || !strings.Contains(got.stdout, "and 50 more\n") || !strings.HasSuffix(got.stdout, "and 10 more\n") {
		t.Errorf("report: %+v", got)
	}
	got = c.run("report", "--json")
	var doc reportDocument
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if doc.Schema != 1 || doc.Scans != 60 || doc.Sources != 60 || len(doc.WouldBan) != 60 || doc.WouldBanInFull != 60 || len(doc.TopSources) != 60 || !doc.Since.Equal(testNow.Add(-24*time.Hour)) || !doc.Until.IsZero() {
		t.Errorf("document %+v", doc)
	}
	for _, w := range doc.WouldBan {
		if w.Used != "no" || w.Threshold != 8 || w.Country != "Testland" || (w.Cause == "protected") != w.Decoy {
			t.Errorf("would ban %+v", w)
		}
	}
}

func TestReportRefuses(t *testing.T) {
	c := newConsole(t)
	got := c.run("report")
	if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "no event log") {
		t.Errorf("report without a log: %+v", got)
	}
	c.expect("report now", refused(2, `report: unexpected argument "now"`, "usage: denmap report"))
	c.expect("report --since 1h --until 2h", refused(2, "report: the period ends at 2026-01-02 01:04:05, before it begins at 2026-01-02 02:04:05"))
	c.write("log", "") // a file where a directory is meant: cannot be read
	if got := c.run("report"); got.code != 1 || got.stdout != "" {
		t.Errorf("report of no directory: %+v", got)
	}
}
