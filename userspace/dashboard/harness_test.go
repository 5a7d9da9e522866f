// SPDX-License-Identifier: MIT

package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/notify"
)

// clock is a clock that tests move.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.offset)
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// fakeKernel is a kernel in a map.
type fakeKernel struct {
	mu      sync.Mutex
	sources []event.Source
	bans    []event.Ban
	fail    error
}

func (k *fakeKernel) set(sources []event.Source, bans []event.Ban) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sources, k.bans = sources, bans
}

func (k *fakeKernel) Sources() ([]event.Source, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.sources), k.fail
}

func (k *fakeKernel) Bans() ([]event.Ban, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.bans), k.fail
}

func (k *fakeKernel) AddBan(_ context.Context, b event.Ban) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bans = append(slices.DeleteFunc(k.bans, func(o event.Ban) bool { return o.Source == b.Source && o.Grade == b.Grade }), b)
	return k.fail
}

func (k *fakeKernel) Unban(_ context.Context, p netip.Prefix) (lifted []event.Ban, known bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bans = slices.DeleteFunc(k.bans, func(b event.Ban) bool {
		if p.Overlaps(b.Source) {
			lifted = append(lifted, b)
			return true
		}
		return false
	})
	n := len(k.sources)
	k.sources = slices.DeleteFunc(k.sources, func(s event.Source) bool { return p.Overlaps(s.Prefix) })
	return lifted, len(lifted) > 0 || len(k.sources) < n, k.fail
}

func (k *fakeKernel) banned(t *testing.T, addr string) (event.Ban, bool) {
	t.Helper()
	bans, _ := k.Bans()
	for _, b := range bans {
		if b.Source == prefix(addr) {
			return b, true
		}
	}
	return event.Ban{}, false
}

type fakeMonitor struct {
	mu       sync.Mutex
	counters []Counter
	health   Health
	busy     time.Time // since when thousands of packets come each second; zero: none do
}

func (m *fakeMonitor) Counters() ([]Counter, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Clone(m.counters)
	if !m.busy.IsZero() {
		passed := time.Since(m.busy).Seconds()
		for i := range out {
			out[i].Packets += uint64(passed * float64(out[i].Packets) / 60_000)
		}
	}
	return out, nil
}

func (m *fakeMonitor) Health(context.Context) (Health, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.health, nil
}

// fakeHistory answers what it was given, and remembers what was asked.
type fakeHistory struct {
	mu        sync.Mutex
	filter    history.Filter
	span      history.Span
	scans     []history.Scan
	next      string
	bans      []history.Ban
	countries []history.CountryTotal
	places    []history.PlaceTotal
	buckets   []history.Bucket
	impact    history.Impact
	score     int
	udpScore  int
	fail      error
}

func (h *fakeHistory) Scans(_ context.Context, f history.Filter) (history.Page, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.filter = f
	page := history.Page{Next: h.next}
	for _, s := range h.scans {
		if (!f.Source.IsValid() || f.Source.Overlaps(s.Source)) && (f.Country == "" || f.Country == s.Place.CountryISO) &&
			(f.Action == "" || f.Action == s.Action) && (f.Kinds == 0 || f.Kinds&s.Kinds != 0) && len(page.Scans) < f.Limit {
			page.Scans = append(page.Scans, s)
		}
	}
	return page, h.fail
}

func (h *fakeHistory) Source(_ context.Context, p netip.Prefix) (history.SourceSummary, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum := history.SourceSummary{Source: p}
	for _, s := range h.scans {
		if p.Overlaps(s.Source) {
			sum.Scans++
			sum.First, sum.Last, sum.Kinds, sum.Place = s.First, s.Last, sum.Kinds|s.Kinds, s.Place
			sum.MaxScore, sum.Probes, sum.Dropped = max(sum.MaxScore, s.Score), sum.Probes+s.Probes, sum.Dropped+s.Dropped
			sum.Ports = append(sum.Ports, s.Ports...)
			sum.Tools = []event.Tool{s.Tool}
		}
	}
	slices.Sort(sum.Ports)
	sum.Ports = slices.Compact(sum.Ports)
	return sum, sum.Scans > 0, h.fail
}

func (h *fakeHistory) Bans(_ context.Context, _ history.Range, p netip.Prefix, _ int) ([]history.Ban, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []history.Ban
	for _, b := range h.bans {
		if p.Overlaps(b.Source) {
			out = append(out, b)
		}
	}
	return out, h.fail
}

func (h *fakeHistory) Notes(context.Context, history.Range, int) ([]history.Note, error) {
	return nil, h.fail
}

func (h *fakeHistory) Countries(context.Context, history.Range) ([]history.CountryTotal, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.countries, h.fail
}

func (h *fakeHistory) Places(context.Context, history.Range, int) ([]history.PlaceTotal, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.places, h.fail
}

func (h *fakeHistory) Timeline(_ context.Context, s history.Span) ([]history.Bucket, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.span = s
	return h.buckets, h.fail
}

func (h *fakeHistory) Impact(_ context.Context, _ history.Range, score, udpScore int) (history.Impact, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.score, h.udpScore = score, udpScore
	return h.impact, h.fail
}

// fakeEvidence has the same proof against everybody in a network.
type fakeEvidence struct {
	source netip.Prefix
	proof  Proof
}

