// SPDX-License-Identifier: MIT

package replay

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"time"

	"denmap/userspace/event"
)

// Program is the detection program, with a clock and outcomes that the
// replay brings. Forget empties its tables.
type Program interface {
	SetClock(sinceBoot time.Duration) error
	SetOutcome(Outcome) error
	Run(frame []byte) error
	Events() ([]event.Detection, error)
	Forget() error
}

// Options of Run.
type Options struct {
	// Host restricts the replay to what was sent to this address. The zero
	// value: every destination is judged as if DenMap protected it alone.
	Host     netip.Addr
	MinScore int // points a host must be able to collect; 2 a packet at most
	// SweepScore is the points that a sweep of one network's hosts must be able
	// to collect, 2 a host at most but for the first, which is none yet. 0: hosts
	// are only judged one by one.
	SweepScore int
	MaxBytes   int // of packets to keep; 0: no limit
	// Read is told how many packets were read, after each; may be nil.
	Read     func(packets int)
	Progress func(done, total int) // packets judged; may be nil
}

// Detection is what a live DenMap on Destination would have reported; of a
// sweep one with all addresses of the network, of which Destination was asked
// when it was found.
type Detection struct {
	Source      netip.Prefix
	Destination netip.Addr
	Kinds       event.Kinds
	Main        event.Kind
	Tool        event.Tool
	Confidence  event.Confidence
	Transport   string
	Score       int
	Distinct    int
	Ports       []uint16
	First       time.Time
	Alerted     time.Time
	AlertProbes int       // distinct probes up to the alert
	Banned      time.Time // zero if only alerted
	BanProbes   int       // distinct probes up to the ban
}

// IsSweep: many hosts were asked rather than many ports.
func (d Detection) IsSweep() bool { return d.Kinds.Has(event.Sweep) }

// Result is what Run found.
type Result struct {
	Packets    int
	Skipped    int  // link types that are not known, runts
	OneSided   bool // no conversation shows both directions: every probe is taken for failed
	Detections []Detection
}

// bootTime is the program's clock at a host's first packet: late enough
// that every time of interest is positive.
const bootTime = 30 * 24 * time.Hour

// Run replays the capture at path, as RunFrom does.
func Run(path string, prog Program, o Options) (Result, error) {
	f, err := os.Open(path)
	if err != nil {
		return Result{}, fmt.Errorf("open capture: %w", err)
	}
	defer f.Close()
	return RunFrom(f, strconv.Quote(path), prog, o)
}

// RunFrom replays the capture that in holds, once it has ended: all packets
// are kept in memory, for the answers come behind the questions. name is for
// errors. A damaged or too large capture gives its error, ErrDamaged or
// ErrTooLarge, together with the result of what could be read. Errors:
// ErrNotCapture.
func RunFrom(in io.Reader, name string, prog Program, o Options) (Result, error) {
	hosts, known, result, err := load(in, o)
	if err != nil {
		err = fmt.Errorf("read %s: %w", name, err)
	}
	if err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrTooLarge) {
		return result, err
	}
	damage := err
	done := 0
	for _, h := range hosts {
		if len(h.packets)*2 >= o.MinScore {
			found, err := h.replay(prog, known)
			if err != nil {
				return result, fmt.Errorf("replay packets to %s: %w", h.addr, err)
			}
			result.Detections = append(result.Detections, found...)
		}
		done += len(h.packets)
		if o.Progress != nil {
			o.Progress(done, result.Packets)
		}
	}
	if o.SweepScore > 0 {
		sweeps, err := findSweeps(hosts, prog, known, o.SweepScore/2+1, result.Detections)
		if err != nil {
			return result, fmt.Errorf("replay sweeps: %w", err)
		}
		result.Detections = append(result.Detections, sweeps...)
	}
	slices.SortStableFunc(result.Detections, func(a, b Detection) int { return a.First.Compare(b.First) })
	return result, damage
}

// host is a destination with what was sent to it.
type host struct {
	addr    netip.Addr
	packets []arrival
}

