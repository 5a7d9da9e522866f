// SPDX-License-Identifier: MIT

package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The headers of a webhook request.
const (
	HeaderTimestamp = "X-DenMap-Timestamp"
	HeaderSignature = "X-DenMap-Signature"
	HeaderDelivery  = "X-DenMap-Delivery"
)

// webhook posts JSON to one URL.
type webhook struct {
	url         string
	server      string // what errors may name of the URL
	secretFile  string
	credentials string
	agent       string
	clock       Clock
	client      *http.Client
}

// newWebhook makes a sender for a webhook+http(s) URL.
func newWebhook(u *url.URL, o Options) (*webhook, error) {
	target := *u
	_, scheme, _ := strings.Cut(strings.ToLower(u.Scheme), "+")
	target.Scheme = scheme
	switch {
	case target.Hostname() == "":
		return nil, errors.New("no host")
	case scheme == "http" && !o.AllowPlaintext && !loopbackHost(target.Hostname()):
		return nil, fmt.Errorf("http to %q: only loopback addresses, unless forced", target.Hostname())
	case scheme != "https" && scheme != "http":
		return nil, errors.New("want webhook+https://host/path")
	}
	query, err := url.ParseQuery(target.RawQuery)
	if err != nil {
		return nil, errors.New("query cannot be read")
	}
	w := &webhook{
		server: target.Hostname(), secretFile: query.Get("secret_file"), credentials: o.Credentials,
		agent: strings.TrimSuffix("DenMap/"+headerToken(o.Version), "/"), clock: o.Clock,
	}
	query.Del("secret_file")
	target.RawQuery, target.Fragment = query.Encode(), ""
	w.url = target.String()
	w.client = &http.Client{
		Transport: &http.Transport{
			Proxy:           http.ProxyFromEnvironment,
			DialContext:     guardedDial(scheme == "http" && !o.AllowPlaintext),
			TLSClientConfig: &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
			// Messages are hours apart; an idle connection is a dead one.
			DisableKeepAlives: true,
		},
		// A redirect could carry the event, and basic authentication in the
		// URL, to a host that nobody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w, nil
}

// guardedDial refuses to leave the host when loopback is set, whatever a
// name resolves to.
func guardedDial(loopback bool) func(context.Context, string, string) (net.Conn, error) {
	var d net.Dialer
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		if a, ok := conn.RemoteAddr().(*net.TCPAddr); loopback && (!ok || !a.IP.IsLoopback()) {
			conn.Close()
			return nil, errors.New("plain http beyond loopback addresses")
		}
		return conn, nil
	}
}

// Send implements Sender.
func (w *webhook) Send(ctx context.Context, m Message, _ []string) (Receipt, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(m.Body))
	if err != nil {
		return Receipt{}, w.fail(0, ScopePermanent, errors.New("request cannot be made"))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", w.agent)
	req.Header.Set(HeaderDelivery, headerToken(m.ID))
	if w.secretFile != "" {
		secret, err := ReadSecret(w.secretFile, w.credentials)
		if err != nil {
			return Receipt{}, &SendError{Stage: StagePassword, Server: w.server, Err: err}
		}
		stamp := strconv.FormatInt(w.clock.Now().Unix(), 10)
		req.Header.Set(HeaderTimestamp, stamp)
		req.Header.Set(HeaderSignature, signature(secret, stamp, m.Body))
	}
	res, err := w.client.Do(req)
	if err != nil {
		// *url.Error quotes the URL, whose path or query may be a token.
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return Receipt{}, w.fail(0, ScopeTarget, err)
	}
	defer res.Body.Close()
	// What it answers is of no interest, and may be endless.
	_, _ = io.CopyN(io.Discard, res.Body, 4096)
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return Receipt{}, nil
	}
	return Receipt{}, w.fail(res.StatusCode, httpScope(res.StatusCode), fmt.Errorf("answer %d", res.StatusCode))
}

func (w *webhook) fail(code int, scope Scope, err error) *SendError {
	return &SendError{Stage: StageHTTP, Server: w.server, Code: code, Scope: scope, Err: err}
}

// httpScope says what a refusal is about. What an administrator can mend
// on either side is tried again.
func httpScope(code int) Scope {
	switch code {
	case http.StatusBadRequest, http.StatusNotAcceptable, http.StatusConflict, http.StatusLengthRequired,
		http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity:
		return ScopePermanent
	}
	return ScopeTarget
}

// signature returns the value of HeaderSignature.
func signature(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, timestamp+".")
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}
