// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// modelSocket is a real socket in the namespace of the lab.
type modelSocket struct {
	network string // "tcp" or "udp"
	addr    netip.Addr
	port    uint16
	close   func() error // nil: closed

	// Of a connection only; it needs listener to be open.
	peer     netip.AddrPort
	outbound bool
	listener *modelSocket

	accept func() (*net.TCPConn, error) // of a listener
}

func (s *modelSocket) takes(v *view) bool {
	if s.close == nil || v.dport != s.port || (s.network == "udp") != (v.protocol == protoUDP) {
		return false
	}
	if s.peer.IsValid() && s.peer != netip.AddrPortFrom(v.src.Unmap(), v.sport) {
		return false
	}
	return s.addr.IsUnspecified() || s.addr == v.dst.Unmap()
}

func (s *modelSocket) open() error {
	at := netip.AddrPortFrom(s.addr, s.port)
	switch {
	case s.network == "udp":
		c, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err == nil {
			s.close = c.Close
		}
		return err
	case s.listener != nil:
		return s.connect(at)
	}
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err == nil {
		s.close, s.accept = l.Close, l.AcceptTCP
	}
	return err
}

// connect makes a connection between at and the peer, whichever listens. It
// is closed by a reset, which leaves nothing behind; close returns when both
// ends have seen it.
func (s *modelSocket) connect(at netip.AddrPort) error {
	from, to := s.peer, at
	if s.outbound {
		from, to = at, s.peer
	}
	reuse := func(_, _ string, c syscall.RawConn) (err error) {
		outer := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
		return errors.Join(outer, err)
	}
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from), Control: reuse}
	client, err := dialer.Dial("tcp", to.String())
	if err != nil {
		return err
	}
	server, err := s.listener.accept()
	if err != nil {
		return errors.Join(err, client.Close())
	}
	s.close = func() error {
		if err := errors.Join(client.(*net.TCPConn).SetLinger(0), client.Close(), server.SetReadDeadline(time.Now().Add(10*time.Second))); err != nil {
			return err
		}
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			return fmt.Errorf("reset a connection: read %v", err)
		}
		return server.Close()
	}
	return nil
}

func (l *modelLab) toggle(s *modelSocket) {
	l.t.Helper()
	if s.close == nil {
		if err := s.open(); err != nil {
			l.t.Fatalf("open %s port %d: %v", s.network, s.port, err)
		}
		return
	}
	if err := s.close(); err != nil {
		l.t.Fatal(err)
	}
	s.close = nil
}
