// SPDX-License-Identifier: MIT

package dashboard

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
)

// maxConns bounds the open connections. A browser opens six at most to one
// page.
const maxConns = 512

// loopbackAddress returns the address to listen on, or an error with the
// line to use instead of a reachable one.
func loopbackAddress(listen string) (netip.AddrPort, error) {
	refuse := func() (netip.AddrPort, error) {
		port := "8790"
		if _, p, err := net.SplitHostPort(listen); err == nil && p != "" && p != "0" {
			port = p
		}
		return netip.AddrPort{}, fmt.Errorf(
			"serve page on %q: expected a loopback address such as 127.0.0.1:%s; from another machine, use: ssh -L %s:127.0.0.1:%s HOST",
			listen, port, port, port)
	}
	host, portText, err := net.SplitHostPort(listen)
	if err != nil {
		return refuse()
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return refuse()
	}
	if strings.EqualFold(host, "localhost") {
		host = "127.0.0.1"
	}
	addr, err := netip.ParseAddr(host)
	if err != nil || !addr.Unmap().IsLoopback() || addr.Zone() != "" {
		return refuse()
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}

// hosts returns what a Host header may be: the loopback names and the
// address itself, with the port.
func hosts(at netip.AddrPort) map[string]bool {
	names := []string{"127.0.0.1", "localhost", "[::1]", at.Addr().String()}
	if at.Addr().Is6() {
		names[3] = "[" + at.Addr().String() + "]"
	}
	out := make(map[string]bool)
	for _, name := range names {
		out[fmt.Sprintf("%s:%d", name, at.Port())] = true
		if at.Port() == 80 {
			out[name] = true // browsers leave it out then
		}
	}
	return out
}

// limited is a listener with a bound on the connections that are open at
// once. Further ones wait.
type limited struct {
	net.Listener
	slots chan struct{}
	quit  chan struct{}
	once  sync.Once
}

func limit(l net.Listener, most int) net.Listener {
	return &limited{Listener: l, slots: make(chan struct{}, most), quit: make(chan struct{})}
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.quit:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &limitedConn{Conn: conn, free: func() { <-l.slots }}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.quit) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	free func()
	once sync.Once
}

func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.free)
	return err
}
