// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const testPassword = "correct horse"

func secretFile(t *testing.T, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// mailOptions are for a server that speaks STARTTLS and wants a password.
func mailOptions(t *testing.T, f *fakeSMTP) Options {
	t.Helper()
	o := Options{
		Host: "localhost", Port: f.port(), From: "DenMap <denmap@example.net>", To: []string{"admin@example.net"},
		StateDir: t.TempDir(), Hostname: "web1", RootCAs: f.pool, AttemptTimeout: 5 * time.Second, Location: time.UTC,
	}
	if f.implicit {
		o.TLS = TLSImplicit
	}
	if f.password != "" {
		o.Username, o.PasswordFile = "denmap", secretFile(t, f.password)
	}
	return o
}

func sendOne(t *testing.T, o Options, m Message, settled ...string) (Receipt, error) {
	t.Helper()
	full, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSMTP(full)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), full.AttemptTimeout)
	defer cancel()
	return s.Send(ctx, m, settled)
}

func testMessage() Message {
	return Message{ID: "01TEST", Kind: KindAlert, Severity: SeverityCritical, Created: time.Unix(1767312184, 0),
		Subject: "[DenMap] web1: SYN scan", Text: "plain text, zwölf\n.\n.hidden\n", HTML: "<p>html</p>"}
}

// parts returns the header and the decoded parts of a multipart mail.
func parts(t *testing.T, data string) (mail.Header, map[string]string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(data))
	if err != nil {
		t.Fatalf("mail cannot be read: %v\n%s", err, data)
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("content type %q (%v), want multipart/alternative", m.Header.Get("Content-Type"), err)
	}
	found := map[string]string{}
	r := multipart.NewReader(m.Body, params["boundary"])
	for {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return m.Header, found
		}
		if err != nil {
			t.Fatal(err)
		}
		var body io.Reader = p
		if p.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
			body = quotedprintable.NewReader(p)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := mime.ParseMediaType(p.Header.Get("Content-Type"))
		found[kind] = strings.ReplaceAll(string(text), "\r\n", "\n")
	}
}

func TestSMTPDelivers(t *testing.T) {
	rows := []struct {
		name   string
		server *fakeSMTP
		change func(*Options)
		want   string // a command that must have been used
	}{
		{"starttls and PLAIN", &fakeSMTP{password: testPassword}, nil, "AUTH PLAIN"},
		{"starttls and LOGIN", &fakeSMTP{password: testPassword, mechanisms: "LOGIN"}, nil, "AUTH LOGIN"},
		{"implicit tls", &fakeSMTP{password: testPassword, implicit: true}, nil, "AUTH PLAIN"},
		{"no authentication", &fakeSMTP{}, nil, "STARTTLS"},
		{"no tls on loopback", &fakeSMTP{noSTARTTLS: true, password: testPassword}, func(o *Options) { o.TLS = TLSNone }, "AUTH PLAIN"},
		{"by address", &fakeSMTP{}, func(o *Options) { o.Host = "127.0.0.1" }, "STARTTLS"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			server := row.server.start(t)
			o := mailOptions(t, server)
			if row.change != nil {
				row.change(&o)
			}
			o.To = []string{"admin@example.net", "Second <second@example.net>", "admin@example.net"}
			receipt, err := sendOne(t, o, testMessage())
			if err != nil {
				t.Fatalf("send: %v (%s)", err, Explain(err))
			}
			want := []string{"admin@example.net", "second@example.net"}
			if !slices.Equal(receipt.Settled, want) || len(receipt.Refused) != 0 {
				t.Errorf("receipt = %+v, want %v settled", receipt, want)
			}
			got := server.received()
			if len(got) != 1 || got[0].From != "denmap@example.net" || !slices.Equal(got[0].To, want) {
				t.Fatalf("received %+v, want one letter to %v", got, want)
			}
			if !slices.ContainsFunc(server.said(), func(c string) bool { return strings.HasPrefix(c, row.want) }) {
				t.Errorf("commands %q lack %q", server.said(), row.want)
			}
			header, found := parts(t, got[0].Data)
			if s := header.Get("Subject"); s != "[DenMap] web1: SYN scan" {
				t.Errorf("subject = %q", s)
			}
			if id := header.Get("Message-Id"); id != "<01TEST@web1>" {
				t.Errorf("message id = %q", id)
			}
			if header.Get("Auto-Submitted") != "auto-generated" || header.Get("X-DenMap-Severity") != "9" {
				t.Errorf("headers = %v", header)
			}
			if strings.TrimSpace(found["text/plain"]) != strings.TrimSpace(testMessage().Text) || !strings.Contains(found["text/html"], "<p>html</p>") {
				t.Errorf("parts = %q", found)
			}
		})
	}
}

