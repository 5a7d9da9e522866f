// SPDX-License-Identifier: MIT

package metrics

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func mustListen(t *testing.T, h http.Handler, report func(string)) *Server {
	t.Helper()
	s, err := Listen("127.0.0.1:0", h, report)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestServer(t *testing.T) {
	s := mustListen(t, New(testOptions()).Handler(), nil)
	url := "http://" + s.Addr().String()
	get := func(method, path string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if code, body := get("GET", "/metrics"); code != http.StatusOK || !strings.Contains(body, "denmap_active_bans 3") {
		t.Errorf("GET /metrics: %d, %s", code, body)
	}
	for _, path := range []string{"/", "/debug/pprof/", "/metrics/x"} {
		if code, _ := get("GET", path); code != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, code)
		}
	}
	if code, _ := get("POST", "/metrics"); code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", code)
	}
	if _, err := Listen(s.Addr().String(), nil, nil); err == nil || !strings.HasPrefix(err.Error(), "metrics: listen tcp") {
		t.Errorf("a second server at the same address: %v", err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := net.DialTimeout("tcp", s.Addr().String(), time.Second); err == nil {
		t.Error("connected after Close")
	}
}

// A visitor that keeps an answer from ending does not keep Close.
func TestCloseWithAnswerUnderWay(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	s := mustListen(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(asked); <-release }), nil)
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-asked
	began := time.Now()
	if err := s.Close(); err != nil || time.Since(began) > closePatience+5*time.Second {
		t.Errorf("Close: %v after %v", err, time.Since(began))
	}
}

// Connections are bounded, and come again when others end.
func TestLimit(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner, 2)
	accepted := make(chan net.Conn)
	ended := make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			accepted <- conn
		}
	}()
	var clients []net.Conn
	for range 3 {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, conn)
	}
	first := <-accepted
	<-accepted
	select {
	case <-accepted:
		t.Fatal("a third connection is accepted")
	case <-time.After(50 * time.Millisecond):
	}
	var group sync.WaitGroup
	for range 2 { // closing twice gives one place back
		group.Go(func() { first.Close() })
	}
	group.Wait()
	<-accepted
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	for _, conn := range clients {
		conn.Close()
	}
}

func TestServerTellsWhenItEnds(t *testing.T) {
	said := make(chan string, 1)
	s := mustListen(t, http.NotFoundHandler(), func(text string) { said <- text })
	if err := s.listener.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case text := <-said:
		if !strings.Contains(text, "nothing is served at 127.0.0.1:") {
			t.Errorf("said %q", text)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing said")
	}
}
