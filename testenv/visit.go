// SPDX-License-Identifier: MIT

package testenv

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// visit is a client and the host it uses, with the addresses in use.
type visit struct {
	lab            *Lab
	victim, client *Host
	to, from       netip.Addr
	held           *[]*net.TCPConn // the client's ends of connections that outlive a step
}

func newVisit(lab *Lab, version int) visit {
	v := visit{lab: lab, victim: lab.Host("victim"), client: lab.Host("client"), held: new([]*net.TCPConn)}
	v.to, v.from = v.victim.IPv4, v.client.IPv4
	if version == 6 {
		v.to, v.from = v.victim.IPv6, v.client.IPv6
	}
	return v
}

func (v visit) get(parallel, each int) error {
	client := v.client.HTTPClient()
	url := "http://" + netip.AddrPortFrom(v.to, 80).String() + "/"
	return together(parallel, func(int) error {
		for range each {
			response, err := client.Get(url)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, response.Body)
			if err = errors.Join(err, response.Body.Close()); err != nil {
				return err
			}
		}
		return nil
	})
}

// together calls f with 0 to n-1, all at once, and joins the errors.
func together(n int, f func(int) error) error {
	errs := make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { errs[i] = f(i) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// refused connects to a closed port and wants to be told so.
func (v visit) refused(port uint16, times int) error {
	for range times {
		conn, err := v.client.Dial(v.to, port)
		if err == nil {
			conn.Close()
			return fmt.Errorf("port %d is open", port)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("closed port %d: %w; want it refused", port, err)
		}
	}
	return nil
}

// waitRefused waits until ports that were closed just now refuse: a process
// that another lab is starting may hold their sockets a moment longer.
func (v visit) waitRefused(ports []uint16) {
	for _, port := range ports {
		v.victim.Eventually(5*time.Second, func() error { return v.refused(port, 1) })
	}
}

// connect opens and closes connections to port 80, with a RST if abort.
func (v visit) connect(times int, abort bool) error {
	for range times {
		conn, err := v.client.Dial(v.to, 80)
		if err != nil {
			return err
		}
		if abort {
			if err := conn.SetLinger(0); err != nil {
				return err
			}
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

// passiveTransfers fetches files from data ports that the host opens for
// one connection each, as after PASV.
func (v visit) passiveTransfers() error {
	for range 15 {
		if err := transfer(v.victim, v.client, v.to); err != nil {
			return err
		}
	}
	return nil
}

// activeTransfers lets the host connect to ports of the client, as after
// PORT.
func (v visit) activeTransfers() error {
	for range 15 {
		if err := transfer(v.client, v.victim, v.from); err != nil {
			return err
		}
	}
	return nil
}

// transfer sends data over one connection to a port that is open for it
// alone.
func transfer(server, client *Host, addr netip.Addr) error {
	listener := server.Listen(0)
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	return together(2, func(side int) error {
		if side == 0 {
			conn, err := listener.Accept()
			if err != nil {
				return err
			}
			_, err = io.WriteString(conn, "data")
			return errors.Join(err, conn.Close())
		}
		conn, err := client.Dial(addr, uint16(port))
		if err != nil {
			return errors.Join(err, listener.Close()) // ends Accept too
		}
		data, err := io.ReadAll(conn)
		if string(data) != "data" {
			err = errors.Join(err, fmt.Errorf("got %q over port %d", data, port))
		}
		return errors.Join(err, conn.Close())
	})
}

// nameQueries makes the host ask a name server from 200 sockets. Every
// tenth answer comes too late: its socket is closed.
func (v visit) nameQueries() error {
	server := v.client.ListenPacket(53)
	defer server.Close()
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return // closed
			}
			if buf[0] == 1 { // the asker closes now; answer afterwards
				buf[0] = 0
				time.AfterFunc(20*time.Millisecond, func() { server.WriteTo([]byte("late"), from) })
				continue
			}
			server.WriteTo(buf[:n], from)
		}
	}()
	for i := range 200 {
		late := i%10 == 9
		if err := v.query(late); err != nil {
			return fmt.Errorf("query %d: %w", i, err)
		}
	}
	return nil
}

func (v visit) query(late bool) error {
	conn := v.victim.ListenPacket(0)
	defer conn.Close()
	question := []byte{0, 0, 1, 0}
	if late {
		question[0] = 1
	}
	server := &net.UDPAddr{IP: v.from.AsSlice(), Port: 53}
	if _, err := conn.WriteTo(question, server); err != nil || late {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	_, _, err := conn.ReadFrom(make([]byte, 512))
	return err
}

// browse opens 30 connections at once to two open ports and tries one
// closed one.
func (v visit) browse() error {
	return together(31, func(i int) error {
		if i == 30 {
			return v.refused(8443, 1)
		}
		conn, err := v.client.Dial(v.to, []uint16{80, 443}[i%2])
		if err != nil {
			return err
		}
		_, err = io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n")
		if err == nil {
			_, err = io.ReadAll(conn)
		}
		return errors.Join(err, conn.Close())
	})
}

// restart uses ten services, stops them and goes on calling their ports.
func (v visit) restart() error {
	var ports []uint16
	for i := range 10 {
		port := uint16(9000 + i)
		listener := v.victim.Listen(port)
		conn, err := v.client.Dial(v.to, port)
		if err != nil {
			return fmt.Errorf("service on port %d: %w", port, err)
		}
		if err := errors.Join(conn.Close(), listener.Close()); err != nil {
			return err
		}
		ports = append(ports, port)
	}
	v.waitRefused(ports)
	for range 2 {
		for _, port := range ports {
			if err := v.refused(port, 1); err != nil {
				return err
			}
		}
	}
	return nil
}
