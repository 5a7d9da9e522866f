// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"denmap/userspace/event"
)

// start is noon, so that nothing in a test meets midnight by chance.
var start = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// fakeClock moves when it is told to.
type fakeClock struct {
	mu      sync.Mutex
	now     time.Time
	waiters []fakeWaiter
}

type fakeWaiter struct {
	at time.Time
	c  chan time.Time
}

func newFakeClock() *fakeClock { return &fakeClock{now: start} }

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) After(d time.Duration) <-chan time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := fakeWaiter{c.now.Add(d), make(chan time.Time, 1)}
	c.waiters = append(c.waiters, w)
	return w.c
}

func (c *fakeClock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
	c.waiters = slices.DeleteFunc(c.waiters, func(w fakeWaiter) bool {
		if w.at.After(now) {
			return false
		}
		w.c <- now
		return true
	})
}

// fakeSender accepts everything unless told otherwise.
type fakeSender struct {
	mu   sync.Mutex
	got  []Message
	send func(ctx context.Context, m Message, settled []string) (Receipt, error)
}

func (f *fakeSender) Send(ctx context.Context, m Message, settled []string) (Receipt, error) {
	f.mu.Lock()
	send := f.send
	f.mu.Unlock()
	if send != nil {
		if r, err := send(ctx, m, settled); err != nil || r.Settled != nil {
			return r, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, m)
	return Receipt{}, nil
}

func (f *fakeSender) messages() []Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

// world is a notifier whose time and deliveries a test drives.
type world struct {
	t     *testing.T
	n     *Notifier
	clock *fakeClock
	o     Options
	kinds map[string]form
	sent  map[string][]Message // by destination
	times []time.Time          // of the mails
}

func newWorld(t *testing.T, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, clock: newFakeClock(), sent: map[string][]Message{},
		kinds: map[string]form{"mail": formMail, "webhook": formWebhook, "slack": formChat}}
	w.o = Options{StateDir: t.TempDir(), Hostname: "web1", Clock: w.clock, Location: time.UTC,
		Report: func(line string) { t.Log(line) }}
	if change != nil {
		change(&w.o)
	}
	w.open()
	return w
}

// open makes the notifier anew, as after a restart or a crash.
func (w *world) open() {
	w.t.Helper()
	o, err := w.o.withDefaults()
	if err != nil {
		w.t.Fatal(err)
	}
	w.n, err = newNotifier(o, []target{{"mail", formMail, nil}, {"webhook", formWebhook, nil}, {"slack", formChat, nil}})
	if err != nil {
		w.t.Fatal(err)
	}
}

// run lets d pass, doing what is due and taking every message out of the
// spool as soon as it is in.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	end := w.clock.Now().Add(d)
	for range 100000 {
		w.n.take()
		next := w.n.step(w.clock.Now(), false)
		w.deliver()
		if w.n.dirty && next.IsZero() {
			w.t.Fatal("state is dirty and nothing will write it")
		}
		if next.IsZero() || next.After(end) {
			w.clock.set(end)
			return
		}
		if now := w.clock.Now(); !next.After(now) {
			next = now.Add(time.Millisecond)
		}
		w.clock.set(next)
	}
	w.t.Fatal("the schedule does not come to rest")
}

func (w *world) deliver() {
	for name := range w.kinds {
		for {
			e, ok, _ := w.n.spool.Next(name, w.clock.Now())
			if !ok {
				break
			}
			if err := w.n.spool.Done(e); err != nil {
				w.t.Fatal(err)
			}
			w.sent[name] = append(w.sent[name], e.Message)
			if name == "mail" {
				w.times = append(w.times, w.clock.Now())
			}
		}
	}
}

func (w *world) handle(e event.Event) {
	w.n.Handle(e, fmt.Appendf(nil, `{"event":{"id":%q,"action":%q}}`, e.ID, e.Action))
	w.n.take()
}

func (w *world) mails() []Message { return w.sent["mail"] }