func TestSMTPNoHeaderInjection(t *testing.T) {
	server := (&fakeSMTP{}).start(t)
	o := mailOptions(t, server)
	o.Hostname = "web1\r\nBcc: victim@example.org"
	m := testMessage()
	m.Subject = "[DenMap] x\r\nBcc: victim@example.org\r\n\r\nbody"
	m.ID, m.Kind = "a>\r\nX-Evil: 1", "k\r\nX-Evil: 1"
	if _, err := sendOne(t, o, m); err != nil {
		t.Fatal(err)
	}
	got := server.received()[0]
	header, _ := parts(t, got.Data)
	for _, name := range []string{"Bcc", "X-Evil"} {
		if v, ok := header[name]; ok {
			t.Errorf("header %s = %q got through", name, v)
		}
	}
	if !slices.Equal(got.To, []string{"admin@example.net"}) {
		t.Errorf("recipients = %q", got.To)
	}
}

func TestSMTPRecipients(t *testing.T) {
	refuse := func(code string, who ...string) func(string) string {
		return func(line string) string {
			for _, w := range who {
				if strings.HasPrefix(line, "RCPT") && strings.Contains(line, w) {
					return code + " no such luck"
				}
			}
			return ""
		}
	}
	all := []string{"a@example.net", "b@example.net"}
	rows := []struct {
		name     string
		answer   func(string) string
		settled  []string // before
		got      []string // who receives it
		want     []string // settled after
		refused  int
		scope    Scope
		wantFail bool
	}{
		{name: "both", got: all, want: all},
		{name: "one refused for good", answer: refuse("550", "a@"), got: all[1:], want: all, refused: 1},
		{name: "one refused for now", answer: refuse("450", "a@"), got: all[1:], want: all[1:], scope: ScopeMessage, wantFail: true},
		{name: "all refused for good", answer: refuse("550", "a@", "b@"), want: all, refused: 2, scope: ScopePermanent, wantFail: true},
		{name: "all refused for now", answer: refuse("451", "a@", "b@"), scope: ScopeMessage, wantFail: true},
		{name: "one has it already", settled: all[:1], got: all[1:], want: all[1:]},
		{name: "nobody left", settled: all},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			server := (&fakeSMTP{answer: row.answer}).start(t)
			o := mailOptions(t, server)
			o.To = all
			receipt, err := sendOne(t, o, testMessage(), row.settled...)
			if (err != nil) != row.wantFail || (err != nil && scopeOf(err) != row.scope) {
				t.Fatalf("err = %v, scope %d; want failure %v, scope %d", err, scopeOf(err), row.wantFail, row.scope)
			}
			slices.Sort(receipt.Settled)
			if !slices.Equal(receipt.Settled, row.want) || len(receipt.Refused) != row.refused {
				t.Errorf("receipt = %+v, want %v and %d refusals", receipt, row.want, row.refused)
			}
			var got []string
			for _, l := range server.received() {
				got = append(got, l.To...)
			}
			if !slices.Equal(got, row.got) {
				t.Errorf("delivered to %q, want %q", got, row.got)
			}
		})
	}
}

