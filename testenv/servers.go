// SPDX-License-Identifier: MIT

package testenv

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// dialLimit is how long Dial waits: longer than the first retransmission
// of a SYN, so that one lost packet is no failure.
const dialLimit = 3 * time.Second

// Listen opens a TCP listener on the host, on every address and both IP
// versions. Port 0 takes a free one. t.Cleanup closes it.
func (h *Host) Listen(port uint16) net.Listener {
	h.t.Helper()
	var listener net.Listener
	err := h.Inside(func() (err error) {
		listener, err = net.Listen("tcp", ":"+strconv.Itoa(int(port)))
		return err
	})
	if err != nil {
		h.t.Fatalf("listen on port %d of %q: %v", port, h.Name, err)
	}
	h.t.Cleanup(func() { listener.Close() })
	return listener
}

// ListenPacket opens a UDP socket on the host. t.Cleanup closes it.
func (h *Host) ListenPacket(port uint16) net.PacketConn {
	h.t.Helper()
	var conn net.PacketConn
	err := h.Inside(func() (err error) {
		conn, err = net.ListenPacket("udp", ":"+strconv.Itoa(int(port)))
		return err
	})
	if err != nil {
		h.t.Fatalf("listen on UDP port %d of %q: %v", port, h.Name, err)
	}
	h.t.Cleanup(func() { conn.Close() })
	return conn
}

// Serve accepts TCP connections on ports and reads each to its end.
func (h *Host) Serve(ports ...uint16) {
	h.t.Helper()
	for _, port := range ports {
		h.serve(h.Listen(port), func(conn net.Conn) { io.Copy(io.Discard, conn) })
	}
}

// serve handles every connection on a goroutine of its own; t.Cleanup
// waits until all have ended.
func (h *Host) serve(listener net.Listener, handle func(net.Conn)) {
	var open sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	open.Go(func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				continue // the peer gave up before it was accepted
			}
			open.Go(func() {
				defer conn.Close()
				stop := context.AfterFunc(ctx, func() { conn.Close() })
				defer stop()
				handle(conn)
			})
		}
	})
	h.t.Cleanup(func() {
		listener.Close()
		cancel()
		open.Wait()
	})
}

// ServeHTTP answers every request on ports with a short page.
func (h *Host) ServeHTTP(ports ...uint16) {
	h.t.Helper()
	for _, port := range ports {
		listener := h.Listen(port)
		server := &http.Server{
			Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				io.WriteString(w, "hello\n") // a client that is gone needs no answer
			}),
			ReadHeaderTimeout: 10 * time.Second,
		}
		go server.Serve(listener) // ends with the listener
		h.t.Cleanup(func() { server.Close() })
	}
}

// Dial connects from the host to a port of addr.
func (h *Host) Dial(addr netip.Addr, port uint16) (*net.TCPConn, error) {
	return h.DialFrom(netip.Addr{}, addr, port)
}

// DialFrom is Dial from one of the host's addresses; the zero Addr leaves
// the choice to the kernel.
func (h *Host) DialFrom(source, addr netip.Addr, port uint16) (*net.TCPConn, error) {
	dialer := net.Dialer{Timeout: dialLimit, KeepAlive: -1}
	if source.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: source.AsSlice()}
	}
	// Plain TCP: a host of the lab makes the SYNs of an ordinary kernel.
	dialer.SetMultipathTCP(false)
	var conn net.Conn
	err := h.Inside(func() (err error) {
		conn, err = dialer.DialContext(h.t.Context(), "tcp", netip.AddrPortFrom(addr, port).String())
		return err
	})
	if err != nil {
		return nil, err
	}
	return conn.(*net.TCPConn), nil
}

// MustDial is Dial that ends the test when it fails.
func (h *Host) MustDial(addr netip.Addr, port uint16) *net.TCPConn {
	h.t.Helper()
	conn, err := h.Dial(addr, port)
	if err != nil {
		h.t.Fatalf("connect from %q: %v", h.Name, err)
	}
	return conn
}

// Reaches reports whether the host gets a connection to a port of addr
// within the limit. Nothing is sent over it.
func (h *Host) Reaches(addr netip.Addr, port uint16, limit time.Duration) bool {
	return h.reachesFrom(netip.Addr{}, addr, port, limit)
}

func (h *Host) reachesFrom(source, addr netip.Addr, port uint16, limit time.Duration) bool {
	dialer := net.Dialer{Timeout: limit}
	if source.IsValid() {
		dialer.LocalAddr = &net.TCPAddr{IP: source.AsSlice()}
	}
	err := h.Inside(func() error {
		conn, err := dialer.DialContext(h.t.Context(), "tcp", netip.AddrPortFrom(addr, port).String())
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return err == nil
}

// HTTPClient returns a client whose connections come from the host.
func (h *Host) HTTPClient() *http.Client {
	transport := &http.Transport{
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			target, err := netip.ParseAddrPort(addr)
			if err != nil {
				return nil, err
			}
			return h.Dial(target.Addr(), target.Port())
		},
		DisableKeepAlives: true, // every request is a connection of its own
	}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}
