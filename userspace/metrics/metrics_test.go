// SPDX-License-Identifier: MIT

package metrics

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"denmap/userspace/event"
)

var testNow = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// wanted are the metrics that tools and dashboards of users rely on.
var wanted = []string{
	"denmap_packets_total", "denmap_scans_total", "denmap_bans_total", "denmap_active_bans",
	"denmap_map_entries", "denmap_map_capacity", "denmap_events_lost_total", "denmap_interface_protected",
	"denmap_config_last_reload_successful", "denmap_mail_queue", "denmap_event_latency_seconds", "denmap_build_info",
}

func testOptions() Options {
	return Options{
		Version: "1.2.3", Revision: "abc", Now: func() time.Time { return testNow },
		Packets: func() ([]Packets, error) {
			return []Packets{
				{"eth0", "pass", "established", 100}, {"eth0", "drop", "banned", 7}, {"eth1", "drop", "banned", 8},
				{"eth0", "lost", "event", 2}, {"eth1", "lost", "event", 1}, {"eth0", "lost", "source", 4}, {"eth0", "lost", "ban", 0},
			}, nil
		},
		Tables: func() ([]Table, error) { return []Table{{"sources", 5, 10}, {"bans", 0, 20}}, nil },
		Interfaces: func() ([]Interface, error) {
			return []Interface{{"eth0", "native", true}, {"eth1", "generic", false}}, nil
		},
		ActiveBans: func() (int, error) { return 3, nil },
		Lost:       func() map[string]uint64 { return map[string]uint64{"queue": 5, "history": 0} },
		MailQueue:  func() int { return 6 },
	}
}

func scan(id string, action event.Action, kinds event.Kinds) event.Event {
	return event.Event{
		ID: id, Time: testNow.Add(-20 * time.Millisecond), Action: action,
		Scan: &event.Scan{Source: netip.MustParsePrefix("192.0.2.1/32"), Kinds: kinds, Enforced: true},
	}
}

func kinds(list ...event.Kind) (k event.Kinds) {
	for _, one := range list {
		k = k.With(one)
	}
	return k
}

func TestMetrics(t *testing.T) {
	m := New(testOptions())
	m.Handle(scan("A", event.ScanDetected, kinds(event.SYN)))
	m.Handle(scan("A", event.ScanDetected, kinds(event.SYN, event.FIN)))
	m.Handle(scan("A", event.SourceBanned, kinds(event.SYN, event.FIN)))
	m.Handle(scan("A", event.SourceUnbanned, kinds(event.SYN, event.FIN)))
	m.Handle(scan("A", event.ScanEnded, kinds(event.SYN, event.FIN, event.UDP)))
	wouldBan := scan("B", event.SourceBanned, kinds(event.SYN))
	wouldBan.Scan.Enforced, wouldBan.Scan.Grade = false, event.Proven
	m.Handle(wouldBan)
	manual := scan("C", event.SourceBanned, 0)
	manual.Scan.Grade, manual.Time = event.Manual, testNow.Add(-time.Hour)
	m.Handle(manual)
	m.Handle(event.Event{ID: "D", Action: event.ListChanged})
	m.Reloaded(false)
	const want = `
# HELP denmap_active_bans Bans in force.
# TYPE denmap_active_bans gauge
denmap_active_bans 3
# HELP denmap_bans_total Bans that were put in force.
# TYPE denmap_bans_total counter
denmap_bans_total{grade="blind"} 1
denmap_bans_total{grade="manual"} 1
denmap_bans_total{grade="proven"} 0
# HELP denmap_config_last_reload_successful Whether the configuration was taken over when it was last read.
# TYPE denmap_config_last_reload_successful gauge
denmap_config_last_reload_successful 0
# HELP denmap_events_lost_total Events that got lost, and sources and bans that a full table had no room for.
# TYPE denmap_events_lost_total counter
denmap_events_lost_total{stage="ban-table"} 0
denmap_events_lost_total{stage="history"} 0
denmap_events_lost_total{stage="queue"} 5
denmap_events_lost_total{stage="ring-buffer"} 3
denmap_events_lost_total{stage="source-table"} 4
# HELP denmap_interface_protected Whether the kernel program is attached to an interface that is to be protected.
# TYPE denmap_interface_protected gauge
denmap_interface_protected{interface="eth0",mode="native"} 1
denmap_interface_protected{interface="eth1",mode="generic"} 0
# HELP denmap_mail_queue Mail messages that wait to be sent.
# TYPE denmap_mail_queue gauge
denmap_mail_queue 6
# HELP denmap_map_capacity Entries that a table of the kernel program has room for.
# TYPE denmap_map_capacity gauge
denmap_map_capacity{map="bans"} 20
denmap_map_capacity{map="sources"} 10
# HELP denmap_map_entries Entries of a table of the kernel program.
# TYPE denmap_map_entries gauge
denmap_map_entries{map="bans"} 0
denmap_map_entries{map="sources"} 5
# HELP denmap_packets_total Packets that the kernel program decided on since the interface was attached.
# TYPE denmap_packets_total counter
denmap_packets_total{interface="eth0",reason="banned",verdict="drop"} 7
denmap_packets_total{interface="eth0",reason="established",verdict="pass"} 100
denmap_packets_total{interface="eth1",reason="banned",verdict="drop"} 8
`
	names := slices.DeleteFunc(slices.Clone(wanted), func(n string) bool {
		return n == "denmap_scans_total" || n == "denmap_build_info" || n == "denmap_event_latency_seconds"
	})
	if err := testutil.GatherAndCompare(m.registry, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	for kind, n := range map[string]float64{"syn": 2, "fin": 1, "udp": 0} {
		if got := testutil.ToFloat64(m.scans.WithLabelValues(kind)); got != n {
			t.Errorf("%v scans of %s, want %v", got, kind, n)
		}
	}
	if len(m.open) != 1 {
		t.Errorf("open scans %v, want B", m.open)
	}
	text := mustGet(t, m)
	for _, line := range []string{
		`denmap_build_info{goversion="go1.`, `revision="abc",version="1.2.3"} 1`,
		`denmap_event_latency_seconds_bucket{le="0.025"} 4`, "denmap_event_latency_seconds_count 4",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is missing in\n%s", line, text)
		}
	}
}

