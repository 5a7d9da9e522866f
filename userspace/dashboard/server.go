// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"denmap/userspace/event"
)

// Time limits of a connection. Only the event stream lives longer than
// writeLimit, and only an import may read for longer than readLimit.
const (
	headerLimit = 5 * time.Second
	readLimit   = 20 * time.Second
	writeLimit  = 30 * time.Second
	idleLimit   = 2 * time.Minute
	headerBytes = 16 << 10

	// closePatience is how long the end waits for requests under way.
	closePatience = 3 * time.Second
)

// Server is the page. Make one with New, bind it with Listen, serve with
// Run. Handle, Link and Address may be called from any goroutine.
type Server struct {
	opts     Options
	assets   *assets
	links    *links
	sessions *sessions
	attempts *bucket
	hub      *hub
	undos    *undos
	settings sync.Mutex // one change of the settings at a time

	mu       sync.Mutex
	listener net.Listener // nil before Listen
	at       netip.AddrPort
	hosts    map[string]bool
}

// New checks the options and returns a Server that does not listen yet.
func New(o Options) (*Server, error) {
	at, err := loopbackAddress(o.Listen)
	if err != nil {
		return nil, err
	}
	if o.Kernel == nil || o.Config == nil || o.ConfigFile == "" {
		return nil, errors.New("serve page: no kernel or no configuration")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Report == nil {
		o.Report = func(string) {}
	}
	if o.Precious == nil {
		o.Precious = func() ([]Precious, error) { return nil, nil }
	}
	if o.Reload == nil {
		o.Reload = func(context.Context) error { return nil }
	}
	a, err := loadAssets()
	if err != nil {
		return nil, err
	}
	return &Server{
		opts: o, assets: a, at: at,
		links:    newLinks(o.Now),
		sessions: newSessions(o.Now),
		attempts: newBucket(o.Now, signInBurst, signInEvery),
		hub:      newHub(o),
		undos:    newUndos(o.Now),
	}, nil
}

// Listen binds the address. Nobody is served before Run.
func (s *Server) Listen() error {
	l, err := net.Listen("tcp", s.at.String())
	if err != nil {
		return fmt.Errorf("serve page: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener = limit(l, maxConns)
	if at, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
		s.at = at
	}
	s.hosts = hosts(s.at)
	return nil
}

// Run serves until ctx ends, after Listen. It returns nil then.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	l := s.listener
	s.mu.Unlock()
	if l == nil {
		return errors.New("serve page: not listening")
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	server := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: headerLimit,
		ReadTimeout:       readLimit,
		WriteTimeout:      writeLimit,
		IdleTimeout:       idleLimit,
		MaxHeaderBytes:    headerBytes,
		ErrorLog:          nowhere(),
		// Streams end when the daemon does.
		BaseContext: func(net.Listener) context.Context { return running },
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.hub.run(running) })
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("serve page: %w", err)
	}
	cancel()
	ending, stop := context.WithTimeout(context.Background(), closePatience)
	defer stop()
	if server.Shutdown(ending) != nil {
		// A client that hangs keeps nobody waiting.
		_ = server.Close()
	}
	wg.Wait()
	return err
}

// Handle shows an event to who is looking. It never blocks.
func (s *Server) Handle(e event.Event) { s.hub.handle(e) }

// Lost returns how many events found no room since the start: pages show
// what they changed a little later.
func (s *Server) Lost() uint64 { return s.hub.lost.Load() }

// Address returns the address of the page, such as
// "http://127.0.0.1:8790/", which is no secret.
func (s *Server) Address() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return "http://" + s.at.String() + "/"
}

// Link returns a new address that signs its first visitor in within
// ten minutes. It is a secret: it belongs on a terminal, not in a log.
func (s *Server) Link() (string, error) {
	token, err := s.links.issue()
	if err != nil {
		return "", err
	}
	// Behind the #, it is never sent in the address line of a request, so
	// no log, history of a proxy or Referer header gets to see it.
	return s.Address() + "sign-in#" + token, nil
}

// allowedHost reports whether a Host header names this page.
func (s *Server) allowedHost(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hosts[host]
}
