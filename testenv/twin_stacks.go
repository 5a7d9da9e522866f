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

	"denmap/testenv/packet"
)

// relay is a mail server that delivers to 60 dead or busy hosts: some
// refuse, some are not there, some answer when it has given up, some are
// full and hang up; and several of them ask its ident port (RFC 1413),
// which is closed, or call back to its port 25.
func (v visit) relay() error {
	busy := v.client.Listen(25)
	defer busy.Close()
	go func() {
		for {
			conn, err := busy.Accept()
			if err != nil {
				return // closed
			}
			io.WriteString(conn, "421 too busy\r\n")
			conn.Close()
		}
	}()
	own := v.victim.Listen(25)
	defer own.Close()
	var frames [][]byte
	err := together(60, func(i int) error {
		target := netip.AddrPortFrom(v.from, 25)
		switch i % 3 {
		case 1: // refused
			target = netip.AddrPortFrom(v.from, uint16(2500+i))
		case 2: // nobody there
			target = netip.AddrPortFrom(deadHost(v.from), 25)
		}
		return v.victim.Inside(func() error {
			conn, err := (&net.Dialer{Timeout: 50 * time.Millisecond}).Dial("tcp", target.String())
			if err != nil {
				return nil // as it should be, but for the busy ones
			}
			_, err = io.ReadAll(conn)
			return errors.Join(err, conn.Close())
		})
	})
	for i := range 40 {
		src := neighbour(v.from, i+1)
		late := packet.TCP{Raw: true, Src: src, Dst: v.to, DF: true, SrcPort: 25, DstPort: uint16(40000 + 31*i), Seq: uint32(i) * 99991,
			Ack: uint32(i) * 77, Flags: packet.SYN | packet.ACK, Window: 65160, Options: packet.LinuxSYN}
		ident, callback := packet.Connect(src, v.to, 113), packet.Connect(src, v.to, 25)
		ident.Raw, callback.Raw = true, true
		frames = append(frames, packet.Finish(late.Bytes()), packet.Finish(ident.Bytes()), packet.Finish(callback.Bytes()))
	}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	return err
}

// deadHost is an address of the link that nobody has.
func deadHost(like netip.Addr) netip.Addr {
	if like.Is4() {
		return netip.MustParseAddr("198.51.100.200")
	}
	return netip.MustParseAddr("2001:db8:1::200")
}

// monitor checks ten services every few milliseconds while each of them
// restarts twice.
func (v visit) monitor() error {
	for round := range 3 {
		var services []net.Listener
		for i := range 10 {
			services = append(services, v.victim.Listen(uint16(9500+i)))
		}
		for _, up := range []bool{true, false} {
			if !up {
				for _, l := range services {
					if err := l.Close(); err != nil {
						return err
					}
				}
			}
			err := together(10, func(i int) error {
				conn, err := v.client.Dial(v.to, uint16(9500+i))
				if err == nil {
					err = conn.Close()
				} else if !up && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET)) {
					err = nil // the second by a listener that is just being closed
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("round %d, up=%v: %w", round, up, err)
			}
		}
	}
	return nil
}

// guessSettings is a mail program that is told an address only, on a host
// that takes mail at 587 and shows it at 993, and has other clients: each of
// the seven ports of mail is tried, all at once.
func (v visit) guessSettings() error {
	for _, port := range []uint16{587, 993} {
		l := v.victim.Listen(port)
		defer l.Close()
		conn, err := v.client.Dial(v.to, port)
		if err == nil {
			err = conn.Close()
		}
		if err != nil {
			return err
		}
	}
	ports := []uint16{143, 993, 110, 995, 587, 465, 25}
	return together(len(ports), func(i int) error {
		conn, err := v.client.Dial(v.to, ports[i])
		if errors.Is(err, syscall.ECONNREFUSED) {
			return nil
		}
		if err == nil {
			err = conn.Close()
		}
		return err
	})
}

// urgent is an old remote login that sends urgent data (RFC 6093), and
// closes one half first.
func (v visit) urgent() error {
	l := v.victim.Listen(513)
	defer l.Close()
	return together(2, func(side int) error {
		if side == 0 {
			for range 20 {
				conn, err := l.Accept()
				if err != nil {
					return err
				}
				_, err = io.Copy(io.Discard, conn)
				if err = errors.Join(err, conn.Close()); err != nil {
					return err
				}
			}
			return nil
		}
		for range 20 {
			conn, err := v.client.Dial(v.to, 513)
			if err != nil {
				return errors.Join(err, l.Close()) // ends Accept too
			}
			raw, err := conn.SyscallConn()
			if err == nil {
				err = raw.Write(func(fd uintptr) bool {
					// The kernel takes a byte of a new connection at once.
					return syscall.Sendto(int(fd), []byte{255}, syscall.MSG_OOB, nil) == nil
				})
			}
			if err == nil {
				err = conn.CloseWrite()
			}
			if err == nil {
				_, err = io.ReadAll(conn)
			}
			if err = errors.Join(err, conn.Close()); err != nil {
				return err
			}
		}
		return nil
	})
}

