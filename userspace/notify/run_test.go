// SPDX-License-Identifier: MIT

package notify

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
)

// eventually waits for a condition that another goroutine will make true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// running starts a notifier on the real clock and stops it with the test.
func running(t *testing.T, n *Notifier) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run does not return")
		}
	}
	t.Cleanup(stop)
	return stop
}

func realWorld(t *testing.T) *world { return &world{t: t, clock: &fakeClock{now: time.Now()}} }

func fast(o Options) Options {
	o.Settle, o.Digest = 20*time.Millisecond, time.Hour
	o.Grace = 2 * time.Second
	return o
}

func TestRunDeliversMail(t *testing.T) {
	server := (&fakeSMTP{password: testPassword}).start(t)
	o := fast(mailOptions(t, server))
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, n)
	w := realWorld(t)
	n.Handle(w.scan(event.ScanDetected, "203.0.113.7"), nil)
	n.Handle(w.scan(event.SourceBanned, "203.0.113.7"), nil)
	<-server.arrived
	eventually(t, "an empty queue", func() bool { st := n.Status(); return st.Queued == 0 && !st.LastSent.IsZero() })
	eventually(t, "a status file that says so", func() bool {
		st, err := ReadStatus(o.StateDir)
		return err == nil && st.Enabled && st.SentToday == 1 && st.Queued == 0 && !st.LastSent.IsZero()
	})
	stop()
	if got := server.received(); len(got) != 1 || !strings.Contains(got[0].Data, "Subject: [DenMap] web1: SYN scan by 203.0.113.7") {
		t.Errorf("received %+v", got)
	}
}

// The server is down during the scan, the daemon restarts, the server
// comes up: the mail arrives.
func TestRunServerDownThenUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	server := &fakeSMTP{addr: addr, arrived: make(chan struct{}, 10), closing: make(chan struct{})}
	server.cert, server.pool = makeCertificate(t, time.Now().Add(time.Hour), "localhost")
	o := fast(mailOptions(t, server))
	n, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, n)
	n.Handle(realWorld(t).scan(event.SourceBanned, "203.0.113.7"), nil)
	eventually(t, "a status that shows the queue and why", func() bool {
		st, err := ReadStatus(o.StateDir)
		return err == nil && st.Queued == 1 && strings.Contains(st.LastError, "connection refused") &&
			!st.Targets[0].NextAttempt.IsZero() && st.Targets[0].Failures > 0 && !st.Oldest.IsZero()
	})
	stop()
	server.listen(t, addr)
	if n, err = New(o); err != nil {
		t.Fatal(err)
	}
	stop = running(t, n)
	<-server.arrived
	eventually(t, "an empty queue", func() bool { return n.Status().Queued == 0 })
	stop()
	if got := server.received(); len(got) != 1 || !strings.Contains(got[0].Data, "203.0.113.7") {
		t.Errorf("received %+v", got)
	}
}

// A server that hangs costs its own goroutine alone: events are taken at
// once and the other destination gets its message.
func TestRunHangingServer(t *testing.T) {
	server := (&fakeSMTP{hangAt: "EHLO"}).start(t)
	o := fast(mailOptions(t, server))
	o.AttemptTimeout, o.Grace = time.Hour, 50*time.Millisecond
	full, err := o.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	slow, err := newSMTP(full)
	if err != nil {
		t.Fatal(err)
	}
	good := &fakeSender{}
	n, err := newNotifier(full, []target{{"mail", formMail, slow}, {"slack", formChat, good}})
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, n)
	w := realWorld(t)
	n.Handle(w.scan(event.SourceBanned, "203.0.113.7"), nil)
	eventually(t, "the other destination's message", func() bool { return len(good.messages()) == 1 })
	eventually(t, "an attempt under way", func() bool { st := n.Status(); return st.Targets[0].Sending && st.Targets[0].Queued == 1 })
	begin := time.Now()
	for range 5000 {
		n.Handle(w.scan(event.ScanDetected, "203.0.113.8"), nil)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("5000 events took %s while the server hung", took)
	}
	eventually(t, "all events counted", func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.st.Digest.Events == 5001
	})
	stop() // within the grace, although the attempt has an hour
	if st, err := ReadStatus(o.StateDir); err != nil || st.Queued != 1 || st.PendingSources != 2 {
		t.Errorf("status = %+v, %v", st, err)
	}
}

