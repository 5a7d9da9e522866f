// SPDX-License-Identifier: MIT

package loader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"denmap/bpf"
	"denmap/userspace/event"
)

// visitMemory is how long a clean source's use of an open port is held
// against handshakes there as proof of its address.
const visitMemory = 24 * time.Hour

const eventSize = int(unsafe.Sizeof(bpf.ScanEvent{}))

// Run reads the program's events and hands each to sink, in order, until
// ctx ends; that is no error. sink must not block for long: when the ring
// is full the program counts what it could not say, and goes on dropping.
func (k *Kernel) Run(ctx context.Context, sink func(event.Detection)) error {
	r, err := ringbuf.NewReader(k.maps["events"])
	if err != nil {
		return fmt.Errorf("open ring buffer: %w", err)
	}
	defer r.Close()
	stop := context.AfterFunc(ctx, func() { r.Close() })
	defer stop()
	var rec ringbuf.Record
	for {
		err := r.ReadInto(&rec)
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read ring buffer: %w", err)
		}
		d, err := decode(rec.RawSample)
		if err != nil {
			return err
		}
		d.Interface = k.nameOf(d.IfIndex)
		sink(d)
	}
}

// decode copies a record into its struct: the ring promises no alignment.
func decode(raw []byte) (event.Detection, error) {
	if len(raw) != eventSize {
		return event.Detection{}, fmt.Errorf("decode event: %d bytes, expected %d", len(raw), eventSize)
	}
	var e bpf.ScanEvent
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&e)), eventSize), raw)
	return detectionFrom(&e, readClock()), nil
}

func detectionFrom(e *bpf.ScanEvent, now clock) event.Detection {
	d := event.Detection{
		Verdict:     event.Verdict(e.Type),
		Time:        now.time(e.Time),
		First:       now.time(e.First),
		Source:      prefixFrom(e.Source),
		Destination: addrFrom(e.Dst),
		IfIndex:     int(e.Ifindex),
		Kinds:       event.Kinds(e.Kinds),
		Transport:   transport(e.Protocol),
		Score:       int(e.Score),
		Threshold:   int(e.Threshold),
		Distinct:    int(e.Distinct),
		Grade:       event.Grade(e.Grade),
		Protected:   e.Flags&bpf.ScanEventFlagsEVENT_PROTECTED != 0,
		Watched:     e.Flags&bpf.ScanEventFlagsEVENT_WATCHED != 0,
		UsedService: e.Flags&bpf.ScanEventFlagsEVENT_VISITOR != 0,
		Alone:       e.Flags&bpf.ScanEventFlagsEVENT_ALONE != 0,
		BanUntil:    now.time(e.Until),
		Sequence:    e.Seq,
		IPID:        e.IpId,
		SourcePort:  netToHost(e.Sport),
	}
	d.Tool, d.Confidence = toolOf(e.Tools)
	known := int(min(e.Distinct, uint32(len(e.Ports))))
	for _, p := range e.Ports[:known] {
		d.Ports = append(d.Ports, netToHost(p))
	}
	d.Main = mainKind(e.PortKinds[:known])
	return d
}

// mainKind is the most common of the kinds, the latest of two equals. They
// stand latest first.
func mainKind(kinds []uint8) event.Kind {
	if len(kinds) == 0 {
		return 0
	}
	var votes [256]int
	best := kinds[0]
	for _, k := range kinds {
		votes[k]++
	}
	for _, k := range kinds {
		if votes[k] > votes[best] {
			best = k
		}
	}
	return event.Kind(best)
}

func netToHost(port uint16) uint16 {
	var b [2]byte
	binary.NativeEndian.PutUint16(b[:], port)
	return binary.BigEndian.Uint16(b[:])
}

func transport(protocol uint32) string {
	switch protocol {
	case unix.IPPROTO_TCP:
		return "tcp"
	case unix.IPPROTO_UDP:
		return "udp"
	case unix.IPPROTO_SCTP:
		return "sctp"
	}
	return ""
}

func possibleCPUs() (int, error) {
	n, err := ebpf.PossibleCPU()
	if err != nil {
		return 0, fmt.Errorf("count CPUs: %w", err)
	}
	return n, nil
}
