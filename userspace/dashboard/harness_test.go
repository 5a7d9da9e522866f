// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/notify"
)

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