func TestSMTPFailuresAreExplained(t *testing.T) {
	answer := func(verb, text string) func(string) string {
		return func(line string) string {
			if strings.HasPrefix(line, verb) {
				return text
			}
			return ""
		}
	}
	rows := []struct {
		name   string
		server *fakeSMTP
		names  []string // of the certificate
		change func(*testing.T, *Options)
		stage  Stage
		scope  Scope
		want   string
	}{
		{"refused", &fakeSMTP{}, nil, func(_ *testing.T, o *Options) { o.Port = 1 }, StageConnect, ScopeTarget, "connection refused"},
		{"no such name", &fakeSMTP{}, nil, func(_ *testing.T, o *Options) { o.Host = "mail.invalid" }, StageConnect, ScopeTarget, "the name mail.invalid"},
		{"name mismatch", &fakeSMTP{}, []string{"mail.example.net"}, nil, StageTLS, ScopeTarget, "for another name"},
		{"unknown authority", &fakeSMTP{}, nil, func(t *testing.T, o *Options) {
			_, o.RootCAs = makeCertificate(t, time.Now().Add(time.Hour), "other")
		}, StageTLS, ScopeTarget, "authority that this host does not know"},
		{"no STARTTLS", &fakeSMTP{noSTARTTLS: true}, nil, nil, StageTLS, ScopeTarget, "does not offer STARTTLS"},
		{"implicit on a plain port", &fakeSMTP{}, nil, func(_ *testing.T, o *Options) { o.TLS = TLSImplicit }, StageTLS, ScopeTarget, "does not speak tls"},
		{"wrong password", &fakeSMTP{password: testPassword}, nil, func(t *testing.T, o *Options) {
			o.PasswordFile = secretFile(t, "hunter2hunter2")
		}, StageAuth, ScopeTarget, "username or password"},
		{"no usable mechanism", &fakeSMTP{password: testPassword, mechanisms: "GSSAPI"}, nil, nil, StageAuth, ScopeTarget, "no authentication"},
		{"password file missing", &fakeSMTP{password: testPassword}, nil, func(_ *testing.T, o *Options) {
			o.PasswordFile = "/nonexistent/password"
		}, StagePassword, ScopeTarget, "no such file"},
		{"authentication wanted", &fakeSMTP{answer: answer("MAIL", "530 5.7.0 authentication required")}, nil, nil, StageSender, ScopeTarget, "wants authentication first"},
		{"sender refused", &fakeSMTP{answer: answer("MAIL", "553 5.7.1 not yours")}, nil, nil, StageSender, ScopeTarget, "refused the sender denmap@example.net"},
		{"recipient refused", &fakeSMTP{answer: answer("RCPT", "554 5.7.1 relay access denied")}, nil, nil, StageRecipient, ScopePermanent, "refused the recipient admin@example.net"},
		{"recipient greylisted", &fakeSMTP{answer: answer("RCPT", "450 4.2.0 greylisted")}, nil, nil, StageRecipient, ScopeMessage, "tried again"},
		{"message refused", &fakeSMTP{answer: answer("DATA", "554 5.6.0 spam")}, nil, nil, StageData, ScopePermanent, "refused the message itself"},
		{"message refused for now", &fakeSMTP{answer: answer("DATA", "452 4.3.1 disk full")}, nil, nil, StageData, ScopeMessage, "cannot take mail now"},
		{"busy", &fakeSMTP{answer: func(line string) string {
			if strings.Contains(line, "LO ") { // EHLO, then HELO
				return "421 4.3.2 shutting down"
			}
			return ""
		}}, nil, nil, StageHello, ScopeTarget, "421"},
		{"hangs at the greeting", &fakeSMTP{hangAt: "greeting"}, nil, nil, StageHello, ScopeTarget, "does not greet in time"},
		{"hangs at EHLO", &fakeSMTP{hangAt: "EHLO"}, nil, nil, StageHello, ScopeTarget, "in time"},
		{"hangs at STARTTLS", &fakeSMTP{hangAt: "STARTTLS"}, nil, nil, StageTLS, ScopeTarget, "did not answer in time"},
		{"hangs at RCPT", &fakeSMTP{hangAt: "RCPT"}, nil, nil, StageRecipient, ScopeTarget, "did not answer in time"},
		{"hangs after the message", &fakeSMTP{hangAt: "body"}, nil, nil, StageData, ScopeTarget, "did not answer in time"},
		{"slower than the deadline", &fakeSMTP{slow: 100 * time.Millisecond}, nil, nil, StageHello, ScopeTarget, "in time"},
		{"drops at STARTTLS", &fakeSMTP{dropAt: "STARTTLS"}, nil, nil, StageTLS, ScopeTarget, "closed the connection"},
		{"drops at DATA", &fakeSMTP{dropAt: "DATA"}, nil, nil, StageData, ScopeTarget, "closed the connection"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server := row.server.start(t, row.names...)
			o := mailOptions(t, server)
			o.AttemptTimeout = 5 * time.Second
			if row.server.hangAt != "" || row.server.slow != 0 {
				o.AttemptTimeout = 300 * time.Millisecond
			}
			if row.change != nil {
				row.change(t, &o)
			}
			begin := time.Now()
			_, err := sendOne(t, o, testMessage())
			if took := time.Since(begin); took > o.AttemptTimeout+3*time.Second {
				t.Errorf("took %s, more than the deadline of %s", took, o.AttemptTimeout)
			}
			var se *SendError
			if !errors.As(err, &se) {
				t.Fatalf("err = %v, want a SendError", err)
			}
			if se.Stage != row.stage || se.Scope != row.scope {
				t.Errorf("stage %q scope %d, want %q and %d (%v)", se.Stage, se.Scope, row.stage, row.scope, err)
			}
			text := Explain(err)
			if !strings.Contains(text, row.want) {
				t.Errorf("explanation %q lacks %q", text, row.want)
			}
			for _, secret := range []string{"hunter2", testPassword, "aHVudGVy"} {
				if strings.Contains(text+err.Error(), secret) {
					t.Errorf("secret %q in %q / %q", secret, text, err)
				}
			}
			if n := len(server.received()); n != 0 && row.server.hangAt != "body" {
				t.Errorf("%d letters got through", n)
			}
		})
	}
}

