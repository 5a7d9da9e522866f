// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/daemon/control"
	"denmap/userspace/event"
)

func TestStop(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.detect("198.51.100.1/32", event.VerdictBan)
	w.logged(event.SourceBanned, nil)
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if !w.kernel.closed || w.kernel.kept {
		t.Errorf("closed %v, kept %v", w.kernel.closed, w.kernel.kept)
	}
	if e := w.logged(event.Detached, nil); e.Interface != "eth0" || e.Reason != event.ReasonStopped {
		t.Errorf("event %+v", e)
	}
	if !strings.Contains(w.service.all(), "stopping") {
		t.Error("the supervisor was not told")
	}
	if _, err := os.Stat(w.opts.Control); err == nil {
		t.Error("the control socket is left")
	}
}

// TestLastWords logs what the kernel said just before the end.
func TestLastWords(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	for range 20 {
		w.detect("198.51.100.1/32", event.VerdictAlert)
	}
	w.detect("198.51.100.2/32", event.VerdictBan)
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(w.rawLog(), "source-banned") {
		t.Errorf("the last ban is not in the log:\n%s", w.rawLog())
	}
}

func TestKeep(t *testing.T) {
	for name, stop := range map[string]func(*world) error{
		"configured": func(w *world) error { return w.stop() },
		"handed over": func(w *world) error {
			w.cancel(ErrHandOver)
			return w.ended()
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "eth0")
			w.opts.Keep = name == "configured"
			w.run()
			if err := stop(w); err != nil {
				t.Error(err)
			}
			if !w.kernel.kept || w.kernel.names() != "eth0" {
				t.Errorf("kept %v, attached %q", w.kernel.kept, w.kernel.names())
			}
			w.says("eth0 stays protected without a daemon")
			if strings.Contains(w.rawLog(), "detached") {
				t.Error("a detached event although nothing is detached")
			}
		})
	}
}

// TestRingBroken cannot read the kernel's events any more: an error, and
// the kernel goes on dropping.
func TestRingBroken(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.kernel.broken <- errors.New("read ring buffer: bad record")
	err := w.ended()
	if err == nil || !strings.Contains(err.Error(), "bad record; the kernel goes on dropping") {
		t.Errorf("error %v", err)
	}
	if !w.kernel.kept {
		t.Error("the kernel does not go on dropping")
	}
}

// TestGoroutines wants every goroutine gone when Run returns.
func TestGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	w := newWorld(t, "eth0")
	w.opts.Notify = func(config.Config) (Notifier, error) { return &fakeNotifier{}, nil }
	w.run()
	w.reload()
	w.configure(func(c *config.Config) { c.Lists.Deny += "2"; c.Log.Compress = true })
	w.reload()
	w.detect("198.51.100.1/32", event.VerdictBan)
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(patience)
	for runtime.NumGoroutine() > before {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<20)
			t.Fatalf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		}
		time.Sleep(time.Millisecond)
	}
}

func TestDetachRequest(t *testing.T) {
	w := newWorld(t, "eth0", "eth1")
	w.opts.Keep = true // a request beats it
	w.run()
	if r := w.ask("eth0", "eth9"); r.Error != `detach "eth9": it is not protected` {
		t.Errorf("answer %+v", r)
	}
	if got := w.kernel.names(); got != "eth0 eth1" {
		t.Errorf("attached %q after a refused request", got)
	}
	if r := w.ask("eth0", "eth0"); r.Error != "" {
		t.Errorf("answer %+v", r)
	}
	w.logged(event.Detached, func(e event.Event) bool { return e.Interface == "eth0" && e.Reason == "stopped: by operator" })
	for range 3 {
		w.clock.advance(time.Second)
	}
	if got := w.kernel.names(); got != "eth1" {
		t.Errorf("attached %q, want eth1 alone", got)
	}
	w.reload()
	if got := w.kernel.names(); got != "eth0 eth1" {
		t.Errorf("attached %q after a reload, want both", got)
	}

	if r := w.ask(); r.Error != "" {
		t.Errorf("answer %+v", r)
	}
	// Whoever asked can count on it: the answer comes when it is done.
	if !w.kernel.closed || w.kernel.kept {
		t.Errorf("closed %v, kept %v", w.kernel.closed, w.kernel.kept)
	}
	if err := w.ended(); err != nil {
		t.Error(err)
	}
}

func TestUnknownRequest(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	r, err := control.Call(t.Context(), w.opts.Control, control.Request{Command: "dance"})
	if err != nil || !strings.Contains(r.Error, `"dance" is unknown`) {
		t.Errorf("answer %+v, %v", r, err)
	}
}

// TestNoControl runs without a socket that cannot be made.
func TestNoControl(t *testing.T) {
	w := newWorld(t, "eth0")
	w.write(w.opts.Control, "precious")
	w.run()
	w.says(`"denmap detach" cannot reach this daemon`)
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}

// TestGroupEnd gives up on what hangs.
func TestGroupEnd(t *testing.T) {
	g := newGroup()
	release := make(chan struct{})
	g.run(func(context.Context) { <-release })
	if g.end(time.Millisecond) {
		t.Error("a goroutine that hangs has ended")
	}
	close(release)
	if !g.end(patience) {
		t.Error("a goroutine that has ended hangs")
	}
}

// TestDetachAwaited ends the wait for interfaces that are not there: one
// that never was and one that is gone.
func TestDetachAwaited(t *testing.T) {
	w := newWorld(t, "eth0", "eth1")
	w.opts.Config.Interfaces = []config.Interface{{Name: "eth0"}, {Name: "eth1"}, {Name: "eth9"}}
	w.run()
	w.host.unplug("eth1")
	w.says("eth1 is gone")
	if r := w.ask("eth1", "eth7"); r.Error != `detach "eth7": it is not protected` {
		t.Errorf("answer %+v", r)
	}
	if r := w.ask("eth1", "eth9"); r.Error != "" {
		t.Errorf("answer %+v", r)
	}
	w.host.plug("eth1")
	w.host.plug("eth9")
	for range 3 {
		w.clock.advance(time.Second)
	}
	if got := w.kernel.names(); got != "eth0" {
		t.Errorf("attached %q, want eth0 alone", got)
	}
	if n := w.count(`waiting for "eth1"`) + w.count(`waiting for "eth9"`); n != 3 { // eth9 to begin with, and the end of both
		t.Errorf("%d lines about waiting, want 3:\n%s", n, w.saying())
	}
}