// congestion is clients that offer ECN (RFC 3168), accurate ECN (RFC 9768),
// fast open with data (RFC 7413) or multipath TCP (RFC 8684) to one open
// port.
func (v visit) congestion() error {
	var frames [][]byte
	for i := range 60 {
		p := packet.Connect(v.from, v.to, 80)
		p.Raw, p.SrcPort, p.Seq = true, uint16(21000+i), uint32(i)*65537
		switch i % 3 {
		case 0:
			p.Flags |= packet.ECE | packet.CWR
		case 1:
			p.Options = append(append([]byte{}, packet.LinuxSYN...), 34, 2, 1, 1)
			p.Payload = []byte("GET / HTTP/1.0\r\n\r\n")
		case 2:
			p.Options = append(append([]byte{}, packet.LinuxSYN...), 30, 4, 0, 1)
		}
		frames = append(frames, packet.Finish(p.Bytes()))
	}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	return nil
}

// oddStacks are 20 controllers and phones whose SYNs look raw: MSS alone,
// no DF, windows of 2144 to 32768, TTL 255. Each knows one open and one
// closed port.
func (v visit) oddStacks() error {
	var frames [][]byte
	for i := range 20 {
		for _, port := range []uint16{80, 8883} {
			p := packet.TCP{Raw: true, Src: neighbour(v.from, i+1), Dst: v.to, TTL: 255, ID: uint16(i), SrcPort: uint16(58311 + i),
				DstPort: port, Seq: 0x196d + uint32(i), Flags: packet.SYN, Window: []uint16{2144, 4096, 8192, 32768}[i%4],
				Options: []byte{2, 4, 2, 24}}
			frames = append(frames, packet.Finish(p.Bytes()))
		}
	}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	return nil
}

// fragments are 30 large datagrams, of which an open port takes the first
// half and a closed one the rest, and a data segment cut by a path of
// 68 bytes (RFC 791).
func (v visit) fragments() error {
	server := v.victim.ListenPacket(2049)
	defer server.Close()
	conn := v.client.ListenPacket(0)
	defer conn.Close()
	for i := range 30 {
		to := &net.UDPAddr{IP: v.to.AsSlice(), Port: 2049 + i/15*4}
		if _, err := conn.WriteTo(make([]byte, 8000), to); err != nil {
			return err
		}
	}
	if v.from.Is6() {
		return nil
	}
	p := packet.TCP{Raw: true, Src: v.from, Dst: v.to, SrcPort: 33000, DstPort: 80, ID: 7, Seq: 1, Ack: 1, Fragment: 0x2000,
		Flags: packet.ACK | packet.PSH, Window: 500, Options: packet.Timestamp, Payload: make([]byte, 16)}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, packet.Finish(p.Bytes()))
	return nil
}

// associations is SCTP of a peer whose association this host has lost: data
// and heartbeats, and its one port tried again and again.
func (v visit) associations() error {
	var frames [][]byte
	for i := range 60 {
		p := packet.TCP{Raw: true, Src: v.from, Dst: v.to, SrcPort: 38412, DstPort: 38412}
		chunk := byte([]int{0, 3, 4, 1}[i%4]) // DATA, SACK, HEARTBEAT, INIT
		frames = append(frames, packet.Finish(p.SCTP(chunk)))
	}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	return nil
}

// tunnels is what routers and tunnel ends send for ever.
func (v visit) tunnels() error {
	var frames [][]byte
	for _, protocol := range []byte{2, 4, 41, 47, 50, 51, 88, 89, 103, 112, 115} {
		for range 10 {
			p := packet.TCP{Raw: true, Src: v.from, Dst: v.to}
			frames = append(frames, packet.Finish(p.IP(protocol, make([]byte, 48))))
		}
	}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	return nil
}

// moreAddrs are 16 addresses that the host has besides its own.
func (v visit) moreAddrs() (addrs []netip.Prefix) {
	addr, bits := netip.MustParseAddr("198.51.100.64"), Net4.Bits()
	if v.to.Is6() {
		addr, bits = netip.MustParseAddr("2001:db8:1::40"), Net6.Bits()
	}
	for range 16 {
		addrs = append(addrs, netip.PrefixFrom(addr, bits))
		addr = addr.Next()
	}
	return addrs
}

// addAddrs gives the host its 16 addresses.
func (v visit) addAddrs() error {
	for _, addr := range v.moreAddrs() {
		if err := v.victim.addAddr(uplink, addr); err != nil {
			return err
		}
	}
	return nil
}

// manyAddresses is a client of one service on 16 addresses of the host, and
// of one more that is closed, on seven of them.
func (v visit) manyAddresses() error {
	addrs := v.moreAddrs()
	err := together(len(addrs), func(i int) error {
		conn, err := v.client.Dial(addrs[i].Addr(), 443)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	for _, addr := range addrs[:7] {
		conn, refused := v.client.Dial(addr.Addr(), 8443)
		if refused == nil {
			err = errors.Join(err, conn.Close(), fmt.Errorf("port 8443 of %v is open", addr))
		}
	}
	return err
}
