// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"denmap/bpf"
)

// Options of Open.
type Options struct {
	Dir      string // pin directory; its parent is or becomes a BPF file system
	Settings Settings
	Limits   Limits
}

// Limits are the sizes of tables that Open makes. Adopted ones keep theirs.
// 0 stands for the default.
type Limits struct {
	Sources   int // scored sources
	Bans      int // manual and proven ones
	BlindBans int
}

// size writes the limits into the specs of the tables.
func (l Limits) size(maps map[string]*ebpf.MapSpec) {
	for name, n := range map[string]int{"sources": l.Sources, "bans": l.Bans, "blind_bans": l.BlindBans} {
		if n > 0 {
			maps[name].MaxEntries = uint32(n)
		}
	}
}

// Kernel is the daemon's exclusive hold on the kernel state.
type Kernel struct {
	*State
	found    bool // state of an earlier daemon, of any layout
	adopted  bool // of this one, and whole
	tookOver struct{ layout, bans int }
	lock     *os.File

	mu       sync.Mutex // guards what follows
	settings Settings
	attached map[int]*attachment // by interface index
	// prefixBefore is the length of scored IPv6 prefixes before the present
	// settings; 0: none.
	prefixBefore int
	forgot       time.Time // when visits were
	prior        *prior    // of another layout, until its programs are replaced
	replaced     bool      // an earlier daemon's program has been
	// types are the kernel's own types, for as long as programs are being
	// loaded; nil: not read.
	types *btf.Cache

	// For whoever must not wait until a program is loaded: the names of the
	// attached interfaces, and what Overlooked returns.
	nameMu     sync.Mutex
	names      map[int]string
	overlooked []int
}

// Open adopts the state pinned at o.Dir, takes it over from another layout,
// or creates it. Nothing is attached yet, and what an earlier daemon left
// attached goes on dropping. Errors: ErrRunning, *LayoutError.
func Open(o Options) (_ *Kernel, err error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("lift locked-memory limit: %w", err)
	}
	if err := mountBPFFS(o.Dir); err != nil {
		return nil, err
	}
	spec, err := bpf.LoadScan()
	if err != nil {
		return nil, fmt.Errorf("read embedded program: %w", err)
	}
	o.Limits.size(spec.Maps)
	k := &Kernel{names: make(map[int]string), settings: o.Settings, attached: make(map[int]*attachment), forgot: time.Now()}
	// Decoded while the tables are made: Attach needs them, and meets an error again.
	go k.kernelTypes().Kernel()
	if k.lock, err = holdDir(o.Dir); err != nil {
		return nil, err
	}
	if err := k.hold(o.Dir, spec); err != nil {
		return nil, errors.Join(err, k.lock.Close())
	}
	if err := k.identify(); err != nil {
		return nil, errors.Join(err, k.Abandon())
	}
	if err := k.removeStrayPieces(); err != nil {
		return nil, errors.Join(err, k.Abandon())
	}
	if err := k.adoptLinks(); err != nil {
		return nil, errors.Join(err, k.Abandon())
	}
	return k, nil
}

// hold gets the tables, and what there is of another layout.
func (k *Kernel) hold(dir string, spec *ebpf.CollectionSpec) error {
	maps, adopted, err := holdMaps(dir, spec)
	var found *LayoutError
	switch {
	case errors.As(err, &found):
		if k.prior, maps, err = takeOver(dir, spec, found); err != nil {
			return err
		}
		k.tookOver.layout, k.tookOver.bans = found.Found, len(k.prior.carried)
	case err != nil:
		return err
	case adopted:
		// A take-over that was cut short.
		if _, err := os.Lstat(filepath.Join(dir, priorDir)); err == nil {
			if k.prior, err = openPrior(filepath.Join(dir, priorDir)); err != nil {
				closeMaps(maps)
				return err
			}
		}
	}
	k.found = adopted || k.prior != nil
	k.adopted = adopted && k.prior == nil
	k.State = &State{dir: dir, maps: maps, spec: shared(spec)}
	return nil
}

// Adopted reports whether the state of an earlier daemon was found, with
// all that it knew.
func (k *Kernel) Adopted() bool { return k.adopted }

// identify checks that the state belongs to this network namespace and
// publishes the settings for other commands.
func (k *Kernel) identify() error {
	meta, err := readMeta(k.maps["metas"])
	if err != nil {
		return err
	}
	if err := checkNetns(k.dir, meta); err != nil {
		return err
	}
	k.seed = meta.Seed
	k.prefixBefore = int(meta.Ipv6Prefix)
	return k.publish()
}

// checkNetns refuses to protect this network namespace with another one's
// state.
func checkNetns(dir string, meta bpf.ScanMeta) error {
	netns, err := currentNetns()
	if err != nil {
		return err
	}
	if meta.Netns != netns {
		return fmt.Errorf("open %q: it protects another network namespace (inode %d, this is %d)", dir, meta.Netns, netns)
	}
	return nil
}

func (k *Kernel) publish() error { return publish(k.maps["metas"], k.settings) }

