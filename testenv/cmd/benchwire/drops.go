// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"denmap/testenv"
	"denmap/testenv/measure"
	"denmap/testenv/packet"
)

// sample is one measurement of a filter.
type sample struct {
	perSecond float64 // packets dropped in a second
	perCPU    float64 // and in a second of the receiving core's work
	passed    uint64  // packets that got through
	received  uint64
}

// measureDrops floods the link from a banned source, behind each filter in
// turn.
func measureDrops(c *testenv.Console, o options) (rows []dropRow, err error) {
	w := newWire(c)
	sender, err := newSender(w)
	if err != nil {
		return nil, err
	}
	if err := w.setThreaded(); err != nil {
		return nil, err
	}
	// That a filter lets nothing through is only seen if something gets
	// through without one.
	open, err := flood(w, sender, o.duration)
	if err != nil {
		return nil, err
	}
	if 2*open.passed < open.received {
		return nil, fmt.Errorf("without a filter %d of %d packets reached TCP", open.passed, open.received)
	}
	all, err := filters()
	if err != nil {
		return nil, err
	}
	samples := make([][]sample, len(all))
	for range o.rounds {
		for i, f := range all {
			remove, err := f.install(w)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			s, err := flood(w, sender, o.duration)
			remove()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			if s.passed > 0 {
				return nil, fmt.Errorf("%s: %d of %d packets got through", f.name, s.passed, s.received)
			}
			samples[i] = append(samples[i], s)
		}
	}
	for i, f := range all {
		rows = append(rows, f.row(samples[i], samples[denmapNative]))
	}
	return rows, nil
}

// row compares a filter with DenMap in the same rounds.
func (f filter) row(own, denmap []sample) dropRow {
	var wall, perCPU, ratio []float64
	for i, s := range own {
		wall, perCPU = append(wall, s.perSecond), append(perCPU, s.perCPU)
		ratio = append(ratio, denmap[i].perCPU/s.perCPU)
	}
	return dropRow{
		Filter: f.name, PerSecond: measure.Quantile(wall, 0.5), PerCPU: measure.Quantile(perCPU, 0.5),
		Ratio: measure.Quantile(ratio, 0.5), P10: measure.Quantile(ratio, 0.1), P90: measure.Quantile(ratio, 0.9), Target: f.target,
	}
}

// flood sends for that long, and a little before that nothing counts.
func flood(w *wire, s *sender, d time.Duration) (out sample, err error) {
	thread, err := w.receiver()
	if err != nil {
		return out, err
	}
	stop := s.start()
	time.Sleep(d / 5)
	before, err := w.account(thread)
	began := time.Now()
	time.Sleep(d)
	after, err2 := w.account(thread)
	took := time.Since(began)
	if err := errors.Join(err, err2, stop()); err != nil {
		return out, err
	}
	out.received, out.passed = after.received-before.received, after.segments-before.segments
	busy := after.busy - before.busy
	if out.received == 0 || busy <= 0 {
		return out, fmt.Errorf("%d packets arrived, and the receiving thread ran for %v", out.received, busy)
	}
	out.perSecond = float64(out.received) / took.Seconds()
	out.perCPU = float64(out.received) / busy.Seconds()
	return out, nil
}

// sender puts frames on the link as fast as one CPU can.
type sender struct {
	wire  *wire
	prog  *ebpf.Program // sends what it is given back to where it claims to come from
	frame []byte
	index uint32
}

// liveFrames has BPF_PROG_TEST_RUN send its frames (BPF_F_TEST_XDP_LIVE_FRAMES,
// Linux 5.18).
const liveFrames = 1 << 1

// frames are sent in one system call.
const frames = 50_000

// xdpContext is struct xdp_md of linux/bpf.h.
type xdpContext struct {
	Data, DataEnd, DataMeta, IngressIfindex, RxQueueIndex, EgressIfindex uint32
}

func newSender(w *wire) (*sender, error) {
	prog, err := verdict("send", xdpTx)
	if err != nil {
		return nil, err
	}
	frame := packet.Connect(bannedAddr, serverAddr, 9).Bytes()
	mac := w.server.MAC(w.near)
	copy(frame, mac[:])
	packet.Finish(frame[14:])
	return &sender{wire: w, prog: prog, frame: frame, index: uint32(w.client.Link(w.far).Attrs().Index)}, nil
}

// start sends on a CPU of its own until stop is called.
func (s *sender) start() (stop func() error) {
	done := make(chan struct{})
	result := make(chan error, 1)
	go func() {
		result <- s.wire.client.Inside(func() error {
			if err := pin(0, senderCPU); err != nil {
				return err
			}
			for {
				select {
				case <-done:
					return nil
				default:
				}
				if err := s.send(); err != nil {
					return err
				}
			}
		})
	}()
	return func() error {
		close(done)
		return <-result
	}
}

func (s *sender) send() error {
	_, err := s.prog.Run(&ebpf.RunOptions{
		Data: s.frame, Flags: liveFrames, Repeat: frames, BatchSize: 256,
		Context: xdpContext{DataEnd: uint32(len(s.frame)), IngressIfindex: s.index},
	})
	if err != nil {
		return fmt.Errorf("send live frames: %w", err)
	}
	return nil
}

// What a program may say of a packet: enum xdp_action of linux/bpf.h.
const (
	xdpDrop = 1
	xdpPass = 2
	xdpTx   = 3
)

// xdpFrags lets a program take packets of several buffers, as DenMap's does.
// Without it a veth copies each packet into one.
const xdpFrags = 1 << 5

// verdict returns a program that always says the same.
func verdict(name string, action int32) (*ebpf.Program, error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: ebpf.XDP, AttachType: ebpf.AttachXDP, License: "Dual MIT/GPL", Flags: xdpFrags,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, action), asm.Return()},
	})
	if err != nil {
		return nil, fmt.Errorf("load program %q: %w", name, err)
	}
	return prog, nil
}
