// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"crypto/hmac"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// received is what a test's HTTP server got.
type received struct {
	header http.Header
	uri    string
	body   []byte
}

func hookServer(t *testing.T, status int) (*httptest.Server, chan received) {
	t.Helper()
	c := make(chan received, 10)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		c <- received{r.Header, r.RequestURI, body}
		w.Header().Set("Location", "https://elsewhere.example.net/")
		w.WriteHeader(status)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are meant to fail
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, c
}

func mustWebhook(t *testing.T, raw string, o Options) *webhook {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	o, err = o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWebhook(u, o)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func poolOf(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

func TestWebhookIsSigned(t *testing.T) {
	server, got := hookServer(t, http.StatusNoContent)
	key := secretFile(t, "a webhook key")
	clock := newFakeClock()
	w := mustWebhook(t, "webhook+"+server.URL+"/hook/path?a=b&secret_file="+url.QueryEscape(key),
		Options{RootCAs: poolOf(server), Clock: clock, Version: "1.2.3"})
	m := Message{ID: "01TEST-0", Body: json.RawMessage(`{"message":"SYN scan"}`)}
	if _, err := w.Send(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	r := <-got
	if r.uri != "/hook/path?a=b" || string(r.body) != string(m.Body) {
		t.Errorf("got %s %s", r.uri, r.body)
	}
	if r.header.Get("Content-Type") != "application/json" || r.header.Get(HeaderDelivery) != "01TEST-0" || r.header.Get("User-Agent") != "DenMap/123" {
		t.Errorf("headers = %v", r.header)
	}
	now := clock.Now()
	if err := verifySignature("a webhook key", r.header, r.body, now); err != nil {
		t.Errorf("verify: %v", err)
	}
	rows := []struct {
		name   string
		secret string
		body   string
		now    time.Time
		change func(http.Header)
	}{
		{"other secret", "another key", string(r.body), now, nil},
		{"other body", "a webhook key", `{}`, now, nil},
		{"replayed later", "a webhook key", string(r.body), now.Add(6 * time.Minute), nil},
		{"from the future", "a webhook key", string(r.body), now.Add(-6 * time.Minute), nil},
		{"no signature", "a webhook key", string(r.body), now, func(h http.Header) { h.Del(HeaderSignature) }},
		{"other timestamp", "a webhook key", string(r.body), now, func(h http.Header) { h.Set(HeaderTimestamp, "1767355201") }},
		{"no timestamp", "a webhook key", string(r.body), now, func(h http.Header) { h.Del(HeaderTimestamp) }},
	}
	for _, row := range rows {
		h := r.header.Clone()
		if row.change != nil {
			row.change(h)
		}
		if err := verifySignature(row.secret, h, []byte(row.body), row.now); !errors.Is(err, errSignature) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

// The signature is a contract with receivers in other languages. Made with
// printf '%s' '1767312184.{"a":1}' | openssl dgst -sha256 -hmac key
func TestSignatureIsStable(t *testing.T) {
	const want = "sha256=6c0bf3988e8405aa47c6d2fbf07dba348200b2f2edb99a3809f77cb3e28609c8"
	if got := signature("key", "1767312184", []byte(`{"a":1}`)); got != want {
		t.Errorf("signature = %s, want %s", got, want)
	}
}

func TestWebhookAnswers(t *testing.T) {
	rows := []struct {
		status int
		scope  Scope
		want   string
	}{
		{301, ScopeTarget, "redirects are not followed"},
		{400, ScopePermanent, "answered 400"},
		{401, ScopeTarget, "check the secret"},
		{404, ScopeTarget, "no such webhook"},
		{413, ScopePermanent, "413"},
		{429, ScopeTarget, "429"},
		{500, ScopeTarget, "500"},
	}
	for _, row := range rows {
		server, got := hookServer(t, row.status)
		w := mustWebhook(t, "webhook+"+server.URL+"/services/token123456", Options{RootCAs: poolOf(server)})
		_, err := w.Send(t.Context(), Message{ID: "1", Body: json.RawMessage(`{}`)}, nil)
		if err == nil || scopeOf(err) != row.scope || !strings.Contains(Explain(err), row.want) {
			t.Errorf("%d: %v, scope %d, %q", row.status, err, scopeOf(err), Explain(err))
		}
		if err != nil && strings.Contains(err.Error()+Explain(err), "token123456") {
			t.Errorf("secret in %q", err)
		}
		if len(got) != 1 {
			t.Errorf("%d: %d requests", row.status, len(got))
		}
	}
}

func TestWebhookFailuresHideTheURL(t *testing.T) {
	server, _ := hookServer(t, 200)
	server.Close()
	untrusted, _ := hookServer(t, 200)
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // a server notices that a client left only when it reads
		<-r.Context().Done()
	}))
	t.Cleanup(hang.Close)
	for name, row := range map[string]struct{ url, want string }{
		"refused":   {server.URL, "connection refused"},
		"untrusted": {untrusted.URL, "authority"},
		"hanging":   {hang.URL, "did not answer in time"},
		"no secret": {"https://127.0.0.1/x?secret_file=/nonexistent/key", "no such file"},
	} {
		sep := "?"
		if strings.Contains(row.url, "?") {
			sep = "&"
		}
		w := mustWebhook(t, "webhook+"+row.url+sep+"key=token123456", Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		_, err := w.Send(ctx, Message{ID: "1", Body: json.RawMessage(`{}`)}, nil)
		cancel()
		text := Explain(err)
		if err == nil || !strings.Contains(text, row.want) || strings.Contains(text+err.Error(), "token123456") {
			t.Errorf("%s: %v / %q", name, err, text)
		}
	}
}

func TestChat(t *testing.T) {
	got := make(chan received, 10)
	answer := make(chan int, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- received{r.Header, r.RequestURI, body}
		select {
		case code := <-answer:
			w.WriteHeader(code)
			io.WriteString(w, `{"error":"token secret-topic123 and s3cr3tpass are wrong"}`)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	raw := "ntfy://someuser:s3cr3tpass@" + strings.TrimPrefix(server.URL, "http://") + "/secret-topic123?scheme=http"
	o, err := Options{URLs: []string{raw}, StateDir: t.TempDir()}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	targets, err := newTargets(o)
	if err != nil || len(targets) != 1 || targets[0].name != "ntfy" || targets[0].form != formChat {
		t.Fatalf("targets = %+v, %v", targets, err)
	}
	m := Message{ID: "1", Subject: "[DenMap] web1: scan", Short: "by 203.0.113.7"}
	answer <- 200
	if _, err := targets[0].sender.Send(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if r := <-got; string(r.body) != "[DenMap] web1: scan\nby 203.0.113.7" {
		t.Errorf("chat got %q", r.body)
	}
	answer <- 403
	_, err = targets[0].sender.Send(t.Context(), m, nil)
	<-got
	text := Explain(err)
	if err == nil || text == "" {
		t.Fatalf("err = %v", err)
	}
	for _, secret := range []string{"s3cr3tpass", "secret-topic123", "topic123", "someuser"} {
		if strings.Contains(err.Error()+text, secret) {
			t.Errorf("secret %q in %q", secret, err)
		}
	}

	// A server that hangs: the attempt ends on time, and no second one
	// starts while the first hangs.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := targets[0].sender.Send(ctx, m, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want the deadline", err)
	}
	if _, err := targets[0].sender.Send(t.Context(), m, nil); !errors.Is(err, errBusy) || !strings.Contains(Explain(err), "before this one") {
		t.Errorf("err = %v, want busy", err)
	}
	answer <- 200 // it answers at last
	eventually(t, "another attempt", func() bool {
		answer <- 200
		_, err := targets[0].sender.Send(t.Context(), m, nil)
		if err != nil {
			<-answer
		}
		return err == nil
	})
}

func TestTargetNames(t *testing.T) {
	server, _ := hookServer(t, 200)
	o, err := Options{StateDir: "/nonexistent", URLs: []string{
		"ntfy://ntfy.example.net/topic", "webhook+" + server.URL, "ntfy://ntfy.example.net/other", "webhook+" + server.URL + "/2",
		"generic+https://hooks.example.net/x", "slack://hook:WNA3PBYV6-F20DUQND3RQ-Webc4MAvoacrpPakR8phF0zi@webhook",
	}}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	targets, err := newTargets(o)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, x := range targets {
		names = append(names, x.name)
	}
	if got := strings.Join(names, " "); got != "ntfy webhook ntfy-2 webhook-2 generic slack" {
		t.Errorf("names = %s", got)
	}
}

func TestRedact(t *testing.T) {
	raw := "slack://hook:WNA3PBYV6-F20DUQND3RQ-Webc4MAvoacrpPakR8phF0zi@webhook?botname=Robot99"
	text := `posting to "https://hooks.slack.com/services/WNA3PBYV6/F20DUQND3RQ/Webc4MAvoacrpPakR8phF0zi": F20DUQND3RQ, Robot99: status 403`
	got := redact(text, secretsOf(raw))
	for _, secret := range []string{"WNA3PBYV6", "F20DUQND3RQ", "Webc4MAvoacrpPakR8phF0zi", "Robot99"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is in %q", secret, got)
		}
	}
	if !strings.Contains(got, "status 403") {
		t.Errorf("the cause is gone: %q", got)
	}
}

// errSignature says that a request was not made with the secret, or is too
// old.
var errSignature = errors.New("webhook signature does not match")

// verifySignature checks a request as docs/notifications.md tells a receiver
// to: made with the secret, within five minutes of now.
func verifySignature(secret string, header http.Header, body []byte, now time.Time) error {
	stamp := header.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errSignature
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > 5*time.Minute || age < -5*time.Minute {
		return errSignature
	}
	if !hmac.Equal([]byte(header.Get(HeaderSignature)), []byte(signature(secret, stamp, body))) {
		return errSignature
	}
	return nil
}
