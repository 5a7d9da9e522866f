// SPDX-License-Identifier: MIT

package loader

import (
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"denmap/bpf"
	"denmap/userspace/event"
)

const (
	xdpDrop = 1
	xdpPass = 2
)

var (
	host4     = netip.MustParseAddr("198.51.100.1")
	host6     = netip.MustParseAddr("2001:db8:1::1")
	foreign4  = netip.MustParseAddr("198.51.100.99")
	scanner4  = netip.MustParseAddr("203.0.113.7")
	scanner6  = netip.MustParseAddr("2001:db8:bad::7")
	neighbour = netip.MustParseAddr("2001:db8:bad::8") // same /64 as scanner6
)

// defaults are the settings of an empty configuration file.
func defaults() Settings {
	return Settings{AlertScore: 4, BanScore: 8, Decay: 30 * time.Minute, IPv6Prefix: 64, DropCrafted: true, BanDuration: 10 * time.Minute}
}

// bpfDir returns a pin directory on a BPF file system of the test's own.
func bpfDir(t testing.TB) string {
	t.Helper()
	mount := t.TempDir()
	if err := unix.Mount("bpf", mount, "bpf", 0, "mode=0700"); err != nil {
		t.Fatalf("mount bpffs (needs root and Linux 5.15): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(mount, "denmap")
}

// rig is the real program with a clock of the test's, in a network
// namespace whose loopback carries host4 and host6.
type rig struct {
	*Kernel
	t      testing.TB
	prog   *ebpf.Program
	clock  *ebpf.Variable
	now    uint64 // boot time, ns
	events *ringbuf.Reader
}

// newRig locks the test to its thread, which never returns to the pool.
func newRig(t testing.TB, s Settings, f flow) *rig {
	t.Helper()
	enterNetns(t)
	k, err := Open(Options{Dir: bpfDir(t), Settings: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(false); err != nil {
			t.Error(err)
		}
	})
	r := &rig{Kernel: k, t: t}
	r.load(s, f)
	if err := k.SetHost(Host{Own: []netip.Addr{host4, host6}}); err != nil {
		t.Fatal(err)
	}
	r.events, err = ringbuf.NewReader(k.maps["events"])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.events.Close() })
	r.advance(time.Hour)
	return r
}

// load puts a program with the given settings in the place of the rig's.
func (r *rig) load(s Settings, f flow) {
	r.t.Helper()
	spec, err := bpf.LoadScan()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := specialize(spec, s, f, r.seed); err != nil {
		r.t.Fatal(err)
	}
	if err := spec.Variables[bpf.ScanVarTestClock].Set(uint8(1)); err != nil {
		r.t.Fatal(err)
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: r.maps})
	if err != nil {
		r.t.Fatalf("%+v", err)
	}
	r.t.Cleanup(coll.Close)
	r.prog, r.clock = coll.Programs["scan_xdp"], coll.Variables[bpf.ScanVarTestNow]
	r.advance(0)
}

func ethernet() flow { return flow{ethernet: true} }

func enterNetns(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make network namespace (needs root): %v", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"198.51.100.1/32", "2001:db8:1::1/128"} {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			t.Fatal(err)
		}
		addr.Flags = unix.IFA_F_NODAD
		if err := netlink.AddrAdd(lo, addr); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *rig) advance(d time.Duration) {
	r.t.Helper()
	r.now += uint64(d)
	if err := r.clock.Set(r.now); err != nil {
		r.t.Fatal(err)
	}
}

// run sends one frame through the program and returns its verdict.
func (r *rig) run(frame []byte) uint32 {
	r.t.Helper()
	verdict, err := r.prog.Run(&ebpf.RunOptions{Data: frame})
	if err != nil {
		r.t.Fatalf("run program on %d bytes: %v", len(frame), err)
	}
	return verdict
}

// verdict runs one frame and names what became of it, such as "pass open".
func (r *rig) verdict(frame []byte) string {
	r.t.Helper()
	before := r.counts()
	got := r.run(frame)
	after := r.counts()
	name := ""
	for i, n := range after {
		if n != before[i] && reasonNames[i][0] != "lost" {
			name += reasonNames[i][0] + " " + reasonNames[i][1]
		}
	}
	if want := map[uint32]string{xdpDrop: "drop", xdpPass: "pass"}[got]; want == "" || len(name) < 4 || name[:4] != want {
		r.t.Fatalf("the program returned %d and counted %q", got, name)
	}
	return name
}

func (r *rig) counts() (out [reasons]uint64) {
	r.t.Helper()
	for i := range out {
		var perCPU []uint64
		if err := r.maps["counters"].Lookup(uint32(i), &perCPU); err != nil {
			r.t.Fatal(err)
		}
		for _, n := range perCPU {
			out[i] += n
		}
	}
	return out
}

// drain returns the events sent so far.
func (r *rig) drain() (out []event.Detection) {
	r.t.Helper()
	for {
		r.events.SetDeadline(time.Unix(1, 0)) // long past: only what is there
		rec, err := r.events.Read()
		if err != nil {
			return out
		}
		d, err := decode(rec.RawSample)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, d)
	}
}

// listen opens a TCP listener in the rig's namespace and returns its port.
func (r *rig) listen(addr string) uint16 {
	r.t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { l.Close() })
	return uint16(l.Addr().(*net.TCPAddr).Port)
}
