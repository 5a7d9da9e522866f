// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"time"

	"denmap/loader"
	"denmap/userspace/event"
	"denmap/userspace/eventlog"
)

// TestNotAttached covers what needs the kernel, without it.
func TestNotAttached(t *testing.T) {
	c := newConsole(t)
	for _, line := range []string{"status", "sources", "pause 10m", "resume"} {
		got := c.run(strings.Fields(line)...)
		if got.code != 1 || got.stdout != "" || !strings.HasPrefix(got.stderr, "denmap: error: DenMap is not attached\ndenmap: hint: denmap attach IFACE") {
			t.Errorf("%s: %+v", line, got)
		}
	}
	if got := c.run("pause", "soon"); got.code != 2 || !strings.Contains(got.stderr, "soon") {
		t.Errorf("pause soon: %+v", got)
	}
	got := c.run("status", "--json")
	var document struct {
		Schema   int  `json:"schema"`
		Attached bool `json:"attached"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &document); err != nil || got.code != 1 || document.Schema != 1 || document.Attached {
		t.Errorf("status --json: %+v, %v", got, err)
	}
	got = c.run("health")
	if got.code != 2 || got.stderr != "" || !strings.HasPrefix(got.stdout, "DENMAP CRITICAL - DenMap is not attached: ") || strings.Count(got.stdout, "\n") != 1 {
		t.Errorf("health: %+v", got)
	}
}

func TestCheckFiles(t *testing.T) {
	const passes = " passes: DenMap is not attached, so every packet does\n"
	c := newConsole(t)
	c.write("allow.list", "203.0.113.0/24 watch # ours\n")
	c.write("deny.list", "# bad ones\n198.51.100.7 until=2026-01-03T00:00:00Z\n")
	c.saveBans()
	c.expect("check 203.0.113.200", outcome{stdout: "203.0.113.200" + passes +
		"also: allow list, $DIR/allow.list line 1, as part of 203.0.113.0/24, watched (ours)\n"})
	c.expect("check 198.51.100.7", outcome{stdout: "198.51.100.7" + passes +
		"also: deny list, $DIR/deny.list line 2, until 2026-01-03 00:00:00\n" +
		"also: banned until 2026-01-02 04:04:05 (1h left), manual, 0 packets dropped (asked, twice)\n"})
	c.expect("check 2001:db8:9::5", outcome{stdout: "2001:db8:9::5" + passes +
		"also: banned for good (- left), proven, 0 packets dropped, as part of 2001:db8:9::/64\n"})
	c.expect("check 192.0.2.254", outcome{stdout: "192.0.2.254" + passes + "also: a gateway, never banned automatically\n"})
	c.expect("check 192.0.2.99 --json", outcome{stdout: `{
  "schema": 1,
  "address": "192.0.2.99",
  "verdict": "pass",
  "reason": "not-attached",
  "facts": [
    {
      "check": "not-attached",
      "text": "DenMap is not attached, so every packet does",
      "decides": true
    }
  ]
}
`})
	if got := c.run("check", "example"); got.code != 2 || !strings.Contains(got.stderr, `"example"`) {
		t.Errorf("check example: %+v", got)
	}
	if got := c.run("check", "192.0.2.0/24"); got.code != 2 {
		t.Errorf("check of a network: %+v", got)
	}
	c.write("deny.list", badList)
	if got := c.run("check", "198.51.100.7"); got.code != 1 || !strings.Contains(got.stderr, "line 7") {
		t.Errorf("check with a bad list: %+v", got)
	}
}

func TestConfig(t *testing.T) {
	c := newConsole(t)
	c.configure("notify: {urls: [\"telegram://secret@telegram?chats=1\"]}\ndetect: {ban_score: 12}\n")
	c.expect("config check", said("the configuration is good"))
	c.expect("config check --json", outcome{stdout: "{\n  \"schema\": 1,\n  \"ok\": true,\n  \"problems\": [],\n  \"omitted\": 0\n}\n"})
	got := c.run("config", "show")
	if got.code != 0 || !strings.Contains(got.stdout, "ban_score: 12") || !strings.Contains(got.stdout, "state_dir: $DIR/state") || strings.Contains(got.stdout, "secret") {
		t.Errorf("config show: %+v", got)
	}
	got = c.run("config", "--json")
	var document struct {
		Schema int `json:"schema"`
		Config struct {
			Detect struct {
				BanScore int `json:"ban_score"`
			} `json:"detect"`
		} `json:"config"`
	}
	if err := json.Unmarshal([]byte(got.stdout), &document); err != nil || document.Schema != 1 || document.Config.Detect.BanScore != 12 || strings.Contains(got.stdout, "secret") {
		t.Errorf("config show --json: %+v, %v", got, err)
	}
	c.write("denmap.yaml", "mode: enforce\ndetect:\n  ban_skore: 8\nmode: both\n")
	got = c.run("config", "check")
	if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "denmap: error: $DIR/denmap.yaml:3: ") || strings.Count(got.stderr, "\n") < 2 {
		t.Errorf("config check: %+v", got)
	}
	got = c.run("config", "check", "--json")
	if got.code != 1 || got.stderr != "" || !strings.Contains(got.stdout, `"ok": false`) || !strings.Contains(got.stdout, `"line": 3`) {
		t.Errorf("config check --json: %+v", got)
	}
}

// writeLog logs a scan of the past hour and a change of a list before.
func (c *console) writeLog() {
	c.t.Helper()
	log, err := eventlog.Open(eventlog.Options{Path: c.path("log/events.log"), Meta: eventlog.Meta{Version: "test", Hostname: "web1"}, Now: c.env.Now})
	if err != nil {
		c.t.Fatal(err)
	}
	scan := event.Scan{
		Source: netip.MustParsePrefix("203.0.113.7/32"), Destination: netip.MustParseAddr("192.0.2.1"), Kinds: event.Kinds(0).With(event.SYN),
		Tool: event.ToolNmap, Confidence: event.High, Transport: "tcp", Score: 8, Threshold: 8, Probes: 4, Distinct: 4,
		Ports: []uint16{22, 80, 443, 8080}, First: testNow.Add(-30 * time.Minute), Last: testNow.Add(-30 * time.Minute),
		Enforced: true, BanUntil: testNow.Add(-20 * time.Minute),
	}
	for _, e := range []event.Event{
		{ID: "01J00000000000000000000001", Time: testNow.Add(-48 * time.Hour), Action: event.ListChanged, List: &event.ListChange{List: "deny", Path: "/etc/denmap/deny.list", Added: 1, Total: 1, Type: "change"}},
		{ID: "01J00000000000000000000002", Time: testNow.Add(-30 * time.Minute), Action: event.SourceBanned, Scan: &scan, Interface: "eth0", Reason: "score 8 of 8"},
	} {
		if err := log.Write(e); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := log.Close(); err != nil {
		c.t.Fatal(err)
	}
}

func TestLog(t *testing.T) {
	c := newConsole(t)
	got := c.run("log")
	if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, "$DIR/log/events.log") {
		t.Errorf("log without one: %+v", got)
	}
	c.writeLog()
	tests := []struct {
		line          string
		banned, lists bool
	}{
		{"log", true, true},
		{"log --since 1h", true, false},
		{"log --until 1h", false, true},
		{"log --since 2026-01-02", true, false},
		{"log --until 2026-01-02T00:00:00Z", false, true},
		{"log --source 203.0.113.7", true, false},
		{"log --source 203.0.113.0/24 --kind fin,syn", true, false},
		{"log --action list-changed", false, true},
		{"log --action list-changed --action source-banned -n 1", true, false},
		{"log -n1 --json", true, false},
	}
	for _, test := range tests {
		got := c.run(strings.Fields(test.line)...)
		if got.code != 0 || got.stderr != "" || strings.Contains(got.stdout, "203.0.113.7") != test.banned || strings.Contains(got.stdout, "list-changed") != test.lists {
			t.Errorf("%s: %+v", test.line, got)
		}
	}
	if got := c.run("log", "--json"); strings.Count(got.stdout, "\n") != 2 || !json.Valid([]byte(strings.SplitN(got.stdout, "\n", 2)[0])) {
		t.Errorf("log --json: %+v", got)
	}
	c.expect("log --kind null", said("no event fits"))
	c.expect("log --kind sin", refused(2, `option --kind: unknown kind "sin"`, "did you mean syn?"))
	c.expect("log --action banned", refused(2, `option --action: unknown action "banned": expected scan-detected, source-banned, source-unbanned, scan-ended, list-changed, attached, detached or events-lost`))
	c.expect("log -n 0", refused(2, "option -n: 0: expected at least 1"))
	c.expect("log --since yesterday", refused(2, `option --since: "yesterday": expected a duration such as 2h or a time such as 2026-01-02T15:04:05Z`))
	if got := c.run("log", "--source", "x"); got.code != 2 {
		t.Errorf("log --source x: %+v", got)
	}
}

func TestVersion(t *testing.T) {
	c := newConsole(t)
	for _, line := range []string{"version", "--version"} {
		if got := c.run(line); got.code != 0 || !strings.HasPrefix(got.stdout, "denmap ") || got.stderr != "" {
			t.Errorf("%s: %+v", line, got)
		}
	}
	if got := c.run("version", "--json"); !strings.Contains(got.stdout, `"schema": 1`) {
		t.Errorf("version --json: %+v", got)
	}
}

// TestLogFollow waits for a line that is written after the command began.
func TestLogFollow(t *testing.T) {
	c := newConsole(t)
	c.writeLog()
	ctx, stop := context.WithTimeout(context.Background(), 30*time.Second)
	defer stop()
	out, in := io.Pipe()
	env := *c.env
	env.Stdout, env.Stderr = in, io.Discard
	done := make(chan int, 1)
	go func() {
		code := run(ctx, &env, []string{"log", "--follow", "-n1", "--action", "source-banned"})
		in.Close()
		done <- code
	}()
	lines := bufio.NewScanner(out)
	for i := range 2 {
		if !lines.Scan() || !strings.Contains(lines.Text(), "203.0.113.7") {
			t.Fatalf("line %d: %q, %v", i+1, lines.Text(), lines.Err())
		}
		if i == 0 {
			c.writeLog()
		}
	}
	stop()
	if lines.Scan() {
		t.Errorf("one line more: %q", lines.Text())
	}
	if code := <-done; code != 0 {
		t.Errorf("exit code %d after an interrupt, want 0", code)
	}
}

// TestClosedOutput reports a standard output that cannot be written.
func TestClosedOutput(t *testing.T) {
	c := newConsole(t)
	c.saveBans()
	c.writeLog()
	c.write("deny.list", "203.0.113.7\n")
	for _, line := range []string{"bans", "bans --json", "bans --format csv", "lists", "log", "log --json", "config show", "version", "check 203.0.113.7", "help", "completion bash"} {
		out, in := io.Pipe()
		out.Close()
		var stderr strings.Builder
		env := *c.env
		env.Stdout, env.Stderr = in, &stderr
		if code := run(context.Background(), &env, strings.Fields(line)); code != 1 || !strings.Contains(stderr.String(), "denmap: error: ") {
			t.Errorf("%s: exit code %d, %q", line, code, stderr.String())
		}
	}
}

func TestHealthFails(t *testing.T) {
	c := newConsole(t)
	tests := []struct {
		err  error
		root bool
		want verdict
		text string
	}{
		{fmt.Errorf("open: %w", fs.ErrPermission), false, unknown, "health needs root"},
		{fmt.Errorf("open: %w", fs.ErrPermission), true, unknown, "open: permission denied"},
		{&loader.LayoutError{Found: 99}, true, unknown, "pinned state has layout 99, and this denmap knows layouts up to "},
		{loader.ErrNotAttached, true, critical, "DenMap is not attached"},
	}
	for _, test := range tests {
		env := *c.env
		env.Root = test.root
		h := &healthReport{}
		h.fail(&env, test.err)
		if h.worst != test.want || !strings.Contains(h.line(), test.text) {
			t.Errorf("health with %v: %v, %q, want %v", test.err, h.worst, h.line(), test.want)
		}
	}
	h := &healthReport{}
	h.add(critical, "worse | %s", "bad\n")
	h.add(unknown, "who knows")
	h.add(warning, "bad")
	if got := h.line(); h.worst != critical || !strings.HasPrefix(got, "DENMAP CRITICAL - worse / bad?; who knows; bad | ") {
		t.Errorf("line %q", got)
	}
}