func TestSMTPExpiredCertificate(t *testing.T) {
	cert, pool := makeCertificate(t, time.Now().Add(-time.Hour), "localhost")
	server := (&fakeSMTP{cert: cert, pool: pool}).start(t)
	_, err := sendOne(t, mailOptions(t, server), testMessage())
	if text := Explain(err); !strings.Contains(text, "expired") {
		t.Errorf("explanation = %q", text)
	}
}

// A password must not go out before the connection is encrypted.
func TestSMTPNoPasswordInTheClear(t *testing.T) {
	server := (&fakeSMTP{noSTARTTLS: true, password: testPassword}).start(t)
	if _, err := sendOne(t, mailOptions(t, server), testMessage()); err == nil {
		t.Fatal("sent without STARTTLS")
	}
	for _, c := range server.said() {
		if strings.HasPrefix(c, "AUTH") || strings.HasPrefix(c, "MAIL") {
			t.Errorf("said %q in the clear", c)
		}
	}
}

func TestMailTest(t *testing.T) {
	server := (&fakeSMTP{password: testPassword}).start(t)
	results, err := Test(t.Context(), mailOptions(t, server))
	if err != nil || len(results) != 1 || results[0].Err != nil || results[0].Target != "mail" {
		t.Fatalf("results = %+v, %v", results, err)
	}
	header, found := parts(t, server.received()[0].Data)
	if header.Get("Subject") != "[DenMap] web1: test message" || !strings.Contains(found["text/plain"], "You asked DenMap") {
		t.Errorf("header %v, text %q", header, found["text/plain"])
	}
	o := mailOptions(t, server)
	o.PasswordFile = secretFile(t, "wrong password")
	results, err = Test(t.Context(), o)
	if err != nil || results[0].Err == nil || !strings.Contains(results[0].Explanation, "username or password") {
		t.Errorf("results = %+v, %v", results, err)
	}
}
