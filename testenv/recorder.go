// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/binary"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"denmap/userspace/event"
)

// Recorder keeps the IP packets that pass an interface of a host, in both
// directions, whole and with the time they were read.
type Recorder struct {
	t    T
	file *os.File

	mu      sync.Mutex
	packets []event.Packet
}

// Record starts recording. t.Cleanup stops it.
func (h *Host) Record(iface string) *Recorder {
	h.t.Helper()
	r := &Recorder{t: h.t}
	err := h.Inside(func() (err error) {
		r.file, err = packetSocket(h, iface, unix.ETH_P_ALL, true)
		return err
	})
	if err != nil {
		h.t.Fatalf("record packets of %q on %q: %v", iface, h.Name, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := r.file.SyscallConn()
		if err != nil {
			return // closed already
		}
		// Read returns when the socket is closed; that is the only way out.
		_ = conn.Read(func(fd uintptr) bool {
			r.drain(int(fd))
			return false
		})
	}()
	h.t.Cleanup(func() {
		r.file.Close()
		<-done
	})
	return r
}

func (r *Recorder) drain(fd int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	buf := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return
		}
		if n <= 14 {
			continue
		}
		if kind := binary.BigEndian.Uint16(buf[12:]); kind == unix.ETH_P_IP || kind == unix.ETH_P_IPV6 {
			packet := append([]byte(nil), buf[14:n]...)
			r.packets = append(r.packets, event.Packet{Time: time.Now(), Length: len(packet), Header: packet})
		}
	}
}

// Packets returns what was recorded so far, from the IP header on.
func (r *Recorder) Packets() []event.Packet {
	r.t.Helper()
	conn, err := r.file.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { r.drain(int(fd)) })
	}
	if err != nil {
		r.t.Fatalf("read recorder: %v", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]event.Packet(nil), r.packets...)
}

// Endpoints returns addresses and ports of a TCP or UDP packet, and those
// of the packet that an ICMP port unreachable quotes, turned round. It
// knows no IPv6 extension headers.
func Endpoints(ip []byte) (from, to netip.Addr, sport, dport uint16, ok bool) {
	var protocol byte
	var rest []byte
	switch {
	case len(ip) >= 20 && ip[0]>>4 == 4 && len(ip) >= int(ip[0]&0xf)*4:
		from, to = netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20]))
		protocol, rest = ip[9], ip[int(ip[0]&0xf)*4:]
	case len(ip) >= 40 && ip[0]>>4 == 6:
		from, to = netip.AddrFrom16([16]byte(ip[8:24])), netip.AddrFrom16([16]byte(ip[24:40]))
		protocol, rest = ip[6], ip[40:]
	default:
		return from, to, 0, 0, false
	}
	switch {
	case len(rest) < 4:
		return from, to, 0, 0, false
	case protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_UDP:
		return from, to, binary.BigEndian.Uint16(rest), binary.BigEndian.Uint16(rest[2:]), true
	case (protocol == unix.IPPROTO_ICMP && rest[0] == 3 || protocol == unix.IPPROTO_ICMPV6 && rest[0] == 1) && len(rest) > 8:
		qfrom, qto, qsport, qdport, ok := Endpoints(rest[8:])
		return qto, qfrom, qdport, qsport, ok
	}
	return from, to, 0, 0, false
}