func (e *fakeEvidence) Proof(_ context.Context, p netip.Prefix) (Proof, error) {
	if !e.source.IsValid() || !e.source.Overlaps(p) {
		return Proof{}, ErrNoEvidence
	}
	return e.proof, nil
}

func (e *fakeEvidence) Capture(ctx context.Context, p netip.Prefix, w io.Writer) error {
	if _, err := e.Proof(ctx, p); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\xd4\xc3\xb2\xa1pcap")
	return err
}

// bench is a page with fakes behind it.
type bench struct {
	*Server
	t        testing.TB
	dir      string
	clock    *clock
	kernel   *fakeKernel
	monitor  *fakeMonitor
	history  *fakeHistory
	evidence *fakeEvidence
	precious []Precious

	mu      sync.Mutex
	config  config.Config
	reloads int
	tested  []config.Config
	mails   []notify.TestResult
	reports []string

	url  string
	stop context.CancelFunc
}

// newBench serves a page. change may alter the options first.
func newBench(t testing.TB, change ...func(*bench, *Options)) *bench {
	t.Helper()
	b := &bench{
		t: t, dir: t.TempDir(), clock: &clock{}, kernel: &fakeKernel{}, history: &fakeHistory{}, evidence: &fakeEvidence{},
		monitor: &fakeMonitor{health: Health{Interfaces: []Interface{{Name: "eth0", Hook: "native", Mode: "enforce"}}}},
	}
	b.precious = []Precious{{Addr: addr("192.0.2.254"), What: "a gateway"}, {Addr: addr("192.0.2.10"), What: "an address of this host", Own: true}}
	b.write("denmap.yaml", fmt.Sprintf("lists: {allow: %s, deny: %s}\nstate_dir: %s\n", b.path("allow.list"), b.path("deny.list"), b.path("state")))
	if err := os.Mkdir(b.path("state"), 0o750); err != nil {
		t.Fatal(err)
	}
	b.load()
	o := Options{
		Listen: "127.0.0.1:0", ConfigFile: b.path("denmap.yaml"), ConfigNamed: true,
		Config:   func() config.Config { b.mu.Lock(); defer b.mu.Unlock(); return b.config },
		Reload:   func(context.Context) error { b.mu.Lock(); b.reloads++; b.mu.Unlock(); return b.load() },
		Kernel:   b.kernel,
		Monitor:  b.monitor,
		History:  b.history,
		Evidence: b.evidence,
		Precious: func() ([]Precious, error) { return b.precious, nil },
		Locate: func(a netip.Addr) event.Place {
			if a.Is4() && a.As4()[0] == 203 {
				return event.Place{CountryISO: "GB", Country: "United Kingdom", ASNumber: 64500, ASName: "Example Networks"}
			}
			return event.Place{Special: "documentation"}
		},
		TestMail: func(_ context.Context, c config.Config) ([]notify.TestResult, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.tested = append(b.tested, c)
			return b.mails, nil
		},
		Version: "test", Hostname: "host.example", Now: b.clock.now,
		Report: func(line string) { b.mu.Lock(); b.reports = append(b.reports, line); b.mu.Unlock() },
	}
	for _, f := range change {
		f(b, &o)
	}
	var err error
	if b.Server, err = New(o); err != nil {
		t.Fatal(err)
	}
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	b.url = strings.TrimSuffix(b.Address(), "/")
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = cancel
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Run does not end")
		}
	})
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) write(name, text string) {
	b.t.Helper()
	if err := os.MkdirAll(filepath.Dir(b.path(name)), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(b.path(name), []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	data, err := os.ReadFile(b.path(name))
	if err != nil && !os.IsNotExist(err) {
		b.t.Fatal(err)
	}
	return string(data)
}

// load reads the configuration as the daemon would.
func (b *bench) load() error {
	c, err := config.Load(b.path("denmap.yaml"), true)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.config = c
	return nil
}

// client is a signed-in browser, as far as requests go.
type client struct {
	b      *bench
	cookie *http.Cookie
	key    string
}

func (b *bench) token() string {
	b.t.Helper()
	link, err := b.Link()
	if err != nil {
		b.t.Fatal(err)
	}
	_, token, ok := strings.Cut(link, "#")
	if !ok || !strings.HasPrefix(link, b.url+"/sign-in#") {
		b.t.Fatalf("Link = %q", link)
	}
	return token
}

func (b *bench) signIn() *client {
	b.t.Helper()
	r := (&client{b: b}).do("POST", "/api/v1/sign-in", map[string]any{"token": b.token()})
	if r.status != http.StatusOK {
		b.t.Fatalf("sign in: %d %s", r.status, r.body)
	}
	c := &client{b: b, key: r.get("key").(string)}
	for _, cookie := range r.Cookies() {
		if cookie.Name == cookieName {
			c.cookie = cookie
		}
	}
	if c.cookie == nil {
		b.t.Fatal("no cookie")
	}
	return c
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

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func prefix(s string) netip.Prefix {
	if strings.Contains(s, "/") {
		return netip.MustParsePrefix(s)
	}
	a := addr(s)
	return netip.PrefixFrom(a, a.BitLen())
}

// eventually waits for something that happens soon.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("%s: not in time", what)
}

// defaults is a configuration for what needs no files.
func (b *bench) defaults() config.Config { return config.Default() }
