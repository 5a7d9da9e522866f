// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/daemon/control"
	"denmap/userspace/dashboard"
	"denmap/userspace/event"
	"denmap/userspace/eventlog"
)

// pageClient is a signed-in visitor of a page beside real kernel state.
type pageClient struct {
	t      *testing.T
	page   *page
	base   string
	key    string
	cookie *http.Cookie
}

func newPageClient(t *testing.T, a *attached) *pageClient {
	t.Helper()
	c := cli.NewContext(newApp(a.env), flag.NewFlagSet("attach", flag.ContinueOnError), nil)
	c.Context = t.Context()
	load := func() (config.Config, error) { return a.env.loadConfig(c) }
	a.configure("dashboard: {listen: '127.0.0.1:0'}\n")
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	reload := make(chan os.Signal, 1)
	// On another thread, outside of the test's network namespace, where
	// the requests come from too.
	var p *page
	made := make(chan error)
	go func() {
		var err error
		p, err = newPage(a.env, c, pageOptions{
			wiring: &wiring{env: a.env, stderr: newLines(io.Discard), meta: eventlog.Meta{Hostname: "host.example"}},
			config: cfg, load: load, reload: reload,
		})
		made <- err
	}()
	if err := <-made; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.run(ctx) }()
	go func() { // the daemon's part
		for {
			select {
			case <-reload:
				_, _ = p.loadConfig()
			case <-ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	pc := &pageClient{t: t, page: p, base: strings.TrimSuffix(p.server.Address(), "/")}
	answer, ok := p.request(control.Request{Command: commandDashboardLink})
	if !ok || answer.Error != "" {
		t.Fatalf("link: %+v", answer)
	}
	_, token, _ := strings.Cut(answer.Message, "#")
	body, resp := pc.do("POST", "sign-in", map[string]any{"token": token})
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("sign in: %v", body)
	}
	pc.key, _ = body["key"].(string)
	pc.cookie = resp.Cookies()[0]
	return pc
}

func (pc *pageClient) do(method, path string, body any) (map[string]any, *http.Response) {
	pc.t.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		pc.t.Fatal(err)
	}
	req, err := http.NewRequest(method, pc.base+"/api/v1/"+path, bytes.NewReader(data))
	if err != nil {
		pc.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-DenMap-Key", pc.key)
	if pc.cookie != nil {
		req.AddCookie(pc.cookie)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		pc.t.Fatal(err)
	}
	defer resp.Body.Close()
	out := map[string]any{}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		pc.t.Fatal(err)
	}
	return out, resp
}

// ok wants the request to be done.
func (pc *pageClient) ok(method, path string, body any) map[string]any {
	pc.t.Helper()
	out, resp := pc.do(method, path, body)
	if resp.StatusCode != http.StatusOK {
		pc.t.Fatalf("%s %s: %s %v", method, path, resp.Status, out)
	}
	return out
}

// TestPageKernel drives the page against the real kernel tables: what it
// shows is what commands show, and what it does is what they do.
func TestPageKernel(t *testing.T) {
	a := newAttached(t)
	pc := newPageClient(t, a)
	if err := os.MkdirAll(a.path("state"), 0o750); err != nil {
		t.Fatal(err)
	}

	answer := pc.ok("POST", "bans", map[string]any{"source": "203.0.113.9", "for": "1h", "reason": "abuse"})
	a.contains("bans show --format plain", 0, "203.0.113.9")
	if saved := a.read("state/bans.json"); !strings.Contains(saved, "203.0.113.9") || !strings.Contains(saved, "abuse") {
		t.Errorf("bans.json does not have it: %s", saved)
	}
	now := pc.ok("GET", "now", nil)
	if rows := now["rows"].([]any); len(rows) != 1 || rows[0].(map[string]any)["state"] != "banned" || rows[0].(map[string]any)["reason"] != "abuse" {
		t.Errorf("now = %v", now)
	}
	pc.ok("POST", "undo", map[string]any{"undo": answer["undo"]})
	if ban, ok, err := a.kernel.Ban(netip.MustParsePrefix("203.0.113.9/32")); err != nil || ok && ban.Until.After(time.Now()) {
		t.Errorf("still banned after undo: %+v, %v", ban, err)
	}

	blind := event.Ban{Source: netip.MustParsePrefix("203.0.113.10/32"), Grade: event.Blind, Until: time.Now().Add(time.Hour)}
	if err := a.kernel.AddBan(blind); err != nil {
		t.Fatal(err)
	}
	answer = pc.ok("DELETE", "bans?source=203.0.113.10", nil)
	pc.ok("POST", "undo", map[string]any{"undo": answer["undo"]})
	if ban, ok, err := a.kernel.Ban(blind.Source); err != nil || !ok || ban.Grade != event.Blind {
		t.Errorf("not put back: %+v, %v, %v", ban, ok, err)
	}
	if out, resp := pc.do("POST", "bans", map[string]any{"source": "203.0.113.53"}); resp.StatusCode != http.StatusConflict {
		t.Errorf("a protected address: %s %v", resp.Status, out)
	}
	if out, resp := pc.do("DELETE", "bans?source=203.0.113.77", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("unban of a stranger: %s %v", resp.Status, out)
	}

	// Interfaces can be compared in their own network namespace only.
	health, err := pc.page.kernel.Health(t.Context())
	if err != nil || len(health.Interfaces) != 1 || health.Interfaces[0].Name != "eth0" || health.Interfaces[0].Problem != "" || health.Interfaces[0].Hook != "generic" {
		t.Errorf("interfaces = %+v, %v", health.Interfaces, err)
	}
	if len(health.Tables) < 5 || health.Config.File != a.env.ConfigPath {
		t.Errorf("health = %+v", health)
	}
	if counters, err := pc.page.kernel.Counters(); err != nil || len(counters) < 20 {
		t.Errorf("%d counters, %v", len(counters), err)
	}
}

