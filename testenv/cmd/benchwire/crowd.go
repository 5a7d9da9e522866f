// SPDX-License-Identifier: MIT

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"denmap/testenv/packet"
)

// latencyFor is how long a crowd comes, latencyPatience how long the log must
// have been quiet afterwards.
const (
	latencyFor      = 5 * time.Second
	latencyPatience = 2 * time.Second
)

// crowdProbes is how many probes of one source bring its ban, also while many
// sources come at once: Null probes of two points, of which eight are needed.
const crowdProbes = 4

// Offsets in an IPv6 frame.
const (
	sourceAt   = 14 + 8
	portFromAt = 14 + 40
	portToAt   = 14 + 42
	sequenceAt = 14 + 44
)

// crowd is a stream of sources, each of which is banned by its last probe.
type crowd struct {
	wire  *wire
	pause time.Duration // between two sources
	frame []byte
	index int
	sent  []time.Time // the last probe of each source
}

func newCrowd(w *wire, rate int, d time.Duration) *crowd {
	probe := packet.NmapFlags(crowdSource(0), w.server.IPv6, 0, 0)
	probe.DstMAC, probe.SrcMAC = w.server.MAC(w.near), w.client.MAC(w.far)
	return &crowd{
		wire: w, pause: time.Second / time.Duration(rate), frame: probe.Bytes(),
		index: w.client.Link(w.far).Attrs().Index,
		sent:  make([]time.Time, int(d.Seconds()*float64(rate))),
	}
}

// crowdSource is in a /64 of its own, since those are scored. No range of
// IPv4 for documentation has as many addresses.
func crowdSource(n int) netip.Addr {
	a := [16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 1}
	binary.BigEndian.PutUint32(a[4:], 0xf0000000|uint32(n))
	return netip.AddrFrom16(a)
}

// number is the inverse of crowdSource.
func (c *crowd) number(a netip.Addr) (n int, ours bool) {
	raw := a.As16()
	n = int(binary.BigEndian.Uint32(raw[4:]) &^ 0xf0000000)
	return n, n < len(c.sent) && a == crowdSource(n)
}

// rate is how many sources a second were sent.
func (c *crowd) rate() float64 {
	last := len(c.sent) - 1
	return float64(last) / c.sent[last].Sub(c.sent[0]).Seconds()
}

// send sends all of them, evenly.
func (c *crowd) send() error {
	return c.wire.client.Inside(func() error {
		runtime.LockOSThread()
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open packet socket: %w", err)
		}
		defer unix.Close(fd)
		// Waking up in time takes a thread that the kernel lets sleep no
		// longer than it wants, and that others do not hold up.
		err = errors.Join(
			unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1),
			unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0),
			pin(unix.Gettid(), senderCPU),
		)
		if err != nil {
			return err
		}
		began := time.Now()
		for n := range c.sent {
			if wait := time.Until(began.Add(time.Duration(n) * c.pause)); wait > 0 {
				ts := unix.NsecToTimespec(wait.Nanoseconds())
				// Woken early, it sends early.
				_ = unix.Nanosleep(&ts, nil)
			}
			if err := c.scan(fd, n); err != nil {
				return fmt.Errorf("send probe: %w", err)
			}
		}
		return nil
	})
}

// scan sends the probes of a source. No two sources share what decoys do.
func (c *crowd) scan(fd, n int) error {
	source := crowdSource(n).As16()
	copy(c.frame[sourceAt:], source[:])
	binary.BigEndian.PutUint16(c.frame[portFromAt:], uint16(1024+n))
	binary.BigEndian.PutUint32(c.frame[sequenceAt:], uint32(n+1)<<8)
	to := &unix.SockaddrLinklayer{Ifindex: c.index, Halen: 6}
	for port := range crowdProbes {
		binary.BigEndian.PutUint16(c.frame[portToAt:], uint16(7000+port))
		c.sent[n] = time.Now()
		if err := unix.Sendto(fd, c.frame, 0, to); err != nil {
			return err
		}
	}
	return nil
}