// What is told at once goes out before the daemon ends.
func TestRunTellsBeforeItEnds(t *testing.T) {
	sender := &fakeSender{}
	o, err := Options{StateDir: t.TempDir(), Settle: time.Hour, Hostname: "web1"}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	n, err := newNotifier(o, []target{{"mail", formMail, sender}})
	if err != nil {
		t.Fatal(err)
	}
	stop := running(t, n)
	n.Handle(event.Event{Time: time.Now(), Action: event.Detached, Interface: "eth0", Reason: "link is gone"}, nil)
	stop()
	if got := subjects(sender.messages()); len(got) != 1 || got[0] != "[DenMap] web1: protection lost on eth0" {
		t.Errorf("told %q", got)
	}
}

func TestWorkerOutcomes(t *testing.T) {
	rows := []struct {
		name    string
		receipt Receipt
		err     error
		age     time.Duration
		queued  int
		failed  uint64
		blocked bool // the destination waits, not the message
		refused int
	}{
		{name: "accepted"},
		{name: "accepted by some", receipt: Receipt{Settled: []string{"a", "b"}, Refused: []Refusal{{"a", "550"}}}, refused: 1},
		{name: "unknown error", err: errDown, queued: 1, blocked: true},
		{name: "destination down", err: &SendError{Scope: ScopeTarget, Err: errDown}, queued: 1, blocked: true},
		{name: "not now", receipt: Receipt{Settled: []string{"a"}}, err: &SendError{Scope: ScopeMessage, Err: errDown}, queued: 1},
		{name: "never", receipt: Receipt{Settled: []string{"a"}, Refused: []Refusal{{"a", "550"}}}, err: &SendError{Scope: ScopePermanent, Err: errDown}, failed: 1, refused: 1},
		{name: "too old", err: errDown, age: maxQueueAge + time.Hour, failed: 1, blocked: true},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t, nil)
			k := w.n.workers[0]
			k.t.sender = &fakeSender{send: func(context.Context, Message, []string) (Receipt, error) { return row.receipt, row.err }}
			m := spoolMessage(1)
			m.Created = start.Add(-row.age)
			if err := w.n.spool.Add("mail", m, start); err != nil {
				t.Fatal(err)
			}
			e, ok, _ := k.next(start)
			if !ok {
				t.Fatal("nothing to send")
			}
			k.attempt(t.Context(), e)
			st := w.n.Status()
			if st.Queued != row.queued || st.Failed != row.failed || len(st.Refused) != row.refused {
				t.Errorf("status = %+v", st)
			}
			if (row.err == nil) != (st.LastError == "") {
				t.Errorf("last error = %q", st.LastError)
			}
			if st.Targets[0].Sending || k.blocked.After(start) != row.blocked {
				t.Errorf("target = %+v, blocked until %s", st.Targets[0], k.blocked)
			}
			if row.queued == 0 {
				return
			}
			if _, ok, next := k.next(start); ok || next.Before(start.Add(firstRetry/2)) || next.After(start.Add(2*firstRetry)) {
				t.Errorf("next attempt: now %v, or at %s", ok, next)
			}
			e, _, _ = w.n.spool.Next("mail", start.Add(time.Hour))
			if e.Attempts != 1 || len(e.Settled) != len(row.receipt.Settled) || !strings.Contains(e.LastError, errDown.Error()) {
				t.Errorf("entry = %+v", e)
			}
		})
	}
}

// Retries become rarer, and an answer in between starts them again.
func TestWorkerBacksOff(t *testing.T) {
	w := newWorld(t, nil)
	k := w.n.workers[0]
	attempts := 0
	up := false
	k.t.sender = &fakeSender{send: func(context.Context, Message, []string) (Receipt, error) {
		attempts++
		if up {
			return Receipt{}, nil
		}
		return Receipt{}, errDown
	}}
	for i := range 10 {
		if err := w.n.spool.Add("mail", spoolMessage(i), start); err != nil {
			t.Fatal(err)
		}
	}
	end := start.Add(24 * time.Hour)
	for now := start; now.Before(end); {
		w.clock.set(now)
		e, ok, next := k.next(now)
		if ok {
			k.attempt(t.Context(), e)
			continue
		}
		now = next
	}
	if attempts < 40 || attempts > 80 {
		t.Errorf("%d attempts in a day for ten messages, want about 50", attempts)
	}
	up = true
	w.clock.set(end.Add(time.Hour))
	for {
		e, ok, _ := k.next(w.clock.Now())
		if !ok {
			break
		}
		k.attempt(t.Context(), e)
	}
	if st := w.n.Status(); st.Queued != 0 || st.Targets[0].Failures != 0 || st.LastError != "" {
		t.Errorf("status = %+v", st)
	}
}

func TestReadStatusMissing(t *testing.T) {
	if _, err := ReadStatus(t.TempDir()); err == nil || errors.Is(err, errNotRegular) {
		t.Errorf("err = %v", err)
	}
}
