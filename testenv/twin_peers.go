// SPDX-License-Identifier: MIT

package testenv

import (
	"errors"
	"net"
	"net/netip"
	"time"

	"denmap/testenv/packet"
)

// halfOpen checks ten services 20 times each as load balancers do: a SYN,
// and on the SYN+ACK the client's kernel, which knows nothing of it, sends
// a reset.
func (v visit) halfOpen() error {
	var listeners []net.Listener
	for i := range 10 {
		listeners = append(listeners, v.victim.Listen(uint16(9200+i)))
	}
	for round := range 20 {
		var probes []Probe
		for i := range 10 {
			probes = append(probes, Probe{Source: v.from, Target: v.to,
				From: uint16(20000 + round*10 + i), To: uint16(9200 + i), Flags: FlagSYN})
		}
		v.client.SendProbe(uplink, v.victim, uplink, probes...)
		time.Sleep(5 * time.Millisecond)
	}
	var err error
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

// calls has 100 sockets of the host talk to the client, closes them, and
// lets the client's last packets arrive.
func (v visit) calls() error {
	peer := v.client.ListenPacket(30000)
	defer peer.Close()
	for i := range 100 {
		port := uint16(10000 + 2*i)
		conn := v.victim.ListenPacket(port)
		to := &net.UDPAddr{IP: v.to.AsSlice(), Port: int(port)}
		for range 3 {
			if _, err := peer.WriteTo(make([]byte, 172), to); err != nil {
				return err
			}
		}
		if err := errors.Join(hear(conn), conn.Close()); err != nil {
			return err
		}
		for range 3 {
			if _, err := peer.WriteTo(make([]byte, 172), to); err != nil {
				return err
			}
		}
	}
	return nil
}

// reports is a trunk of calls whose other end reports on each of them to the
// next odd port (RFC 3550), which a host that wants no reports does not open.
func (v visit) reports() error {
	peer := v.client.ListenPacket(30000)
	defer peer.Close()
	for i := range 40 {
		port := uint16(11000 + 2*i)
		conn := v.victim.ListenPacket(port)
		_, err := peer.WriteTo(make([]byte, 172), &net.UDPAddr{IP: v.to.AsSlice(), Port: int(port)})
		if err == nil {
			err = hear(conn)
		}
		if err == nil {
			_, err = peer.WriteTo(make([]byte, 60), &net.UDPAddr{IP: v.to.AsSlice(), Port: int(port + 1)})
		}
		if err = errors.Join(err, conn.Close()); err != nil {
			return err
		}
	}
	return nil
}

// hear waits for a datagram.
func hear(conn net.PacketConn) error {
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	_, _, err := conn.ReadFrom(make([]byte, 256))
	return err
}

// announcements are datagrams to 40 closed ports of everybody.
func (v visit) announcements() error {
	p := packet.TCP{Raw: true, Src: v.from, Dst: netip.MustParseAddr("255.255.255.255"), SrcPort: 5678}
	groups := []packet.TCP{p, p, p}
	macs := [][6]byte{{255, 255, 255, 255, 255, 255}, {255, 255, 255, 255, 255, 255}, {1, 0, 0x5e, 0, 0, 251}}
	groups[1].Dst = netip.MustParseAddr("198.51.100.255")
	groups[2].Dst = netip.MustParseAddr("224.0.0.251")
	if v.from.Is6() {
		p.Dst = netip.MustParseAddr("ff02::1")
		groups, macs = []packet.TCP{p}, [][6]byte{{0x33, 0x33, 0, 0, 0, 1}}
	}
	for i, p := range groups {
		var frames [][]byte
		for port := range 40 {
			p.DstPort = uint16(1900 + port)
			frames = append(frames, packet.Finish(p.UDP([]byte("here I am"))))
		}
		v.client.SendFrame(uplink, macs[i], nil, frames...)
	}
	return nil
}

// peers is a swarm: 200 hosts that speak TCP and UDP to the port of a
// program of this host, and go on when it has ended.
func (v visit) peers() error {
	const port = 6881
	tcp, udp := v.victim.Listen(port), v.victim.ListenPacket(port)
	swarm := func() {
		var frames [][]byte
		for i := range 200 {
			src := neighbour(v.from, i+1)
			syn := packet.Connect(src, v.to, port)
			syn.Raw = true
			hello := packet.TCP{Raw: true, Src: src, Dst: v.to, SrcPort: uint16(20000 + i), DstPort: port}
			frames = append(frames, packet.Finish(syn.Bytes()), packet.Finish(hello.UDP(make([]byte, 101))))
		}
		v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	}
	swarm()
	// What is in flight must arrive while the program runs.
	time.Sleep(100 * time.Millisecond)
	if err := errors.Join(tcp.Close(), udp.Close()); err != nil {
		return err
	}
	swarm()
	return nil
}

// gnutella is 50 hosts of an old address list that try the three ports
// that a program once had here.
func (v visit) gnutella() error {
	var frames [][]byte
	for i := range 50 {
		for port := uint16(6346); port < 6349; port++ {
			syn := packet.Connect(neighbour(v.from, i+1), v.to, port)
			syn.Raw = true
			frames = append(frames, packet.Finish(syn.Bytes()))
			hello := packet.TCP{Raw: true, Src: syn.Src, Dst: v.to, SrcPort: port, DstPort: port}
			frames = append(frames, packet.Finish(hello.UDP(make([]byte, 23))))
		}
	}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	return nil
}

// trace is what arrives of an mtr by UDP that runs for five minutes, with a
// port of its own each second, from the port that is its process id; and of
// tracepath. The answers of both get lost.
func (v visit) trace() error {
	var frames [][]byte
	for probe := range 300 {
		p := packet.TCP{Raw: true, Src: v.from, Dst: v.to, TTL: 1 + byte(probe%12), SrcPort: 31245, DstPort: uint16(33000 + probe*20)}
		frames = append(frames, packet.Finish(p.UDP(make([]byte, 36))))
		p.SrcPort, p.DstPort, p.TTL = uint16(50000+probe), uint16(44444+probe%64), 1+byte(probe%30)
		frames = append(frames, packet.Finish(p.UDP(make([]byte, 1400))))
	}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	return nil
}

// traceroute is what arrives of three traces by UDP (30 hops, three probes
// each, the host four hops away), and one by TCP to a closed port.
func (v visit) traceroute() error {
	var frames [][]byte
	for trace := range 3 {
		for probe := 9; probe < 90; probe++ {
			hop := probe/3 + 1
			p := packet.TCP{Raw: true, Src: v.from, Dst: v.to, TTL: byte(hop - 3), DF: true,
				SrcPort: uint16(40000 + 100*trace + probe), DstPort: uint16(33434 + probe)}
			frames = append(frames, packet.Finish(p.UDP(make([]byte, 32))))
			syn := packet.Connect(v.from, v.to, 8081)
			syn.Raw, syn.TTL, syn.SrcPort = true, byte(hop-3), uint16(41000+probe)
			frames = append(frames, packet.Finish(syn.Bytes()))
		}
	}
	v.client.SendFrame(uplink, v.victim.MAC(uplink), nil, frames...)
	return nil
}
