// SPDX-License-Identifier: MIT

package loader

import (
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

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
	return Settings{AlertScore: 4, BanScore: 8, UDPAlert: 8, UDPBan: 16, Decay: 30 * time.Minute, IPv6Prefix: 64, DropCrafted: true, BanDuration: 10 * time.Minute, BanMultiplier: 4, BanMax: 24 * time.Hour}
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
	*Runner
	t   testing.TB
	now time.Duration // since boot
}

// newRig locks the test to its thread, which never returns to the pool.
func newRig(t testing.TB, o RunnerOptions) *rig {
	t.Helper()
	enterNetns(t)
	run, err := NewRunner(o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() {
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &rig{Runner: run, t: t}
	if err := r.SetHost(Host{Own: []netip.Addr{host4, host6}}); err != nil {
		t.Fatal(err)
	}
	r.advance(time.Hour)
	return r
}

// enforcing is the program as it comes.
func enforcing() RunnerOptions { return RunnerOptions{Settings: defaults()} }

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
	r.now += d
	if err := r.SetClock(r.now); err != nil {
		r.t.Fatal(err)
	}
}

// run sends one frame through the program and returns its verdict.
func (r *rig) run(frame []byte) uint32 {
	r.t.Helper()
	verdict, err := r.Run(frame)
	if err != nil {
		r.t.Fatal(err)
	}
	return verdict
}

// verdict runs one frame and names what became of it, such as "pass open".
func (r *rig) verdict(frame []byte) string {
	r.t.Helper()
	before := r.counts()
	got := r.run(frame)
	name := ""
	for reason, n := range r.counts() {
		if n != before[reason] && !strings.HasPrefix(reason, "lost") {
			name += reason
		}
	}
	want := map[uint32]string{xdpDrop: "drop ", xdpPass: "pass "}[got]
	if want == "" || !strings.HasPrefix(name, want) {
		r.t.Fatalf("the program returned %d and counted %q", got, name)
	}
	return name
}

func (r *rig) counts() map[string]uint64 {
	r.t.Helper()
	counts, err := r.Counts()
	if err != nil {
		r.t.Fatal(err)
	}
	return counts
}

// drain returns the events sent so far.
func (r *rig) drain() []event.Detection {
	r.t.Helper()
	events, err := r.Events()
	if err != nil {
		r.t.Fatal(err)
	}
	return events
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