// publish writes the settings where other commands read them.
func publish(metas *ebpf.Map, s Settings) error {
	meta, err := readMeta(metas)
	if err != nil {
		return err
	}
	meta.AlertScore = uint32(s.AlertScore)
	meta.BanScore = uint32(s.BanScore)
	meta.UdpAlertScore = uint32(s.UDPAlert)
	meta.UdpBanScore = uint32(s.UDPBan)
	meta.Ipv6Prefix = uint32(s.IPv6Prefix)
	meta.DecayMs = uint64(s.Decay.Milliseconds())
	meta.BanNs = uint64(s.BanDuration)
	if err := metas.Put(uint32(0), meta); err != nil {
		return fmt.Errorf("publish settings: %w", err)
	}
	return nil
}

// Reconfigure puts new settings in force on every interface, each by one
// atomic replacement of its program. On an error the interfaces that were
// not reached keep the old settings, and so does the Kernel; Attach brings
// the others back to them.
func (k *Kernel) Reconfigure(s Settings) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	old := k.settings
	k.settings, k.prefixBefore = s, old.IPv6Prefix
	for _, a := range k.attached {
		// An earlier daemon's program is for Attach to replace, which knows
		// the interface. One that is gone needs no settings.
		if a.progs.scan == nil {
			continue
		}
		if err := k.replace(a); err != nil && !errors.Is(err, unix.ENOLINK) && !errors.Is(err, unix.ENODEV) {
			k.settings = old
			for _, a := range k.attached {
				a.fresh = false
			}
			return fmt.Errorf("reconfigure %q: %w", a.iface.Name, err)
		}
	}
	return k.publish()
}

// Tend does what the program cannot do by itself and is to be called about
// once a second: it scores the probes whose answer is overdue, also of
// sources that sent nothing since, and once a day forgets who used which
// service.
func (k *Kernel) Tend() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, a := range k.attached {
		if !a.fresh {
			continue
		}
		if err := k.settle(a); err != nil {
			return err
		}
	}
	k.types = nil
	if time.Since(k.forgot) < visitMemory {
		return nil
	}
	k.forgot = time.Now()
	return k.clearArray("visits")
}

// kernelTypes is a cache of the kernel's types. Tend lets go of it: it takes
// megabytes, and the next program that is loaded may as well decode them.
func (k *Kernel) kernelTypes() *btf.Cache {
	if k.types == nil {
		k.types = btf.NewCache()
	}
	return k.types
}

// settle scores the probes of an interface that waited in vain. The program
// for that is loaded by the first call: verifying it takes a third of what
// verifying the attached one does, and nothing is overdue in the first second.
func (k *Kernel) settle(a *attachment) (err error) {
	if a.progs.settle == nil {
		if a.progs.settle, err = k.loadProgram(settleProgram, a.flow, false); err != nil {
			return fmt.Errorf("prepare %q to settle waiting probes: %w", a.iface.Name, err)
		}
	}
	return a.progs.runSettle()
}

// Close ends the daemon's hold. With keep, programs, links and maps stay
// and the kernel goes on dropping; without, everything is detached and
// unpinned. It may be called twice.
func (k *Kernel) Close(keep bool) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.lock == nil {
		return nil
	}
	var err error
	if !keep {
		for _, a := range k.attached {
			err = errors.Join(err, k.detach(a))
		}
		// The tables first: removing their pins takes file descriptors too,
		// and it may be those that ran out.
		err = errors.Join(err, k.State.Close(), removePins(k.dir))
	}
	return errors.Join(err, k.release(keep))
}

// Abandon is Close after a start that failed: what Open found stays as it
// was, also of another layout, and nothing else does.
func (k *Kernel) Abandon() error {
	return k.Close(k.found)
}

// release also gives back what was taken over in vain, as long as the lock
// is held.
func (k *Kernel) release(keep bool) (err error) {
	used := k.replaced
	for _, a := range k.attached {
		used = used || a.fresh
		a.progs.close()
		a.link.Close()
	}
	k.attached = nil
	if k.prior != nil {
		if keep && k.prior.begun && !used {
			err = k.giveBack()
		}
		k.prior.close()
		k.prior = nil
	}
	err = errors.Join(err, k.State.Close(), k.lock.Close())
	k.lock = nil
	return err
}

// Remove detaches every program and removes every pin at dir, without
// needing to understand the state: for `detach`, also of another layout.
// Errors: ErrNotAttached, ErrRunning.
func Remove(dir string) error {
	lock, err := lockDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotAttached
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	if there, err := hasState(dir); err != nil {
		return err
	} else if !there {
		return errors.Join(removePins(dir), ErrNotAttached)
	}
	pins, err := filepath.Glob(filepath.Join(dir, linksDir, "*"))
	if err != nil {
		return fmt.Errorf("list links: %w", err)
	}
	for _, pin := range pins {
		l, err := link.LoadPinnedLink(pin, nil)
		if err != nil {
			return fmt.Errorf("open link %q: %w", pin, err)
		}
		err = errors.Join(detachLink(l), l.Close())
		if err != nil {
			return err
		}
	}
	return removePins(dir)
}

// detachLink takes the program off its interface at once, whoever else
// holds the link; a link whose interface is gone has nothing to detach.
func detachLink(l link.Link) error {
	err := l.Detach()
	if err != nil && !errors.Is(err, ebpf.ErrNotSupported) && !isGone(err) {
		return fmt.Errorf("detach program: %w", err)
	}
	return nil
}
