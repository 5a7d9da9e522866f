// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/history"
)

// historyEvent is a scan that ended so long before testNow.
func historyEvent(id, source string, ago time.Duration, change func(*event.Event)) event.Event {
	at := testNow.Add(-ago)
	e := event.Event{
		ID: id, Time: at, Action: event.ScanDetected, Interface: "eth0", Reason: "score 4 of 4",
		Scan: &event.Scan{
			Source: netip.MustParsePrefix(source), Destination: netip.MustParseAddr("192.0.2.1"),
			Kinds: event.Kinds(0).With(event.SYN), Tool: event.ToolNmap, Confidence: event.High, Transport: "tcp",
			Score: 4, Threshold: 4, Probes: 4, Distinct: 6, Ports: []uint16{22, 80, 443, 8080},
			First: at.Add(-time.Minute), Last: at, Enforced: true,
		},
	}
	if change != nil {
		change(&e)
	}
	return e
}

// writeHistory makes a history and leaves it open, as a daemon does.
func (c *console) writeHistory() *history.DB {
	c.t.Helper()
	db, err := history.Open(history.Options{Path: c.path("state/history.db"), Clock: func() time.Time { return testNow }})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { db.Close() })
	events := []event.Event{
		historyEvent("A", "198.51.100.7/32", 48*time.Hour, func(e *event.Event) {
			e.Scan.Place = event.Place{CountryISO: "NL", Country: "Netherlands", City: "=cmd()", ASNumber: 64500, ASName: "Exämple\x1b, \"Inc\""}
		}),
		historyEvent("B", "203.0.113.9/32", 2*time.Hour, func(e *event.Event) {
			e.Action, e.Reason = event.SourceBanned, "score 8 of 8"
			e.Scan.Score, e.Scan.BanUntil, e.Scan.Grade = 8, e.Time.Add(10*time.Minute), event.Proven
			e.Scan.Kinds = e.Scan.Kinds.With(event.FIN)
			e.Scan.Group = &event.Group{ID: "B", Size: 5, Sources: []netip.Prefix{e.Scan.Source}}
		}),
		historyEvent("C", "2001:db8:5::/64", time.Hour, func(e *event.Event) {
			e.Action, e.Scan.Enforced = event.SourceBanned, false
			e.Scan.Place.Special = "documentation"
		}),
	}
	for _, e := range events {
		db.Handle(e)
	}
	for deadline := time.Now().Add(20 * time.Second); db.Stats().Stored < uint64(len(events)); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("the history is not written: %+v", db.Stats())
		}
	}
	return db
}

// runHistory is run for an app that has the command, whether or not newApp
// lists it.
func (c *console) runHistory(args ...string) outcome {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	env := *c.env
	env.Stdin, env.Stdout, env.Stderr = strings.NewReader(""), &stdout, &stderr
	app := newApp(&env)
	if find(app.Commands, "history") == nil {
		app.Commands = append(app.Commands, historyCommand(&env))
	}
	finish(app.Commands)
	line, err := arrange(app, args)
	name := ""
	if err == nil {
		name = line.name()
		err = app.RunContext(ctx, append([]string{app.Name}, line.argv...))
	}
	code := env.report(err, name, false)
	return outcome{code, c.hide(stdout.String()), c.hide(stderr.String())}
}

