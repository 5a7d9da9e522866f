// SPDX-License-Identifier: MIT

package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

// start is noon, so that nothing in a test meets midnight by chance.
var start = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestOneScanOneMail(t *testing.T) {
	w := newWorld(t, nil)
	w.handle(w.scan(event.ScanDetected, "203.0.113.7"))
	w.handle(w.scan(event.SourceBanned, "203.0.113.7"))
	w.run(2 * time.Second)
	if len(w.mails()) != 0 {
		t.Fatal("told before the ban could join the alert")
	}
	w.run(10 * time.Minute)
	w.handle(w.scan(event.SourceUnbanned, "203.0.113.7"))
	w.handle(w.scan(event.ScanEnded, "203.0.113.7"))
	w.run(12 * time.Hour)
	if len(w.mails()) != 1 {
		t.Fatalf("%d mails, want 1", len(w.mails()))
	}
	if d := w.times[0].Sub(start); d > 6*time.Second {
		t.Errorf("told after %s", d)
	}
	m := w.mails()[0]
	if want := "[DenMap] web1: SYN scan by 203.0.113.7 (GB), banned"; m.Subject != want {
		t.Errorf("subject = %q, want %q", m.Subject, want)
	}
	for _, want := range []string{"203.0.113.7", "London, United Kingdom (GB); AS64500 Example Ltd", "SYN (tcp), looks like nmap (high confidence)",
		"22, 80, 443, 8080", "banned until 2026-01-02 12:10:00", "2026-01-02 11:59:59", "198.51.100.1", "score 8 of 8", "forged"} {
		if !strings.Contains(m.Text, want) || !strings.Contains(m.HTML, want) {
			t.Errorf("mail lacks %q:\n%s", want, m.Text)
		}
	}
	hooks := w.sent["webhook"]
	if len(hooks) != 1 || string(hooks[0].Body) != `{"event":{"id":"scan-203.0.113.7","action":"source-banned"}}` {
		t.Errorf("webhook got %+v, want the event of the ban alone", hooks)
	}
	if chats := w.sent["slack"]; len(chats) != 1 || !strings.Contains(chats[0].Short, "banned until") {
		t.Errorf("chat got %+v", chats)
	}
}

// thousand makes a thousand scanners, half of them banned, in a minute.
func (w *world) thousand(address func(i int) string) {
	for i := range 1000 {
		w.handle(w.scan(event.ScanDetected, address(i)))
		if i%2 == 0 {
			w.handle(w.scan(event.SourceBanned, address(i)))
		}
		w.run(60 * time.Millisecond)
	}
}

func external(i int) string { return fmt.Sprintf("2001:db8:%x::%x", i%7, i+1) }

func TestThousandScanners(t *testing.T) {
	rows := []struct {
		name    string
		address func(int) string
	}{
		{"from the internet", external},
		{"from inside", func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/250, i%250+1) }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.thousand(row.address)
			w.run(time.Hour)
			if n := len(w.mails()); n < 1 || n > 2 {
				t.Fatalf("%d mails within the hour, want 1 or 2", n)
			}
			w.run(23 * time.Hour)
			if n := len(w.mails()); n != 2 {
				t.Fatalf("%d mails in the end, want 2", n)
			}
			// A digest counts everybody; alerts count one and "N more" each.
			counted := 0
			for _, m := range w.mails() {
				var n int
				if _, err := fmt.Sscanf(m.Subject, "[DenMap] web1: %d sources scanned", &n); err == nil {
					counted = n
				} else if _, more, ok := strings.Cut(m.Subject, "(and "); ok {
					fmt.Sscan(more, &n)
					counted += 1 + n
				}
			}
			if counted != 1000 {
				t.Errorf("%d scanners counted in %q", counted, subjects(w.mails()))
			}
		})
	}
}

