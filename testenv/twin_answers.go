// SPDX-License-Identifier: MIT

package testenv

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"denmap/testenv/packet"
)

// lateReplies makes the host ask a server on the client from 20 sockets
// and close them; then the server answers, so many datagrams each. own is
// the first of the host's ports, 0 leaves them to the kernel.
func (v visit) lateReplies(service, own uint16, answers int) error {
	server := v.client.ListenPacket(service)
	defer server.Close()
	var askers []net.Addr
	for i := range 20 {
		port := own
		if own != 0 {
			port += uint16(i * 17)
		}
		conn := v.victim.ListenPacket(port)
		_, err := conn.WriteTo([]byte("question"), &net.UDPAddr{IP: v.from.AsSlice(), Port: int(service)})
		if err == nil {
			err = server.SetReadDeadline(time.Now().Add(2 * time.Second))
		}
		var from net.Addr
		if err == nil {
			_, from, err = server.ReadFrom(make([]byte, 64))
		}
		if err = errors.Join(err, conn.Close()); err != nil {
			return err
		}
		askers = append(askers, from)
	}
	for _, asker := range askers {
		for range answers {
			if _, err := server.WriteTo([]byte("late answer"), asker); err != nil {
				return err
			}
		}
	}
	return nil
}

// forget closes the host's end of a connection as a power failure does:
// nothing is sent, and a later packet of the peer finds no socket.
func forget(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var repair error
	err = raw.Control(func(fd uintptr) {
		repair = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1)
	})
	return errors.Join(err, repair, conn.Close())
}

// forgotten opens connections of the host to the client, forgets them, and
// lets the client close its ends.
func (v visit) forgotten(n int, pause time.Duration) error {
	listener := v.client.Listen(9100)
	defer listener.Close()
	var ends []net.Conn
	for range n {
		own, err := v.victim.Dial(v.from, 9100)
		if err != nil {
			return err
		}
		end, err := listener.Accept()
		if err = errors.Join(err, forget(own)); err != nil {
			return err
		}
		ends = append(ends, end)
	}
	for _, end := range ends {
		if err := end.Close(); err != nil {
			return err
		}
		time.Sleep(pause)
	}
	return nil
}

// beforeReboot has the client hold connections to ten services, and the
// host lose them and the services: DenMap starts before they do.
func (v visit) beforeReboot() error {
	for i := range 10 {
		listener := v.victim.Listen(uint16(9000 + i))
		conn, err := v.client.Dial(v.to, uint16(9000+i))
		if err != nil {
			return err
		}
		end, err := listener.Accept()
		if err != nil {
			return err
		}
		if err := errors.Join(forget(end.(*net.TCPConn)), listener.Close()); err != nil {
			return err
		}
		*v.held = append(*v.held, conn)
	}
	return nil
}

// beforeProtectedReboot does the same while DenMap runs, which then ends
// with the host: its program and tables are gone, its files are there. The
// connections are without timestamps, so that what the client sends later
// could be a probe.
func (v visit) beforeProtectedReboot() error {
	if err := withoutTimestamps(v); err != nil {
		return err
	}
	daemon := v.victim.Attach()
	if err := v.beforeReboot(); err != nil {
		return err
	}
	if code := daemon.Stop(); code != 0 {
		return fmt.Errorf("denmap ended with exit code %d", code)
	}
	return nil
}

