// SPDX-License-Identifier: MIT

package control

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"denmap/userspace/account"
)

// maxClients is how many requests are under way at once; more wait.
const maxClients = 8

// Server is the daemon's end of the socket.
type Server struct {
	listener *net.UnixListener
	handlers sync.WaitGroup
	quit     chan struct{} // closed by Stop
	done     chan struct{} // closed when no more connections are taken
	stop     sync.Once
}

// Listen makes the socket at path, with the directory it is in, and calls
// handle for each request, from several goroutines at once. A socket that
// is there already is replaced: only one daemon at a time holds the kernel
// state, and the caller is that one.
func Listen(path string, handle func(Request) Response) (*Server, error) {
	if err := account.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make control socket: %w", err)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("make control socket: %w", err)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("make control socket: %w", err)
	}
	// Until then, the check of each peer keeps others out, as it does after.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("make control socket: %w", err), l.Close())
	}
	s := &Server{listener: l, quit: make(chan struct{}), done: make(chan struct{})}
	go s.serve(handle)
	return s, nil
}

func (s *Server) serve(handle func(Request) Response) {
	defer close(s.done)
	slots := make(chan struct{}, maxClients)
	for {
		conn, err := s.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			// Out of file descriptors, most likely: let some be closed.
			time.Sleep(100 * time.Millisecond)
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-s.quit:
			conn.Close()
			return
		}
		s.handlers.Go(func() {
			defer func() { <-slots }()
			defer conn.Close()
			answer(conn, handle)
		})
	}
}

// answer serves one connection. A client that goes away or talks nonsense
// is its own problem.
func answer(conn *net.UnixConn, handle func(Request) Response) {
	if err := checkPeer(conn, mayControl); err != nil {
		_ = writeLine(conn, Response{Error: err.Error()})
		return
	}
	if err := conn.SetReadDeadline(time.Now().Add(ioLimit)); err != nil {
		return
	}
	var req Request
	if err := readLine(conn, &req); err != nil {
		_ = writeLine(conn, Response{Error: fmt.Sprintf("read request: %v", err)})
		return
	}
	_ = writeLine(conn, handle(req))
}

// Stop takes no more requests and removes the socket. Those under way go
// on. It may be called twice.
func (s *Server) Stop() {
	s.stop.Do(func() {
		close(s.quit)
		// The only error is that it is closed already.
		_ = s.listener.Close()
	})
	<-s.done
}

// Wait returns when every request is answered, after Stop.
func (s *Server) Wait() { s.handlers.Wait() }
