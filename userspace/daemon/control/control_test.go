// SPDX-License-Identifier: MIT

package control

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func mustListen(t *testing.T, handle func(Request) Response) (*Server, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run", "control.sock")
	s, err := Listen(path, handle)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(); s.Wait() })
	return s, path
}

func TestCall(t *testing.T) {
	_, path := mustListen(t, func(r Request) Response {
		return Response{Message: r.Command + " " + strings.Join(r.Args, ","), Error: "none"}
	})
	got, err := Call(t.Context(), path, Request{Command: "detach", Args: []string{"eth0", "eth1"}})
	if want := (Response{Message: "detach eth0,eth1", Error: "none"}); err != nil || got != want {
		t.Errorf("Call = %+v, %v, want %+v", got, err, want)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket mode %v, %v, want 0600", info.Mode(), err)
	}
}

func TestNoDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	if _, err := Call(t.Context(), path, Request{}); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("without a socket: %v, want ErrNoDaemon", err)
	}
	// What a killed daemon leaves: a socket that nobody listens on.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := Call(t.Context(), path, Request{}); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("with a dead socket: %v, want ErrNoDaemon", err)
	}
	s, err := Listen(path, func(Request) Response { return Response{Message: "new"} })
	if err != nil {
		t.Fatalf("listen in place of a dead socket: %v", err)
	}
	defer s.Stop()
	if got, err := Call(t.Context(), path, Request{}); err != nil || got.Message != "new" {
		t.Errorf("Call = %+v, %v, want the new daemon's answer", got, err)
	}
}

// TestForeignFile leaves alone what is no socket.
func TestForeignFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.sock")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Listen(path, nil); err == nil {
		s.Stop()
		t.Error("Listen replaced a regular file")
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "precious" {
		t.Errorf("file = %q, %v", got, err)
	}
}

func TestNonsense(t *testing.T) {
	called := make(chan Request, 10)
	_, path := mustListen(t, func(r Request) Response { called <- r; return Response{} })
	for _, text := range []string{"\n", "{\n", "[]\n", strings.Repeat("x", 2*maxLine)} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		// The server may close before it has read everything.
		_, _ = conn.Write([]byte(text))
		if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(conn)
		if len(text) < maxLine && !strings.Contains(string(got), "read request") {
			t.Errorf("answer to %.20q: %q", text, got)
		}
		conn.Close()
	}
	if len(called) != 0 {
		t.Errorf("nonsense became the request %+v", <-called)
	}
}

// TestStopAnswers stops while a request is under way: it is still
// answered, and a new one finds nobody.
func TestStopAnswers(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	s, path := mustListen(t, func(Request) Response {
		close(asked)
		<-release
		return Response{Message: "done"}
	})
	answer := make(chan Response, 1)
	go func() {
		r, err := Call(t.Context(), path, Request{Command: "detach"})
		if err != nil {
			r.Error = err.Error()
		}
		answer <- r
	}()
	<-asked
	s.Stop()
	s.Stop()
	if _, err := Call(t.Context(), path, Request{}); !errors.Is(err, ErrNoDaemon) {
		t.Errorf("Call after Stop: %v, want ErrNoDaemon", err)
	}
	close(release)
	s.Wait()
	if got := <-answer; got != (Response{Message: "done"}) {
		t.Errorf("answer = %+v", got)
	}
}

func TestCallGivesUp(t *testing.T) {
	release := make(chan struct{})
	_, path := mustListen(t, func(Request) Response { <-release; return Response{} })
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Call(ctx, path, Request{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Call of a daemon that hangs: %v, want DeadlineExceeded", err)
	}
}
