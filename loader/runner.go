// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"

	"denmap/bpf"
	"denmap/userspace/event"
)

// Runner runs the real program on frames that the caller brings, with the
// caller's clock, on tables that nobody else sees: for tests and
// benchmarks. Sockets are those of the calling thread's network namespace.
// A Runner is for one goroutine.
type Runner struct {
	*State
	programs
	clock  *ebpf.Variable
	answer *ebpf.Variable
	events *ringbuf.Reader
}

// RunnerOptions say what link the frames come from.
type RunnerOptions struct {
	Settings Settings
	Limits   Limits
	RawIP    bool // frames begin with the IP header
	Monitor  bool
	Bridged  bool // frames come from a port of a bridge
	// EntryLimit is how often a second sources may want an entry before
	// that counts as a forged flood; 0: as always.
	EntryLimit int
	// RealClock: the kernel's, as in a live program, and SetClock does nothing.
	RealClock bool
	// AnyHost: the frames were for a host of whose system nothing is known:
	// its own ports are taken for anything that Linux, or RFC 6335 6, has
	// kernels give out.
	AnyHost bool
	// Seed keys every hash: the same frames under the same seed and clock
	// always meet the same verdicts.
	Seed uint64
}

// NewRunner loads the program. Nothing is attached or pinned; the clock
// stands at one hour after boot.
func NewRunner(o RunnerOptions) (_ *Runner, err error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("lift locked-memory limit: %w", err)
	}
	spec, err := bpf.LoadScan()
	if err != nil {
		return nil, fmt.Errorf("read embedded program: %w", err)
	}
	maps := make(map[string]*ebpf.Map)
	o.Limits.size(spec.Maps)
	for name, ms := range shared(spec) {
		m, err := ebpf.NewMap(ms)
		if err != nil {
			closeMaps(maps)
			return nil, fmt.Errorf("create map %q: %w", name, err)
		}
		maps[name] = m
	}
	r := &Runner{State: &State{maps: maps, spec: shared(spec), seed: o.Seed}}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if err := writeIdentity(maps["metas"]); err != nil {
		return nil, err
	}
	if err := publish(maps["metas"], o.Settings); err != nil {
		return nil, err
	}
	if r.events, err = ringbuf.NewReader(maps["events"]); err != nil {
		return nil, fmt.Errorf("open ring buffer: %w", err)
	}
	return r, r.load(o)
}

func (r *Runner) load(o RunnerOptions) error {
	spec, err := bpf.LoadScan()
	if err != nil {
		return fmt.Errorf("read embedded program: %w", err)
	}
	o.Limits.size(spec.Maps)
	if err := specialize(spec, o.Settings, flow{ethernet: !o.RawIP, monitor: o.Monitor, bridged: o.Bridged}, r.seed); err != nil {
		return err
	}
	if o.AnyHost {
		err := errors.Join(spec.Variables[bpf.ScanVarEphemeralMin].Set(uint16(32768)), spec.Variables[bpf.ScanVarEphemeralMax].Set(uint16(65535)))
		if err != nil {
			return fmt.Errorf("set ports of any host: %w", err)
		}
	}
	if err := spec.Variables[bpf.ScanVarTestClock].Set(flag(!o.RealClock)); err != nil {
		return fmt.Errorf("choose test clock: %w", err)
	}
	if o.EntryLimit > 0 {
		if err := spec.Variables[bpf.ScanVarEntryLimit].Set(uint32(o.EntryLimit)); err != nil {
			return fmt.Errorf("limit entries: %w", err)
		}
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: r.maps})
	if err != nil {
		return explainLoad(err)
	}
	defer coll.Close()
	r.clock, r.answer = coll.Variables[bpf.ScanVarTestNow], coll.Variables[bpf.ScanVarTestOutcome]
	// The variable lives in a map of the program, which keeps it.
	r.programs = programsOf(coll)
	return r.SetClock(time.Hour)
}

// SetClock sets the program's time since boot.
func (r *Runner) SetClock(sinceBoot time.Duration) error {
	if err := r.clock.Set(uint64(sinceBoot)); err != nil {
		return fmt.Errorf("set test clock: %w", err)
	}
	return nil
}

// Outcome is what a probe met.
type Outcome uint32

// The outcomes. AskSockets is the zero value: the socket table of the
// calling thread's namespace decides, as for a live program.
const (
	AskSockets Outcome = iota
	OutcomeOpen
	OutcomeClosed
	OutcomeUnknown
)

// SetOutcome says what the packets that are run next meet.
func (r *Runner) SetOutcome(o Outcome) error {
	if err := r.answer.Set(uint32(o)); err != nil {
		return fmt.Errorf("set test outcome: %w", err)
	}
	return nil
}

// Forget empties the tables of what was learned of packets so far; lists
// and host facts stay.
func (r *Runner) Forget() error {
	for _, name := range []string{"sources", "records", "waiters", "published", "blind_bans", "bans"} {
		if err := clearTable(r.maps[name]); err != nil {
			return fmt.Errorf("empty %s: %w", name, err)
		}
	}
	if err := r.voidStops(); err != nil {
		return err
	}
	for _, name := range []string{"first_failures", "first_index", "first_next", "pressures", "listened", "visits", "answers", "openings"} {
		if err := r.clearArray(name); err != nil {
			return err
		}
	}
	return nil
}

// clearArray zeroes a mappable array in place.
func (s *State) clearArray(name string) error {
	array, err := s.maps[name].Memory()
	if err != nil {
		return fmt.Errorf("empty %s: %w", name, err)
	}
	if _, err := array.WriteAt(make([]byte, array.Size()), 0); err != nil {
		return fmt.Errorf("empty %s: %w", name, err)
	}
	return nil
}

func clearTable(m *ebpf.Map) error {
	key := make([]byte, m.KeySize())
	for {
		err := m.NextKey(nil, key)
		if notFound(err) {
			return nil
		}
		if err == nil {
			err = m.Delete(key)
		}
		if err != nil && !notFound(err) {
			return err
		}
	}
}

// Run sends one frame of at least 14 bytes through the program and returns
// its XDP verdict: 1 drop, 2 pass.
func (r *Runner) Run(frame []byte) (uint32, error) {
	verdict, err := r.scan.Run(&ebpf.RunOptions{Data: frame})
	if err != nil {
		return 0, fmt.Errorf("run program on %d bytes: %w", len(frame), err)
	}
	return verdict, nil
}

// Settle scores the probes whose answer is overdue at the present clock.
func (r *Runner) Settle() error { return r.runSettle() }

// Program returns the loaded program, which belongs to the Runner.
func (r *Runner) Program() *ebpf.Program { return r.scan }

// Events returns what the program reported since the last call.
func (r *Runner) Events() ([]event.Detection, error) {
	var out []event.Detection
	for {
		r.events.SetDeadline(time.Unix(1, 0)) // long past: take only what is there
		rec, err := r.events.Read()
		if err != nil {
			return out, nil
		}
		d, err := decode(rec.RawSample)
		if err != nil {
			return out, err
		}
		out = append(out, d)
	}
}

// Counts returns the counters by reason, such as "drop crafted".
func (r *Runner) Counts() (map[string]uint64, error) {
	out := make(map[string]uint64)
	for i, name := range reasonNames {
		n, err := r.count(i)
		if err != nil {
			return nil, err
		}
		out[name[0]+" "+name[1]] = n
	}
	return out, nil
}

// Close frees program and tables. It may be called twice.
func (r *Runner) Close() error {
	var err error
	r.programs.close()
	if r.events != nil {
		err = errors.Join(err, r.events.Close())
	}
	return errors.Join(err, r.State.Close())
}
