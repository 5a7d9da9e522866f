// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/event"
	"denmap/userspace/notify"
)

// mailServer is a mail server on a loopback port that takes everything,
// but for recipients with "bad" in their name.
func mailServer(t *testing.T) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			takeMail(conn)
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return listener.Addr().(*net.TCPAddr).Port
}

func takeMail(conn net.Conn) {
	defer conn.Close()
	fmt.Fprint(conn, "220 test\r\n")
	lines := bufio.NewScanner(conn)
	inBody := false
	for lines.Scan() {
		line := lines.Text()
		answer := "250 go on"
		switch {
		case inBody && line != ".":
			continue
		case inBody:
			inBody = false
		case line == "DATA":
			inBody, answer = true, "354 go on"
		case strings.HasPrefix(line, "RCPT") && strings.Contains(line, "bad"):
			answer = "550 unknown"
		}
		fmt.Fprint(conn, answer+"\r\n")
		if line == "QUIT" {
			return
		}
	}
}

func TestMailTest(t *testing.T) {
	c := newConsole(t)
	c.expect("mail test", refused(1, "mail test: nobody is to be told", "set mail.host and mail.to, or notify.urls, in $DIR/denmap.yaml"))
	port := mailServer(t)
	mail := func(rest string) { c.configure(fmt.Sprintf("mail: {host: 127.0.0.1, tls: none, %s}\n", rest)) }
	mail(fmt.Sprintf("port: %d, to: [good@example.org, also@example.org]", port))
	c.expect("mail test", outcome{stdout: fmt.Sprintf("mail: 127.0.0.1 port %d accepted a test message to good@example.org, also@example.org\n", port)})
	c.contains("mail test --json", 0, `"target": "mail"`, `"accepted": true`)
	mail(fmt.Sprintf("port: %d, to: [good@example.org, bad@example.org]", port))
	c.contains("mail test", 1, "accepted a test message", "mail: but REFUSED the recipient bad@example.org: 550 unknown\n")
	mail(fmt.Sprintf("port: %d, to: [bad@example.org]", port))
	c.contains("mail test", 1, "mail: FAILED: ", "refused the recipient bad@example.org (550 unknown)")
	c.configure("mail: {host: mail.example.org, to: [a@example.org], tls: none}\n")
	c.contains("mail test", 1, "only loopback addresses, unless notify.allow_plaintext is true")
	c.configure("notify: {urls: ['nosuchservice://secret-token']}\n")
	c.contains("mail test", 1, "nosuchservice")
	if got := c.run("mail", "test"); strings.Contains(got.stderr, "secret-token") {
		t.Errorf("the URL is shown: %q", got.stderr)
	}
}

// TestNotifyStatus shows what the daemon left about mail.
func TestNotifyStatus(t *testing.T) {
	c := newConsole(t)
	report := func() *notifyStatus {
		cfg, err := config.Load(c.env.ConfigPath, true)
		if err != nil {
			t.Fatal(err)
		}
		var r statusReport
		r.readNotify(cfg)
		return r.Notify
	}
	text := func() string {
		var out strings.Builder
		report().write(&out, c.env)
		return out.String()
	}
	if got := text(); got != "" {
		t.Errorf("with nobody to tell: %q", got)
	}
	c.configure("mail: {host: mail.example.org, to: [a@example.org]}\n")
	if got := text(); got != "notify: nothing is known: no daemon has run with these settings yet\n" {
		t.Errorf("before the first start: %q", got)
	}
	status := notify.Status{
		Schema: 1, Queued: 2, SentToday: 3, MaxPerDay: 24, PendingSources: 12, NextDigest: testNow.Add(time.Hour),
		Volatile: 1, Dropped: 4, Failed: 5, Overflow: 6, StateError: "no space",
		Targets: []notify.TargetStatus{
			{Name: "mail", Queued: 2, Oldest: testNow, Failures: 3, NextAttempt: testNow.Add(time.Minute), LastError: "nothing listens\x1b[31m"},
			{Name: "slack", LastSent: testNow},
		},
		Refused: []notify.Refusal{{Recipient: "b@example.org", Answer: "550 unknown"}},
	}
	data, err := json.Marshal(status)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(c.path("state"), 0o700); err != nil {
		t.Fatal(err)
	}
	c.write("state/notify-status.json", string(data))
	want := `notify: 2 messages wait, 3 of 24 today; next digest at 2026-01-02 04:04:05, of 12 sources so far
  mail: 2 messages wait since 2026-01-02 03:04:05, next attempt at 2026-01-02 03:05:05; failed 3 times in a row: nothing listens?[31m
  slack: nothing waits, last delivered 2026-01-02 03:04:05
  1 message in memory alone: lost by a restart
  4 messages dropped: the queue was full
  5 messages given up
  6 events not told: too many at once
  no space
  refused recipient b@example.org: 550 unknown
`
	if got := text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	c.write("state/notify-status.json", "half a fi")
	if got := text(); !strings.HasPrefix(got, "notify: ") || strings.Count(got, "\n") != 1 || !strings.Contains(got, "notify-status.json") {
		t.Errorf("with a broken file: %q", got)
	}
}