// scan returns an event of a scan by the given address.
func (w *world) scan(action event.Action, source string) event.Event {
	addr := netip.MustParseAddr(source)
	now := w.clock.Now()
	s := &event.Scan{
		Source: netip.PrefixFrom(addr, addr.BitLen()), Destination: netip.MustParseAddr("198.51.100.1"),
		Kinds: event.Kinds(0).With(event.SYN), Tool: event.ToolNmap, Confidence: event.High, Transport: "tcp",
		Score: 4, Threshold: 4, Distinct: 4, Probes: 5, Ports: []uint16{443, 22, 80, 8080},
		First: now.Add(-200 * time.Millisecond), Last: now, Enforced: true,
		Place: event.Place{CountryISO: "GB", Country: "United Kingdom", City: "London", ASNumber: 64500, ASName: "Example Ltd"},
	}
	if action == event.SourceBanned {
		s.Score, s.Threshold, s.BanUntil = 8, 8, now.Add(10*time.Minute)
	}
	return event.Event{ID: "scan-" + source, Time: now, Action: action, Scan: s, Interface: "eth0", Reason: "score 8 of 8"}
}

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

func subjects(list []Message) []string {
	var s []string
	for _, m := range list {
		s = append(s, m.Subject)
	}
	return s
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
			w.handle(event.Event{Time: w.clock.Now(), Action: event.Detached, Interface: "eth0", Reason: ReasonStopped})
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

func TestQuietDay(t *testing.T) {
	w := newWorld(t, nil)
	w.handle(w.scan(event.ScanDetected, "203.0.113.1"))
	w.run(23 * time.Hour)
	w.handle(w.scan(event.ScanDetected, "203.0.113.2"))
	w.run(30 * time.Minute)
	if len(w.mails()) != 1 {
		t.Fatalf("%d mails, want 1: the day was not quiet", len(w.mails()))
	}
	w.run(25 * time.Hour) // the digest of the second comes in here
	w.handle(w.scan(event.ScanDetected, "203.0.113.3"))
	w.run(10 * time.Second)
	if len(w.mails()) != 3 {
		t.Errorf("mails = %q, want first, digest, first", subjects(w.mails()))
	}
}

func TestDayLimit(t *testing.T) {
	w := newWorld(t, func(o *Options) { o.MaxPerDay, o.Digest = 8, time.Minute })
	scans := 0
	for w.clock.Now().Before(start.Add(3 * time.Hour)) {
		w.handle(w.scan(event.ScanDetected, external(scans)))
		scans++
		w.run(time.Minute)
	}
	if len(w.mails()) != 7 {
		t.Fatalf("%d mails, want 7 and one in reserve", len(w.mails()))
	}
	if last := w.mails()[6]; !strings.Contains(last.Text, "last digest today (7 of 8") || !strings.Contains(last.HTML, "last digest today") {
		t.Errorf("last digest does not say so:\n%s", last.Text)
	}
	w.open() // the count survives a restart
	w.handle(event.Event{Time: w.clock.Now(), Action: event.Detached, Interface: "eth0", Reason: "link is gone"})
	w.run(time.Minute)
	if len(w.mails()) != 8 || !strings.Contains(w.mails()[7].Text, "last message today (8 of 8") {
		t.Fatalf("%d mails; the reserve is for urgent ones", len(w.mails()))
	}
	if st := w.n.Status(); st.SentToday != 8 || st.PendingSources == 0 || !st.NextDigest.Equal(midnight(start, time.UTC)) {
		t.Errorf("status = %+v", st)
	}
	w.handle(event.Event{Time: w.clock.Now(), Action: event.Detached, Interface: "eth1", Reason: "link is gone"})
	w.run(midnight(start, time.UTC).Sub(w.clock.Now()) - time.Second)
	if len(w.mails()) != 8 {
		t.Fatalf("%d mails, want no more than 8 a day", len(w.mails()))
	}
	w.run(time.Minute)
	late := w.mails()[8:]
	if len(late) != 2 {
		t.Fatalf("after midnight: %q, want the alert and the digest", subjects(late))
	}
	if !strings.Contains(late[0].Subject, "protection lost on eth1") || !strings.Contains(late[1].Text, "This digest is late") {
		t.Errorf("after midnight: %q", subjects(late))
	}
	if st := w.n.Status(); st.SentToday != 2 {
		t.Errorf("sent today = %d, want 2", st.SentToday)
	}
}

func TestDayIsLocal(t *testing.T) {
	zone := time.FixedZone("east", 10*3600)
	w := newWorld(t, func(o *Options) { o.Location = zone }) // 22:00 there
	w.n.step(w.clock.Now(), false)
	if w.n.st.Day != "2026-01-02" {
		t.Fatalf("day = %s", w.n.st.Day)
	}
	w.n.st.SentToday = 5
	w.run(2*time.Hour - time.Second)
	w.n.step(w.clock.Now(), false)
	if w.n.st.SentToday != 5 {
		t.Error("counted anew before midnight")
	}
	w.run(2 * time.Second)
	w.n.step(w.clock.Now(), false)
	if w.n.st.Day != "2026-01-03" || w.n.st.SentToday != 0 {
		t.Errorf("day %s, sent %d", w.n.st.Day, w.n.st.SentToday)
	}
}

func TestQueueOverflowIsTold(t *testing.T) {
	w := newWorld(t, nil)
	e := w.scan(event.ScanDetected, "203.0.113.7")
	for range queueSize + 25 {
		w.n.Handle(e, nil)
	}
	if st := w.n.Status(); st.Overflow != 25 {
		t.Fatalf("overflow = %d, want 25", st.Overflow)
	}
	w.run(2 * time.Hour)
	if st := w.n.Status(); st.Overflow != 25 {
		t.Errorf("overflow = %d afterwards, want 25", st.Overflow)
	}
	all := w.mails()
	if len(all) != 2 || !strings.Contains(all[1].Text, "25 events came too fast") {
		t.Errorf("mails = %q", subjects(all))
	}
}

func TestUnknownStateIsSetAside(t *testing.T) {
	for _, content := range []string{"", "{", "null", `{"Version":99}`, `{"Version":1,"Digest":{"ID":"x","Details":{"203.0.113.1/32":null}},"Alerts":{"Items":[null,{}]}}`} {
		w := newWorld(t, nil)
		if err := writeFile(w.o.StateDir+"/"+stateFile, []byte(content)); err != nil {
			t.Fatal(err)
		}
		w.open()
		w.handle(w.scan(event.ScanDetected, "203.0.113.1"))
		w.run(time.Minute)
		if len(w.mails()) != 1 {
			t.Errorf("state %q: %d mails, want 1", content, len(w.mails()))
		}
	}
}

func TestDisabled(t *testing.T) {
	n, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	n.Handle(event.Event{}, nil)
	n.Notice(Notice{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.Run(ctx); err != nil || n.Status().Enabled {
		t.Errorf("run: %v, status %+v", err, n.Status())
	}
}

func TestOptionsRefused(t *testing.T) {
	good := Options{Host: "mail.example.net", From: "a@example.net", To: []string{"b@example.net"}, StateDir: "/nonexistent"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	rows := []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.TLS = "ssl" }, `tls "ssl"`},
		{func(o *Options) { o.TLS = TLSNone }, "only loopback"},
		{func(o *Options) { o.Port = 70000 }, "port 70000"},
		{func(o *Options) { o.From = "nobody" }, "sender"},
		{func(o *Options) { o.From = "a@example.net\r\nBcc: x@example.net" }, "sender"},
		{func(o *Options) { o.To = nil }, "recipients"},
		{func(o *Options) { o.To = []string{"b@example.net", "b c"} }, `"b c"`},
		{func(o *Options) { o.To = []string{`"a b"@example.net`} }, "recipient"},
		{func(o *Options) { o.Host = "mail.example.net:25" + "/x" }, "mail host"},
		{func(o *Options) { o.Username = "x" }, "password file"},
		{func(o *Options) { o.PasswordFile = "x" }, "username"},
		{func(o *Options) { o.Digest = time.Millisecond }, "digest interval"},
		{func(o *Options) { o.MaxPerDay = -1 }, "mails per day"},
		{func(o *Options) { o.StateDir = "" }, "state directory"},
		{func(o *Options) { o.URLs = []string{"nosuch://token123456@host"} }, "url 1 (nosuch)"},
		{func(o *Options) { o.URLs = []string{"webhook+http://hooks.example.net/x"} }, "only loopback"},
		{func(o *Options) { o.URLs = []string{"webhook+ftp://hooks.example.net/x"} }, "webhook+https"},
		{func(o *Options) { o.URLs = []string{"https://hooks.example.net/token123456"} }, "url 1 (https)"},
		{func(o *Options) { o.URLs = []string{"://token123456"} }, "url 1"},
	}
	for _, row := range rows {
		o := good
		row.change(&o)
		err := o.Validate()
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("err = %v, want %q", err, row.want)
		}
		if err != nil && strings.Contains(err.Error(), "token123456") {
			t.Errorf("secret in %q", err)
		}
	}
	o := good
	o.TLS, o.AllowPlaintext = TLSNone, true
	if err := o.Validate(); err != nil {
		t.Errorf("forced: %v", err)
	}
}

var errDown = errors.New("server is down")
