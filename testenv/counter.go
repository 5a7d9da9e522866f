// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// captureBuffer is the socket buffer of a Counter: room for some ten
// thousand probes between two reads.
const captureBuffer = 64 << 20

// Counter counts the packets that reach a host's stack on one interface.
// It reads a packet socket, which the kernel serves after XDP in native
// and in generic mode: what a program drops is not counted.
type Counter struct {
	t     T
	file  *os.File // the packet socket
	parse func(frame []byte) (counted, bool)

	mu      sync.Mutex
	sources map[netip.Addr]*Through
	lost    uint32
}

// Through is what one source got through to the host's stack.
type Through struct {
	Packets int
	Ports   map[uint16]int // packets by TCP destination port
	Flags   map[byte]int   // packets by TCP flag byte
}

// Closed returns the distinct ports that were reached, without the open
// ones, in order.
func (s Through) Closed(open ...uint16) []uint16 {
	var ports []uint16
	for port := range s.Ports {
		if !slices.Contains(open, port) {
			ports = append(ports, port)
		}
	}
	slices.Sort(ports)
	return ports
}

// CountTCP starts counting the TCP packets that arrive on an interface of
// the host, both IP versions. t.Cleanup stops it.
func (h *Host) CountTCP(iface string) *Counter {
	h.t.Helper()
	return h.count(iface, parseTCP)
}

// CountIP is CountTCP for every IP packet but ICMP, which neighbours send
// unasked. Packets without a TCP header count for port and flags 0.
func (h *Host) CountIP(iface string) *Counter {
	h.t.Helper()
	return h.count(iface, parseIP)
}

// CountSent is CountIP for what the host itself puts on the switch.
func (h *Host) CountSent() *Counter {
	h.t.Helper()
	return h.lab.fab.count(portOf(h), parseIP)
}

func (h *Host) count(iface string, parse func([]byte) (counted, bool)) *Counter {
	h.t.Helper()
	c := &Counter{t: h.t, parse: parse, sources: make(map[netip.Addr]*Through)}
	err := h.Inside(func() (err error) {
		c.file, err = packetSocket(h, iface, unix.ETH_P_ALL, false)
		return err
	})
	if err != nil {
		h.t.Fatalf("count packets of %q on %q: %v", iface, h.Name, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.watch()
	}()
	h.t.Cleanup(func() {
		c.file.Close()
		<-done
	})
	return c
}

// packetSocket opens a raw packet socket on one interface for packets
// that arrive, and those that leave if outgoing is set. It is called on a
// thread of the host.
func packetSocket(h *Host, iface string, protocol uint16, outgoing bool) (*os.File, error) {
	link, err := h.nl.LinkByName(iface)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	file := os.NewFile(uintptr(fd), "packet:"+iface)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer); err != nil {
		file.Close()
		return nil, fmt.Errorf("set receive buffer: %w", err)
	}
	if !outgoing {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
			file.Close()
			return nil, fmt.Errorf("ignore outgoing packets: %w", err)
		}
	}
	// Bound last: the socket hears nothing before, and nothing of other
	// interfaces.
	addr := &unix.SockaddrLinklayer{Protocol: htons(protocol), Ifindex: link.Attrs().Index}
	if err := unix.Bind(fd, addr); err != nil {
		file.Close()
		return nil, fmt.Errorf("bind packet socket to %q: %w", iface, err)
	}
	return file, nil
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// watch keeps the socket buffer empty until the socket closes.
func (c *Counter) watch() {
	conn, err := c.file.SyscallConn()
	if err != nil {
		return // closed already
	}
	// Read returns when the socket is closed; that is the only way out.
	_ = conn.Read(func(fd uintptr) bool {
		c.drain(int(fd))
		return false
	})
}

// drain counts what the socket holds now.
func (c *Counter) drain(fd int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	buf := make([]byte, 128) // headers only; the kernel cuts the rest
	for {
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_DONTWAIT)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			break
		}
		if p, ok := c.parse(buf[:n]); ok {
			c.add(p)
		}
	}
	if stats, err := unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
		c.lost += stats.Drops
	}
}

func (c *Counter) add(p counted) {
	s := c.sources[p.source]
	if s == nil {
		s = &Through{Ports: make(map[uint16]int), Flags: make(map[byte]int)}
		c.sources[p.source] = s
	}
	s.Packets++
	s.Ports[p.port]++
	s.Flags[p.flags]++
}

// From returns what source got through since the counter started: all of
// it that had arrived when From was called.
func (c *Counter) From(source netip.Addr) Through {
	c.t.Helper()
	conn, err := c.file.SyscallConn()
	if err == nil {
		err = conn.Control(func(fd uintptr) { c.drain(int(fd)) })
	}
	if err != nil {
		c.t.Fatalf("read counter: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost > 0 {
		c.t.Fatalf("counter lost %d packets: its numbers mean nothing", c.lost)
	}
	s := c.sources[source]
	if s == nil {
		return Through{}
	}
	return Through{s.Packets, clone(s.Ports), clone(s.Flags)}
}

func clone[K comparable](m map[K]int) map[K]int {
	out := make(map[K]int, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}