// TestNotifyNames holds the names that two packages must agree on
// together.
func TestNotifyNames(t *testing.T) {
	for ours, theirs := range map[string]string{
		daemon.ConfigRefused: string(notify.ClassConfig), daemon.TableFull: string(notify.ClassTableFull),
	} {
		if ours != theirs {
			t.Errorf("%q, but %q in package notify", ours, theirs)
		}
	}
}

func TestNotifyRules(t *testing.T) {
	internal := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	got := notifyRules(config.Notify{
		MinSeverity: 3, Watched: true, Internal: internal,
		AtOnce: []event.Action{event.SourceBanned}, InDigest: []event.Action{event.EventsLost}, Never: []event.Action{event.ListChanged},
	})
	want := notify.Rules{MinSeverity: 3, Watched: true, Internal: internal, Actions: map[event.Action]notify.When{
		event.SourceBanned: notify.Now, event.EventsLost: notify.InDigest, event.ListChanged: notify.Never,
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("rules %+v, want %+v", got, want)
	}
	if got := notifyRules(config.Default().Notify); got.Actions != nil || got.MinSeverity != notify.SeverityCrafted {
		t.Errorf("default rules %+v", got)
	}
}

func TestDefaultSender(t *testing.T) {
	for host, want := range map[string]string{
		"web1.example.org": "denmap@web1.example.org", "web1": "denmap@web1", "": "denmap@localhost", "a b": "denmap@localhost", "x@y": "denmap@localhost",
	} {
		if got := defaultSender(host); got != want {
			t.Errorf("sender at %q: %q, want %q", host, got, want)
		}
	}
}

// stuckWriter never returns until it is freed.
type stuckWriter chan struct{}

func (w stuckWriter) Write(p []byte) (int, error) { <-w; return len(p), nil }

// TestLinesNeverBlock writes to a standard error that nobody reads.
func TestLinesNeverBlock(t *testing.T) {
	stuck := make(stuckWriter)
	l := newLines(stuck)
	for range 3 * linesQueue {
		l.write("denmap: something\n")
	}
	l.close() // gives up after a while
	close(stuck)
	<-l.done
}

// TestLinesMissing says how many lines found no room.
func TestLinesMissing(t *testing.T) {
	var out strings.Builder
	l := &lines{w: &out, queue: make(chan string, 2), lost: make(chan int, 1), quit: make(chan struct{}), done: make(chan struct{})}
	l.lost <- 0
	for i := range 5 {
		l.write(fmt.Sprintf("line %d\n", i))
	}
	go l.run()
	l.close()
	if got := out.String(); got != "line 0\ndenmap: 3 lines are missing here: standard error was not read\nline 1\n" {
		t.Errorf("written %q", got)
	}
}