func TestHistoryTable(t *testing.T) {
	c := newConsole(t)
	c.writeHistory()
	const (
		head = "LAST                 SOURCE           PLACE          SCAN     TOOL  SCORE  ACTION            PORTS\n"
		a    = "2025-12-31 03:04:05  198.51.100.7     NL             syn      nmap  4      detected          22,80,443,8080 +2\n"
		b    = "2026-01-02 01:04:05  203.0.113.9      -              syn,fin  nmap  8      banned (proven)   22,80,443,8080 +2\n"
		d    = "2026-01-02 02:04:05  2001:db8:5::/64  documentation  syn      nmap  4      would-ban (blind)  22,80,443,8080 +2\n"
	)
	got := c.runHistory("history")
	if want := squeeze(head + a + b + d); got.code != 0 || squeeze(got.stdout) != want || got.stderr != "" {
		t.Errorf("got %+v\nwant %s", got, want)
	}
	for line, want := range map[string]string{
		"history --since 1d":                          head + b + d,
		"history --until 2026-01-01":                  head + a,
		"history --since 3h --until 90m":              head + b,
		"history --source 198.51.100.0/24":            head + a,
		"history --source 2001:db8:5::77":             head + d,
		"history --country nl":                        head + a,
		"history --country=-":                         head + b + d,
		"history --kind xmas,fin":                     head + b,
		"history --action would-ban":                  head + d,
		"history --kind syn -n 2":                     head + b + d,
		"history --kind syn --country NL --since 72h": head + a,
	} {
		if got := c.runHistory(strings.Fields(line)...); got.code != 0 || squeeze(got.stdout) != squeeze(want) {
			t.Errorf("%s: %+v\nwant %s", line, got, want)
		}
	}
	if got := c.runHistory("history", "-n", "1"); got.stderr != "denmap: the last 1; there are more: -n, --since, --csv\n" {
		t.Errorf("-n 1: %+v", got)
	}
	c.compare("history --kind sweep", c.runHistory("history", "--kind", "sweep"), outcome{stderr: "denmap: no scan fits\n"})
}

// squeeze makes columns one blank apart.
func squeeze(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	return strings.Join(lines, "\n")
}