func TestThousandScannersAreAllCounted(t *testing.T) {
	w := newWorld(t, nil)
	w.thousand(external)
	w.run(61 * time.Minute)
	if len(w.mails()) != 2 {
		t.Fatalf("%d mails, want the first detection and a digest", len(w.mails()))
	}
	m := w.mails()[1]
	if want := "[DenMap] web1: 1000 sources scanned, 500 bans"; m.Subject != want {
		t.Errorf("subject = %q, want %q", m.Subject, want)
	}
	for _, want := range []string{"1000", "1500 events: 1000 alerts, 500 bans", "1000  syn", "1000  United Kingdom", "1000  AS64500 Example Ltd", "and 980 more"} {
		if !strings.Contains(m.Text, want) {
			t.Errorf("digest lacks %q:\n%s", want, m.Text)
		}
	}
	var body struct {
		Event  struct{ Action string }
		DenMap struct{ Digest digestView }
	}
	hooks := w.sent["webhook"]
	if err := json.Unmarshal(hooks[len(hooks)-1].Body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Event.Action != "notification-digest" || body.DenMap.Digest.Sources != 1000 || body.DenMap.Digest.Bans != 500 {
		t.Errorf("webhook body = %+v", body)
	}
}

// A crash in the middle repeats at most, and loses nothing that was
// flushed.
func TestDigestSurvivesRestart(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 300 {
		w.handle(w.scan(event.ScanDetected, external(i)))
		if i%100 == 99 {
			w.run(10 * time.Second)
			w.open()
		}
	}
	w.run(2 * time.Hour)
	if len(w.mails()) != 2 || !strings.Contains(w.mails()[1].Subject, "300 sources") {
		t.Fatalf("mails = %v, want the first and a digest of 300", subjects(w.mails()))
	}
}

func TestToldAtOnce(t *testing.T) {
	protected := func(w *world) { e := w.scan(event.SourceBanned, "192.0.2.53"); e.Scan.Protected = true; w.handle(e) }
	rows := []struct {
		name string
		do   func(*world)
		want string
	}{
		{"protected source", protected, "SYN scan by 192.0.2.53 (GB), banned"},
		{"internal source", func(w *world) { w.handle(w.scan(event.ScanDetected, "10.1.2.3")) }, "SYN scan by 10.1.2.3 (GB)"},
		{"protection lost", func(w *world) {
			w.handle(event.Event{Time: w.clock.Now(), Action: event.Detached, Interface: "eth0", Reason: "link is gone"})
		}, "protection lost on eth0"},
		{"events lost", func(w *world) {
			w.handle(event.Event{Time: w.clock.Now(), Action: event.EventsLost, Lost: &event.Loss{Stage: "ring-buffer", Count: 7}})
		}, "7 events lost (ring-buffer)"},
		{"table full", func(w *world) {
			w.n.Notice(Notice{Class: ClassTableFull, Key: "sources", Text: "the table of sources is full"})
		}, "table full: sources"},
		{"configuration refused", func(w *world) {
			w.n.Notice(Notice{Class: ClassConfig, Key: "denmap.yaml", Text: "line 3: unknown key"})
		}, "configuration refused"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, nil)
			// Not a quiet day.
			w.handle(w.scan(event.ScanDetected, "203.0.113.200"))
			w.run(2 * time.Hour)
			before := len(w.mails())
			row.do(w)
			w.run(10 * time.Second)
			if got := subjects(w.mails()[before:]); len(got) != 1 || got[0] != "[DenMap] web1: "+row.want {
				t.Fatalf("mails = %q, want one about %q", got, row.want)
			}
			// Again and again: not at once, but not forgotten either.
			for range 20 {
				row.do(w)
				w.run(time.Minute)
			}
			if n := len(w.mails()) - before; n > 1 {
				t.Errorf("%d mails about the same within 20 minutes", n)
			}
		})
	}
}

func TestNeverTold(t *testing.T) {
	rows := []struct {
		name string
		do   func(*world)
	}{
		{"watched source", func(w *world) {
			e := w.scan(event.SourceBanned, "10.0.0.1")
			e.Scan.Watched = true
			w.handle(e)
		}},
		{"planned stop", func(w *world) {
			w.handle(event.Event{Time: w.clock.Now(), Action: event.Detached, Interface: "eth0", Reason: event.ReasonStopped})
		}},
		{"start", func(w *world) {
			w.handle(event.Event{Time: w.clock.Now(), Action: event.Attached, Interface: "eth0", Mode: "native"})
		}},
		{"block missing", func(w *world) { w.handle(event.Event{Time: w.clock.Now(), Action: event.SourceBanned}) }},
		{"zero event", func(w *world) { w.handle(event.Event{}) }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, nil)
			row.do(w)
			w.run(48 * time.Hour)
			if len(w.mails()) != 0 {
				t.Errorf("mails = %q", subjects(w.mails()))
			}
			if !w.n.st.Digest.empty() {
				t.Error("the digest keeps what will never be told")
			}
		})
	}
	t.Run("watched, when asked", func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.Rules.Watched = true })
		rows[0].do(w)
		w.run(time.Minute)
		if len(w.mails()) != 1 {
			t.Errorf("%d mails, want 1", len(w.mails()))
		}
	})
}

var errDown = errors.New("server is down")
