// SPDX-License-Identifier: MIT

package packaging

import (
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"denmap/testenv"
	"denmap/testenv/packet"
)

// flood is a stream of SYNs of one source to changing ports.
type flood struct {
	sent atomic.Int64
	quit chan struct{}
	done chan error
}

// startFlood floods until stop, or the end of the test.
func startFlood(t *testing.T, from, to *testenv.Host) *flood {
	t.Helper()
	f := &flood{quit: make(chan struct{}), done: make(chan error, 1)}
	index := from.Link(uplink).Attrs().Index
	syn := packet.Connect(from.IPv4, to.IPv4, 0)
	syn.SrcMAC, syn.DstMAC = from.MAC(uplink), to.MAC(uplink)
	frame := syn.Bytes()
	go func() {
		f.done <- from.Inside(func() error { return f.run(index, frame) })
	}()
	t.Cleanup(func() { f.stop() })
	return f
}

func (f *flood) run(index int, frame []byte) error {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	to := &unix.SockaddrLinklayer{Ifindex: index, Halen: 6}
	for {
		select {
		case <-f.quit:
			return nil
		default:
		}
		n := f.sent.Load()
		frame[36], frame[37] = byte(n>>8), byte(n)|1
		packet.Finish(frame[14:])
		if err := unix.Sendto(fd, frame, 0, to); err != nil && err != unix.ENOBUFS {
			return err
		}
		f.sent.Add(1)
	}
}

// passed waits until so many more packets are sent and returns how many
// were sent in all.
func (f *flood) passed(t *testing.T, more int64) int64 {
	t.Helper()
	goal := f.sent.Load() + more
	deadline := time.Now().Add(30 * time.Second)
	for f.sent.Load() < goal {
		if len(f.done) > 0 || time.Now().After(deadline) {
			t.Fatalf("the flood stands still at %d packets", f.sent.Load())
		}
		time.Sleep(10 * time.Millisecond)
	}
	return f.sent.Load()
}

// stop ends the flood and returns how many packets it sent.
func (f *flood) stop() int64 {
	select {
	case <-f.quit:
	default:
		close(f.quit)
	}
	return f.sent.Load()
}