// TestPageEvidence: a stranger has none, and what is told of a header is
// what is remembered.
func TestPageEvidence(t *testing.T) {
	a := newAttached(t)
	k := &pageKernel{page: &page{env: a.env}}
	defer k.close()
	stranger := netip.MustParsePrefix("203.0.113.77/32")
	if _, err := k.Proof(t.Context(), stranger); !errors.Is(err, dashboard.ErrNoEvidence) {
		t.Errorf("Proof of a stranger: %v", err)
	}
	var out bytes.Buffer
	if err := k.Capture(t.Context(), stranger, &out); !errors.Is(err, dashboard.ErrNoEvidence) || out.Len() > 0 {
		t.Errorf("Capture of a stranger: %v, %d bytes", err, out.Len())
	}
	for want, p := range map[string]event.Probe{
		"SYN, window 1024, TTL 44": {Kind: event.SYN, Known: true, Flags: flagSYN, Window: 1024, TTL: 44},
		"TTL 60":                   {Kind: event.UDP, Known: true, TTL: 60},
		"-":                        {Kind: event.UDP},
	} {
		if got := headerText(p); got != want {
			t.Errorf("headerText(%+v) = %q, want %q", p, got, want)
		}
	}
}

// TestPageSettings: what is saved is loaded, and what is refused is told.
func TestPageSettings(t *testing.T) {
	a := newAttached(t)
	pc := newPageClient(t, a)
	pc.ok("PUT", "settings", map[string]any{"changes": map[string]any{"ban.duration": "2h"}})
	if got := pc.page.config().Ban.Duration; got != 2*time.Hour {
		t.Errorf("ban.duration = %v", got)
	}
	a.write("conf.d/60-later.yaml", "ban: {multiplier: many}\n")
	if err := pc.page.reloadNow(t.Context()); err == nil || !strings.Contains(err.Error(), "60-later.yaml") {
		t.Errorf("reload of a bad file: %v", err)
	}
	if text := pc.page.health().Config.Error; !strings.Contains(text, "ban.multiplier") {
		t.Errorf("health does not tell: %q", text)
	}
	if got := pc.page.config().Ban.Duration; got != 2*time.Hour {
		t.Errorf("a bad file changed ban.duration to %v", got)
	}
}

func TestPageOff(t *testing.T) {
	c := newConsole(t)
	cfg := config.Default()
	cfg.Dashboard.Listen = ""
	if p, err := newPage(c.env, nil, pageOptions{config: cfg}); p != nil || err != nil {
		t.Errorf("page = %v, %v, want none", p, err)
	}
}

// TestLinkOnTerminal: the address goes to standard error in any case, the
// link only where that is a terminal.
func TestLinkOnTerminal(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		c := newConsole(t)
		c.env.Progress = terminal
		cfg := config.Default()
		cfg.Dashboard.Listen = "127.0.0.1:0"
		var stderr bytes.Buffer
		w := &wiring{env: c.env, stderr: newLines(&stderr)}
		cc := cli.NewContext(newApp(c.env), flag.NewFlagSet("attach", flag.ContinueOnError), nil)
		p, err := newPage(c.env, cc, pageOptions{wiring: w, config: cfg})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if err := p.run(ctx); err != nil {
			t.Error(err)
		}
		w.stderr.close()
		said := stderr.String()
		if !strings.Contains(said, "denmap: web page: "+p.server.Address()+"\n") {
			t.Errorf("terminal %v: no address in %q", terminal, said)
		}
		if got := strings.Contains(said, "sign in, once, within ten minutes: "+p.server.Address()+"sign-in#"); got != terminal {
			t.Errorf("terminal %v: %q", terminal, said)
		}
	}
}

// TestDashboardLink prints what the daemon answers, and says what to do
// where there is none.
func TestDashboardLink(t *testing.T) {
	c := newConsole(t)
	socket := filepath.Join(c.dir, "run", "control.sock")
	app := &cli.App{Commands: []*cli.Command{dashboardCommand(c.env)}, ExitErrHandler: func(*cli.Context, error) {}}
	run := func() (string, error) {
		var out bytes.Buffer
		c.env.Stdout = &out
		err := app.Run([]string{"denmap", "dashboard", "link", "--control", socket})
		return out.String(), err
	}
	if out, err := run(); err == nil || out != "" || !strings.Contains(err.Error(), "daemon") {
		t.Errorf("without a daemon: %q, %v", out, err)
	}
	answer := control.Response{Message: "http://127.0.0.1:8790/sign-in#x"}
	s, err := control.Listen(socket, func(control.Request) control.Response { return answer })
	if err != nil {
		t.Fatal(err)
	}
	defer s.Stop()
	if out, err := run(); err != nil || out != answer.Message+"\n" {
		t.Errorf("link: %q, %v", out, err)
	}
	answer = control.Response{Error: "request unknown"}
	if out, err := run(); err == nil || out != "" {
		t.Errorf("refused: %q, %v", out, err)
	}
}