// hangUp has the client close connections that the host has forgotten.
func (v visit) hangUp() error {
	for _, conn := range *v.held {
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

// monitored stops ten services that nobody has called yet, has each called
// three times, and starts them again.
func (v visit) monitored() error {
	ports := make([]uint16, 10)
	listeners := make([]net.Listener, len(ports))
	for i := range ports {
		ports[i] = uint16(9300 + i)
		listeners[i] = v.victim.Listen(ports[i])
	}
	time.Sleep(2 * time.Second) // services that are up for less are not known
	for _, l := range listeners {
		if err := l.Close(); err != nil {
			return err
		}
	}
	v.waitRefused(ports)
	for range 2 {
		for _, port := range ports {
			if err := v.refused(port, 1); err != nil {
				return err
			}
		}
	}
	for _, port := range ports {
		v.victim.Listen(port)
		conn, err := v.client.Dial(v.to, port)
		if err != nil {
			return fmt.Errorf("service on port %d, started again: %w", port, err)
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}

// afterReboot has the client ask whether its connections still live. It
// learns from resets that they do not.
func (v visit) afterReboot() error {
	for _, conn := range *v.held {
		err := conn.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3})
		if err != nil {
			return err
		}
	}
	for _, conn := range *v.held {
		err := conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if err == nil {
			_, err = conn.Read(make([]byte, 1))
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			return fmt.Errorf("a connection that the host has lost: %w; want it reset", err)
		}
		conn.Close() // it is reset
	}
	return nil
}

// crawl has the host connect to 60 ports that nobody listens on, and to
// hosts that do not exist; half of the answers come when it has given up.
func (v visit) crawl() error {
	dialer := net.Dialer{Timeout: 50 * time.Millisecond}
	dead := deadHost(v.from)
	return together(60, func(i int) error {
		target := netip.AddrPortFrom(v.from, uint16(7000+i))
		if i >= 50 {
			target = netip.AddrPortFrom(dead, 80)
		}
		return v.victim.Inside(func() error {
			conn, err := dialer.Dial("tcp", target.String())
			if err == nil {
				conn.Close()
				return fmt.Errorf("dead port %v answers", target)
			}
			return nil
		})
	})
}

// backscatter sends what hosts answer to a forger who used this host's
// address: SYN+ACK, RST and RST+ACK, from 300 hosts, and 150 from one.
func (v visit) backscatter() error {
	var frames [][]byte
	for i := range 450 {
		p := packet.TCP{Raw: true, Src: neighbour(v.from, i%300+20), Dst: v.to, DF: true, SrcPort: 80,
			DstPort: uint16(1024 + i*37), Seq: uint32(i) * 77777, Ack: uint32(i) * 3333}
		if i >= 300 {
			p.Src = v.from
		}
		switch i % 3 {
		case 0:
			p.Flags, p.Window, p.Options = packet.SYN|packet.ACK, 65535, packet.LinuxSYN
		case 1:
			p.Flags = packet.RST
		case 2:
			p.Flags = packet.RST | packet.ACK
		}
		frames = append(frames, packet.Finish(p.Bytes()))
	}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	return nil
}

// reflected is what servers answer to a forger who asked them in this
// host's name: one of each kind, to a port of the forger's choice each time.
func (v visit) reflected() error {
	var frames [][]byte
	for i, service := range []uint16{53, 123, 161, 389, 1900, 3702, 5683, 11211} {
		for n := range 40 {
			p := packet.TCP{Raw: true, Src: neighbour(v.from, i+1), Dst: v.to, SrcPort: service, DstPort: uint16(1024 + (i*40+n)*197)}
			frames = append(frames, packet.Finish(p.UDP(make([]byte, 440))))
		}
	}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	return nil
}

// discovered are devices that answer searches for them (SSDP), each from a
// port of its own, when the host has closed the socket that it asked from.
func (v visit) discovered() error {
	device := v.client.ListenPacket(0)
	defer device.Close()
	for range 40 {
		asker := v.victim.ListenPacket(0)
		port := asker.LocalAddr().(*net.UDPAddr).Port
		if err := asker.Close(); err != nil {
			return err
		}
		if _, err := device.WriteTo([]byte("HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\n\r\n"), &net.UDPAddr{IP: v.to.AsSlice(), Port: port}); err != nil {
			return err
		}
	}
	return nil
}

// neighbour returns a documentation address that no host of the lab has.
func neighbour(like netip.Addr, n int) netip.Addr {
	if like.Is4() {
		return netip.AddrFrom4([4]byte{203, 0, byte(113), byte(n)})
	}
	raw := netip.MustParseAddr("2001:db8:ffff::1").As16()
	raw[6], raw[7] = byte(n>>8), byte(n)
	return netip.AddrFrom16(raw)
}

// bulk moves 64 MiB each way, and half of the connections are opened by
// the host.
func (v visit) bulk() error {
	const size = 16 << 20
	return together(4, func(i int) error {
		server, client, addr := v.victim, v.client, v.to
		if i%2 == 1 {
			server, client, addr = v.client, v.victim, v.from
		}
		listener := server.Listen(uint16(5201 + i))
		defer listener.Close()
		return together(2, func(side int) error {
			var conn net.Conn
			var err error
			if side == 0 {
				conn, err = listener.Accept()
			} else {
				conn, err = client.Dial(addr, uint16(5201+i))
			}
			if err != nil {
				return err
			}
			defer conn.Close()
			sends := side == 0 == (i < 2)
			if sends {
				_, err = io.CopyN(conn, endless{}, size)
				return err
			}
			n, err := io.Copy(io.Discard, conn)
			if n != size {
				err = errors.Join(err, fmt.Errorf("got %d bytes of %d", n, size))
			}
			return err
		})
	})
}

// endless reads as zeroes for ever.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }
