// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

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