func mustGet(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestLint(t *testing.T) {
	m := New(testOptions())
	m.Handle(scan("A", event.SourceBanned, kinds(event.SYN)))
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("problems %+v, %v", problems, err)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "denmap_") {
			names = append(names, f.GetName())
		}
		for _, metric := range f.GetMetric() {
			for _, label := range metric.GetLabel() {
				if _, err := netip.ParseAddr(label.GetValue()); err == nil {
					t.Errorf("%s has the address %s as a label", f.GetName(), label.GetValue())
				}
			}
		}
	}
	want := slices.Sorted(slices.Values(wanted))
	if !slices.Equal(names, want) {
		t.Errorf("metrics %q, want %q", names, want)
	}
}

// What cannot be read costs only its own metrics, and what is read may be
// anything.
func TestTroubledProviders(t *testing.T) {
	o := testOptions()
	broken := errors.New("no such table")
	o.Tables = func() ([]Table, error) { return nil, broken }
	o.ActiveBans = func() (int, error) { return 0, broken }
	o.Packets = func() ([]Packets, error) {
		return []Packets{{"bad\xff", "pass", "open", 1}, {"bad\xff", "pass", "open", 2}, {"eth0", "lost", "new", 9}}, broken
	}
	o.Interfaces = func() ([]Interface, error) {
		return []Interface{{"eth0", "native", true}, {"eth0", "native", false}, {"eth1", "native", true}}, nil
	}
	text := mustGet(t, New(o))
	for _, line := range []string{
		`denmap_packets_total{interface="bad` + "\ufffd" + `",reason="open",verdict="pass"} 3`,
		`denmap_events_lost_total{stage="new"} 9`,
		`denmap_interface_protected{interface="eth0",mode="native"} 0`,
		`denmap_interface_protected{interface="eth1",mode="native"} 1`,
		"denmap_mail_queue 6",
	} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is missing in\n%s", line, text)
		}
	}
	for _, name := range []string{"denmap_active_bans ", "denmap_map_entries{"} {
		if strings.Contains(text, name) {
			t.Errorf("%q is there", name)
		}
	}
	// Without any provider.
	if text := mustGet(t, New(Options{})); !strings.Contains(text, "denmap_build_info{") {
		t.Errorf("without providers: %s", text)
	}
}

// Scans that never end must not pile up.
func TestOpenScansAreBounded(t *testing.T) {
	m := New(Options{})
	for i := range maxOpenScans + 10 {
		m.Handle(scan(fmt.Sprint(i), event.ScanDetected, kinds(event.SYN)))
	}
	if len(m.open) > maxOpenScans {
		t.Errorf("%d scans are remembered", len(m.open))
	}
	if got := testutil.ToFloat64(m.scans.WithLabelValues("syn")); got != maxOpenScans+10 {
		t.Errorf("%v scans counted", got)
	}
}
