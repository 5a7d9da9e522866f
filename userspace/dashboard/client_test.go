// SPDX-License-Identifier: MIT

package dashboard

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// client is a signed-in browser, as far as requests go.
type client struct {
	b      *bench
	cookie *http.Cookie
	key    string
}

// reply is an answer that was read.
type reply struct {
	*http.Response
	t      testing.TB
	status int
	body   string
}

// get returns a value of the JSON answer by its path.
func (r reply) get(path ...any) any {
	r.t.Helper()
	var value any
	if err := json.Unmarshal([]byte(r.body), &value); err != nil {
		r.t.Fatalf("answer %q: %v", r.body, err)
	}
	for _, step := range path {
		switch s := step.(type) {
		case string:
			object, _ := value.(map[string]any)
			value = object[s]
		case int:
			array, _ := value.([]any)
			if s >= len(array) {
				r.t.Fatalf("no %v in %s", path, r.body)
			}
			value = array[s]
		}
	}
	return value
}

func (r reply) want(status int, parts ...string) reply {
	r.t.Helper()
	if r.status != status {
		r.t.Errorf("%s %s: status %d, want %d: %s", r.Request.Method, r.Request.URL.Path, r.status, status, r.body)
	}
	for _, part := range parts {
		if !strings.Contains(r.body, part) {
			r.t.Errorf("%s %s: no %q in %s", r.Request.Method, r.Request.URL.Path, part, r.body)
		}
	}
	return r
}

// do sends a request; body is JSON unless it is an io.Reader.
func (c *client) do(method, path string, body any, change ...func(*http.Request)) reply {
	c.b.t.Helper()
	req := c.request(method, path, body)
	for _, f := range change {
		f(req)
	}
	return c.send(req)
}

func (c *client) request(method, path string, body any) *http.Request {
	c.b.t.Helper()
	var reader io.Reader
	kind := ""
	switch v := body.(type) {
	case nil:
	case io.Reader:
		reader, kind = v, "text/plain"
	default:
		data, err := json.Marshal(v)
		if err != nil {
			c.b.t.Fatal(err)
		}
		reader, kind = bytes.NewReader(data), "application/json"
	}
	req, err := http.NewRequest(method, c.b.url+path, reader)
	if err != nil {
		c.b.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if c.key != "" {
		req.Header.Set(keyHeader, c.key)
	}
	if c.cookie != nil {
		req.AddCookie(c.cookie)
	}
	return req
}

func (c *client) send(req *http.Request) reply {
	c.b.t.Helper()
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		c.b.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.b.t.Fatal(err)
	}
	return reply{resp, c.b.t, resp.StatusCode, string(data)}
}