func TestHistoryJSON(t *testing.T) {
	c := newConsole(t)
	c.writeHistory()
	got := c.runHistory("history", "--json")
	var document struct {
		Schema int            `json:"schema"`
		Scans  []scanDocument `json:"scans"`
		Gaps   []gapDocument  `json:"gaps"`
	}
	d := json.NewDecoder(strings.NewReader(got.stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&document); err != nil || got.code != 0 || document.Schema != 1 || len(document.Scans) != 3 {
		t.Fatalf("%v in %+v", err, got)
	}
	first, second := document.Scans[0], document.Scans[1]
	if first.ID != "A" || first.Place == nil || first.Place.CountryISO != "NL" || first.Scan[0] != "syn" || len(first.Ports) != 4 || !first.Last.Equal(testNow.Add(-48*time.Hour)) {
		t.Errorf("the first scan %+v", first)
	}
	if second.Action != history.Banned || second.Grade != "proven" || second.Place != nil || second.BanUntil.IsZero() || !second.Ended.IsZero() {
		t.Errorf("the second scan %+v", second)
	}
	if g := second.Group; g == nil || g.Size != 5 || g.Sources[0] != "203.0.113.9" || len(g.Proven) != 0 || first.Group != nil {
		t.Errorf("groups %+v and %+v", first.Group, second.Group)
	}
	if again := c.runHistory("history", "--json", "-n", "3"); again.stdout != got.stdout {
		t.Errorf("with -n 3: %s", again.stdout)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(got.stdout), "", "  "); err != nil || indented.String() != got.stdout {
		t.Errorf("%v; not indented as other documents are:\n%s", err, got.stdout)
	}
	c.compare("history --json --kind sweep", c.runHistory("history", "--json", "--kind", "sweep"), outcome{stdout: "{\n  \"schema\": 1,\n  \"scans\": [],\n  \"gaps\": []\n}\n"})
}

// What the history cannot know is told.
func TestHistoryGaps(t *testing.T) {
	c := newConsole(t)
	if err := c.writeHistory().Close(); err != nil {
		t.Fatal(err)
	}
	later := testNow.Add(time.Hour)
	db, err := history.Open(history.Options{Path: c.path("state/history.db"), Clock: func() time.Time { return later }})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		db.Handle(event.Event{ID: "L", Time: later, Action: event.EventsLost, Lost: &event.Loss{Stage: "queue", Count: 6}})
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	const said = "denmap: no daemon from 2026-01-02 03:04:05 to 2026-01-02 04:04:05 (stopped)\ndenmap: 12 events were lost\n"
	if got := c.runHistory("history"); got.code != 0 || got.stderr != said {
		t.Errorf("got %+v, want %s", got, said)
	}
	if got := c.runHistory("history", "--kind", "sweep"); got.stderr != "denmap: no scan fits\n"+said {
		t.Errorf("without scans: %+v", got)
	}
	if got := c.runHistory("history", "--until", "2026-01-01"); got.stderr != "" {
		t.Errorf("before: %+v", got)
	}
	var document struct {
		Gaps []gapDocument `json:"gaps"`
	}
	got := c.runHistory("history", "--json")
	want := []gapDocument{
		{What: history.DaemonDown, From: testNow, To: later, Reason: "stopped"},
		{What: event.EventsLost, From: later, Stage: "queue", Count: 6},
		{What: event.EventsLost, From: later, Stage: "queue", Count: 6},
	}
	if err := json.Unmarshal([]byte(got.stdout), &document); err != nil || !reflect.DeepEqual(document.Gaps, want) {
		t.Errorf("gaps %+v, %v, want %+v", document.Gaps, err, want)
	}
}

func TestHistoryCSV(t *testing.T) {
	c := newConsole(t)
	c.writeHistory()
	got := c.runHistory("history", "--csv")
	rows, err := csv.NewReader(strings.NewReader(got.stdout)).ReadAll()
	if err != nil || got.code != 0 || len(rows) != 4 {
		t.Fatalf("%v in %+v", err, got)
	}
	cell := func(row int, name string) string {
		for i, head := range rows[0] {
			if head == name {
				return rows[row][i]
			}
		}
		t.Fatalf("no column %s", name)
		return ""
	}
	for name, want := range map[string]string{
		"id": "A", "source": "198.51.100.7", "country": "NL", "city": "'=cmd()", "as_organization": "Exämple\x1b, \"Inc\"",
		"last": "2025-12-31T03:04:05Z", "ended": "", "ports": "22 80 443 8080", "action": "detected", "enforced": "true",
	} {
		if got := cell(1, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestHistoryRefuses(t *testing.T) {
	c := newConsole(t)
	for line, want := range map[string]string{
		"history now":                `history: unexpected argument "now"`,
		"history --since soon":       `option --since: "soon": expected a duration`,
		"history --source x":         "option --source: ",
		"history --country NLD":      `option --country: "NLD": expected two letters`,
		"history --country N1":       `option --country: "N1": expected two letters`,
		"history --kind sin":         `option --kind: unknown kind "sin"`,
		"history --action ban":       `option --action: unknown action "ban"`,
		"history -n 0":               "option -n: 0: expected at least 1",
		"history --json --csv":       "history: --json or --csv, not both",
		"history --last 5":           "unknown option --last",
		"history --until 2026-13-01": "option --until: ",
	} {
		if got := c.runHistory(strings.Fields(line)...); got.code != exitUsage || got.stdout != "" || !strings.HasPrefix(got.stderr, "denmap: error: "+want) {
			t.Errorf("%s: %+v", line, got)
		}
	}
	c.compare("history", c.runHistory("history"), outcome{code: exitFailed, stderr: "denmap: error: read history \"$DIR/state/history.db\": no history\n" +
		"denmap: hint: denmap attach begins one; state_dir of the configuration says where\n"})
}

func TestHistoryDamaged(t *testing.T) {
	c := newConsole(t)
	if err := os.Mkdir(c.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.write("state/history.db", strings.Repeat("garbage ", 1000))
	got := c.runHistory("history")
	if got.code != exitFailed || got.stdout != "" || !strings.Contains(got.stderr, "not a database") || strings.Count(got.stderr, "\n") != 1 {
		t.Errorf("got %+v", got)
	}
}

// Many scans come out whole, page by page, while more are written.
func TestHistoryWhileWritten(t *testing.T) {
	c := newConsole(t)
	db := c.writeHistory()
	const more = 3 * history.MaxLimit
	for i := range more {
		db.Handle(historyEvent(time.Duration(i).String(), "192.0.2.99/32", time.Minute, nil))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for db.Stats().Stored < more+3 && ctx.Err() == nil {
		if got := c.runHistory("history", "--csv"); got.code != 0 {
			t.Fatalf("while it is written: %+v", got)
		}
	}
	got := c.runHistory("history", "--csv")
	rows, err := csv.NewReader(strings.NewReader(got.stdout)).ReadAll()
	if err != nil || len(rows) != 1+3+more {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if got := c.runHistory("history"); strings.Count(got.stdout, "\n") != 1+history.MaxLimit || !strings.Contains(got.stderr, "the last 1000; there are more") {
		t.Errorf("%d lines, %s", strings.Count(got.stdout, "\n"), got.stderr)
	}
}