type arrival struct {
	frame  frame
	seen   packet
	number int // in the capture
}

// About what a packet takes besides its bytes, and what is learnt of a
// connection of which it is the only one.
const (
	packetCost = 256
	knownCost  = 384
)

func load(in io.Reader, o Options) ([]*host, *knowledge, Result, error) {
	var result Result
	known := newKnowledge()
	byAddr := make(map[netip.Addr]*host)
	kept := 0
	skipped, err := read(in, func(f frame) error {
		result.Packets++
		if o.Read != nil {
			o.Read(result.Packets)
		}
		p, ok := parse(f.data)
		if !ok {
			return nil
		}
		known.learn(p)
		kept += knownCost
		wanted := !o.Host.IsValid() || p.dst.addr == o.Host
		if wanted {
			kept += packetCost + len(f.data)
		}
		if o.MaxBytes > 0 && kept > o.MaxBytes {
			return fmt.Errorf("%w at packet %d: more than %d MiB to keep in memory", ErrTooLarge, result.Packets, o.MaxBytes>>20)
		}
		if !wanted {
			return nil
		}
		h := byAddr[p.dst.addr]
		if h == nil {
			h = &host{addr: p.dst.addr}
			byAddr[p.dst.addr] = h
		}
		h.packets = append(h.packets, arrival{f, p, result.Packets})
		return nil
	})
	result.Skipped, result.OneSided = skipped, result.Packets > 0 && !known.twoWay
	hosts := make([]*host, 0, len(byAddr))
	for _, h := range byAddr {
		hosts = append(hosts, h)
	}
	slices.SortFunc(hosts, func(a, b *host) int { return a.addr.Compare(b.addr) })
	return hosts, known, result, err
}

// replay runs the packets of one host from a clean slate.
func (h *host) replay(prog Program, known *knowledge) ([]Detection, error) {
	if err := prog.Forget(); err != nil {
		return nil, err
	}
	start := h.packets[0].frame.time
	bySource := make(map[netip.Prefix]*Detection)
	clock := clock{at: start}
	for i, a := range h.packets {
		next := h.packets[min(i+1, len(h.packets)-1)].frame.time
		if err := prog.SetClock(bootTime + clock.to(a.frame.time, next)); err != nil {
			return nil, err
		}
		if err := prog.SetOutcome(known.outcome(a.seen)); err != nil {
			return nil, err
		}
		address(a, known)
		if err := prog.Run(a.frame.data); err != nil {
			return nil, err
		}
		events, err := prog.Events()
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			note(bySource, e, a.frame.time, a.seen.dst.addr)
		}
	}
	out := make([]Detection, 0, len(bySource))
	for _, d := range bySource {
		// The program remembers the first time in steps of 67 ms.
		if d.First.Before(start) {
			d.First = start
		}
		out = append(out, *d)
	}
	slices.SortFunc(out, func(a, b Detection) int {
		return cmp.Or(a.First.Compare(b.First), a.Source.Addr().Compare(b.Source.Addr()))
	})
	return out, nil
}

// note folds one crossing into what is known of its source.
func note(bySource map[netip.Prefix]*Detection, e event.Detection, now time.Time, dst netip.Addr) {
	d := bySource[e.Source]
	if d == nil {
		d = &Detection{Source: e.Source, First: now.Add(-e.Time.Sub(e.First))}
		bySource[e.Source] = d
	}
	d.Kinds |= e.Kinds
	d.Main = e.Main
	d.Destination = dst
	d.Tool, d.Confidence, d.Transport = e.Tool, e.Confidence, e.Transport
	d.Score, d.Distinct, d.Ports = e.Score, e.Distinct, e.Ports
	if d.Alerted.IsZero() {
		d.Alerted, d.AlertProbes = now, e.Distinct
	}
	if e.Verdict != event.VerdictAlert && d.Banned.IsZero() {
		d.Banned, d.BanProbes = now, e.Distinct
	}
}
