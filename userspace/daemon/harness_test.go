// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/daemon/control"
	"denmap/userspace/event"
	"denmap/userspace/eventlog"
	"denmap/userspace/store"
)

// patience is how long a test waits for what must happen.
const patience = 10 * time.Second

// world is everything around one daemon.
type world struct {
	t       *testing.T
	dir     string
	host    *fakeHost
	kernel  *fakeKernel
	clock   *fakeClock
	service *fakeService
	opts    Options
	hup     chan os.Signal

	scans  int // made by located
	mu     sync.Mutex
	said   []string
	config config.Config // what a reload reads
	badly  error         // what it fails with

	cancel context.CancelCauseFunc
	done   chan error
}

func newWorld(t *testing.T, interfaces ...string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), host: newFakeHost("eth0", "eth1"), clock: newFakeClock(), service: &fakeService{},
		hup: make(chan os.Signal)}
	w.kernel = newFakeKernel(w.host, w.clock)
	c := config.Default()
	for _, name := range interfaces {
		c.Interfaces = append(c.Interfaces, config.Interface{Name: name})
	}
	c.StateDir = filepath.Join(w.dir, "state")
	c.Log.Path = filepath.Join(w.dir, "log", "events.log")
	c.Log.Compress = false
	c.Lists = config.Lists{Allow: filepath.Join(w.dir, "allow.list"), Deny: filepath.Join(w.dir, "deny.list")}
	w.config = c
	w.opts = Options{
		Config: c,
		Load: func() (config.Config, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.config, w.badly
		},
		Open: func(s Settings) (Kernel, error) {
			w.kernel.with(func() { w.kernel.settings = s; w.kernel.note("open") })
			return w.kernel, nil
		},
		Network:  w.host,
		Bans:     func(dir string) BanFile { return store.NewBans(filepath.Join(dir, "bans.json"), w.clock.Now) },
		Services: func(dir string) ServiceFile { return store.NewServices(filepath.Join(dir, "services.json")) },
		Report:   w.report,
		Reload:   w.hup,
		Service:  w.service,
		Clock:    w.clock,
		Control:  filepath.Join(w.dir, "run", "control.sock"),
	}
	return w
}

func (w *world) report(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, line)
}

func (w *world) saying() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.said, "\n")
}

// count returns how many lines said contain text.
func (w *world) count(text string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.said {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (w *world) configure(edit func(*config.Config)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.config.Interfaces = slices.Clone(w.config.Interfaces)
	edit(&w.config)
}

// run starts the daemon and returns when it is ready.
func (w *world) run() {
	w.t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	w.cancel, w.done = cancel, make(chan error, 1)
	go func() { w.done <- Run(ctx, w.opts) }()
	w.t.Cleanup(func() {
		if w.done != nil {
			_ = w.stop()
		}
	})
	w.until("readiness", func() bool {
		if len(w.done) > 0 {
			w.t.Fatalf("Run ended: %v; it said:\n%s", <-w.done, w.saying())
		}
		return strings.Contains(w.service.all(), "ready") && w.clock.tickers() == 6
	})
}

// stop ends the daemon and returns Run's error.
func (w *world) stop() error {
	w.t.Helper()
	w.cancel(nil)
	return w.ended()
}

// ended waits for Run to return.
func (w *world) ended() error {
	w.t.Helper()
	select {
	case err := <-w.done:
		w.done = nil
		return err
	case <-time.After(patience):
		w.t.Fatalf("Run does not end; it said:\n%s", w.saying())
		return nil
	}
}

// fail runs a daemon that must not start.
func (w *world) fail() error {
	w.t.Helper()
	err := Run(context.Background(), w.opts)
	if err == nil {
		w.t.Fatalf("Run: no error; it said:\n%s", w.saying())
	}
	if strings.Contains(err.Error(), "\n") {
		w.t.Errorf("Run: an error of several lines: %v", err)
	}
	if strings.Contains(w.service.all(), "ready") {
		w.t.Error("the supervisor was told of readiness")
	}
	return err
}

func (w *world) until(what string, met func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(patience)
	for !met() {
		if time.Now().After(deadline) {
			w.t.Fatalf("no %s; it said:\n%s\nlogged:\n%s", what, w.saying(), w.rawLog())
		}
		time.Sleep(time.Millisecond)
	}
}

// ticking is until with a clock that moves on.
func (w *world) ticking(what string, met func() bool) {
	w.t.Helper()
	w.until(what, func() bool {
		w.clock.advance(time.Second)
		return met()
	})
}

func (w *world) says(text string) {
	w.t.Helper()
	w.until(fmt.Sprintf("line with %q", text), func() bool { return w.count(text) > 0 })
}

func (w *world) rawLog() string {
	text, err := os.ReadFile(w.opts.Config.Log.Path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
		w.t.Error(err)
	}
	return string(text)
}

// log returns the events in the log so far.
func (w *world) log() []event.Event {
	w.t.Helper()
	var out []event.Event
	for line := range strings.Lines(w.rawLog()) {
		r, err := eventlog.Decode([]byte(line))
		if err != nil {
			w.t.Fatal(err)
		}
		out = append(out, r.Event)
	}
	return out
}

// logged waits for an event.
func (w *world) logged(action event.Action, match func(event.Event) bool) (found event.Event) {
	w.t.Helper()
	w.until(string(action)+" event", func() bool {
		for _, e := range w.log() {
			if e.Action == action && (match == nil || match(e)) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

func (w *world) write(path, text string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) reload() {
	w.t.Helper()
	before := strings.Count(w.service.all(), "ready")
	w.hup <- syscall.SIGHUP
	w.until("end of the reload", func() bool { return strings.Count(w.service.all(), "ready") > before })
}

// ask sends a request as denmap detach does.
func (w *world) ask(args ...string) control.Response {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	r, err := control.Call(ctx, w.opts.Control, control.Request{Command: CommandDetach, Args: args})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) savedBans() []event.Ban {
	w.t.Helper()
	bans, err := w.opts.Bans(w.config.StateDir).Load()
	if err != nil {
		w.t.Fatal(err)
	}
	return bans
}

// detect sends a detection as the kernel does.
func (w *world) detect(source string, verdict event.Verdict) {
	w.t.Helper()
	p := netip.MustParsePrefix(source)
	d := event.Detection{
		Verdict: verdict, Time: w.clock.Now(), First: w.clock.Now(), Source: p,
		Destination: netip.MustParseAddr("192.0.2.1"), Interface: "eth0", Kinds: event.Kinds(0).With(event.SYN),
		Transport: "tcp", Score: 8, Threshold: 8, Distinct: 4, Ports: []uint16{1, 2, 3, 4},
	}
	if verdict == event.VerdictBan {
		d.BanUntil = w.clock.Now().Add(10 * time.Minute)
	}
	select {
	case w.kernel.detections <- d:
	case <-time.After(patience):
		w.t.Fatal("nobody reads the kernel's events")
	}
}
