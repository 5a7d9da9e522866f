// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/doctor"
)

// clinic is a host with every kind of interface, in a namespace.
type clinic struct {
	*console
	kernel *loader.Kernel
	names  []string // of the interfaces made
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	needRoot(t)
	enterNetns(t)
	c := newConsole(t)
	c.env.PinDir = pinDir(t)
	defaults := config.Default()
	k, err := loader.Open(loader.Options{Dir: c.env.PinDir, Settings: loaderSettings(daemon.Settings{Detect: defaults.Detect, Ban: defaults.Ban})})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(false); err != nil {
			t.Error(err)
		}
	})
	return &clinic{console: c, kernel: k}
}

// add makes an interface and adds its name to the list, unless this kernel
// is built without its kind; then it returns nil.
func (c *clinic) add(l netlink.Link) netlink.Link {
	c.t.Helper()
	err := netlink.LinkAdd(l)
	if errors.Is(err, unix.EOPNOTSUPP) && slices.Contains([]string{"bond", "dummy", "ifb", "macvlan", "vlan"}, l.Type()) {
		c.t.Logf("this kernel has no %s", l.Type())
		return nil
	}
	if err != nil {
		c.t.Fatalf("add %s %q: %v", l.Type(), l.Attrs().Name, err)
	}
	made, err := netlink.LinkByName(l.Attrs().Name)
	if err != nil {
		c.t.Fatal(err)
	}
	c.names = append(c.names, l.Attrs().Name)
	return made
}

func (c *clinic) veth(name string, mtu, rx, peerTX int) netlink.Link {
	return c.add(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: name, MTU: mtu, NumRxQueues: rx, NumTxQueues: 1},
		PeerName:  name + "p", PeerMTU: uint32(mtu), PeerNumTxQueues: uint32(peerTX), PeerNumRxQueues: 1,
	})
}

func (c *clinic) join(port, master netlink.Link) {
	c.t.Helper()
	if master == nil {
		return
	}
	if err := netlink.LinkSetMaster(port, master); err != nil {
		c.t.Fatalf("put %q into %q: %v", port.Attrs().Name, master.Attrs().Name, err)
	}
}

// examine returns what doctor says of one interface.
func (c *clinic) examine(name string) (choice doctor.Choice, all outcome) {
	c.t.Helper()
	all = c.run("doctor", "--json", name)
	var report doctor.Report
	if err := json.Unmarshal([]byte(all.stdout), &report); err != nil || len(report.Interfaces) != 1 {
		c.t.Fatalf("doctor %s: %v in %+v", name, err, all)
	}
	return report.Interfaces[0], all
}

// TestDoctorChoosesAsAttach compares what doctor says of every kind of
// interface with what attach then does.
func TestDoctorChoosesAsAttach(t *testing.T) {
	c := newClinic(t)
	c.veth("plain", 1500, 1, 1)
	c.veth("jumbo", 9000, 1, 1)
	c.veth("queues", 1500, 1, 4) // its peer may send more than it can receive
	lower := c.veth("lower", 1500, 1, 1)
	c.add(&netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "lower.7", ParentIndex: lower.Attrs().Index}, VlanId: 7})
	c.add(&netlink.Macvlan{LinkAttrs: netlink.LinkAttrs{Name: "macvlan0", ParentIndex: lower.Attrs().Index}})
	c.add(&netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Name: "dummy0"}})
	c.add(&netlink.Vxlan{LinkAttrs: netlink.LinkAttrs{Name: "vxlan0"}, VxlanId: 7, Port: 4789})
	c.add(&netlink.Ifb{LinkAttrs: netlink.LinkAttrs{Name: "ifb7"}})
	c.add(&netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tun0"}, Mode: unix.IFF_TUN, Queues: 0})
	c.add(&netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tap0"}, Mode: unix.IFF_TAP, Queues: 0})
	bridge := c.add(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "bridge0"}})
	c.join(c.veth("port", 1500, 1, 1), bridge)
	for name, mode := range map[string]netlink.BondMode{"bond0": netlink.BOND_MODE_ACTIVE_BACKUP, "bond1": netlink.BOND_MODE_BALANCE_TLB} {
		b := netlink.NewLinkBond(netlink.LinkAttrs{Name: name})
		b.Mode = mode
		bond := c.add(b)
		for _, suffix := range []string{"a", "b"} {
			c.join(c.veth(name+suffix, 1500, 1, 1), bond)
		}
	}
	seen := make(map[doctor.Mode]int)
	for _, name := range c.names {
		choice, _ := c.examine(name)
		got := doctor.NoMode
		i, err := c.kernel.Attach(name, loader.AttachOptions{Hook: loader.HookAuto})
		if err == nil {
			got = doctor.Mode(i.Hook)
		}
		t.Logf("%-9s %-8s %s", name, got, choice.Why)
		if choice.Mode != got || !choice.Certain {
			t.Errorf("%s: doctor says %+v, attach chose %s (%v; fell back for %q)", name, choice, got, err, i.Fallback)
		}
		seen[got]++
		if err != nil {
			continue
		}
		if now, _ := c.examine(name); now.Mode != got || now.Why != "attached so at present" {
			t.Errorf("%s, attached: doctor says %+v, it is %s", name, now, got)
		}
		if err := c.kernel.Detach(i.Index); err != nil {
			t.Fatal(err)
		}
	}
	if seen[doctor.Native] < 5 || seen[doctor.Generic] < 5 {
		t.Errorf("modes met: %v; too few of a kind to tell anything", seen)
	}
}

// passing attaches somebody else's program.
func (c *clinic) passing(name string) {
	c.t.Helper()
	dev, err := netlink.LinkByName(name)
	if err != nil {
		c.t.Fatal(err)
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "somebody", Type: ebpf.XDP, License: "MIT",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	l, err := link.AttachXDP(link.XDPOptions{Program: prog, Interface: dev.Attrs().Index, Flags: link.XDPGenericMode})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { l.Close(); prog.Close() })
}

// TestDoctorObstacles: what keeps attach from working, doctor says before.
func TestDoctorObstacles(t *testing.T) {
	c := newClinic(t)
	c.veth("taken", 1500, 1, 1)
	c.passing("taken")
	upper := c.add(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "upper0"}})
	c.join(c.veth("port", 1500, 1, 1), upper)
	c.passing("upper0")
	for name, why := range map[string]string{"taken": "another XDP program is attached", "port": "upper0 above it has an XDP program"} {
		choice, all := c.examine(name)
		if choice.Mode != doctor.NoMode || !strings.Contains(choice.Why, why) || all.code != exitFailed {
			t.Errorf("%s: %+v, exit code %d; want none, %q and %d", name, choice, all.code, why, exitFailed)
		}
		if _, err := c.kernel.Attach(name, loader.AttachOptions{Hook: loader.HookAuto}); !errors.Is(err, loader.ErrForeignXDP) {
			t.Errorf("attach to %s: %v, want %v", name, err, loader.ErrForeignXDP)
		}
	}
	plain := c.add(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "plain0"}})
	if _, err := c.kernel.Attach(plain.Attrs().Name, loader.AttachOptions{Hook: loader.HookNative}); !errors.Is(err, loader.ErrNoNativeXDP) {
		t.Errorf("attach to a bridge natively: %v, want %v", err, loader.ErrNoNativeXDP)
	}
	c.contains("doctor taken", exitFailed, "taken: attach would fail (another XDP program is attached: ", "\nfail  taken programs: ", "somebody", "-> an interface runs one XDP program")
	c.contains("doctor port", exitFailed, "\nwarn  port upper: it is a port of the bridge upper0", "-> attach to upper0 ")
	c.contains("doctor absent", exitFailed, "fail  absent interface: there is no such interface\n")
}

// TestDoctorText is what a person gets to see of a host in order, and of
// what a user without rights cannot see.
func TestDoctorText(t *testing.T) {
	c := newClinic(t)
	c.veth("eth0", 1500, 1, 1)
	c.contains("doctor eth0", exitDone, "eth0: attach would use native XDP (veth has it)\n",
		"ok    features: the kernel has every helper and table that the program uses\n",
		"ok    program: the kernel takes the program, also for packets of several buffers\n",
		"warn  eth0 up: the interface is down\n      -> ip link set eth0 up\n",
		"hint: tcpdump on this host does not see what native XDP drops")
	c.configure("interfaces: [eth0]\n")
	c.contains("doctor", exitDone, "eth0: attach would use native XDP")
	if _, err := c.kernel.Attach("eth0", loader.AttachOptions{Hook: loader.HookGeneric}); err != nil {
		t.Fatal(err)
	}
	c.contains("doctor", exitDone, "eth0: attach would use generic XDP (attached so at present)\n", "ok    pins: a daemon is running\n", "ok    eth0 programs: no other BPF program")
}

// TestDoctorWithoutRights: what it may not ask is said, and no failure.
func TestDoctorWithoutRights(t *testing.T) {
	c := newClinic(t)
	c.veth("eth0", 1500, 1, 1)
	c.env.PinDir = c.path("none/denmap")
	// Of this thread alone, which never returns to the pool.
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var have, none [2]unix.CapUserData
	if err := unix.Capget(&header, &have[0]); err != nil {
		t.Fatal(err)
	}
	for i := range have {
		none[i].Permitted = have[i].Permitted
	}
	if err := unix.Capset(&header, &none[0]); err != nil {
		t.Fatal(err)
	}
	got := c.run("doctor", "eth0")
	if err := unix.Capset(&header, &have[0]); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"eth0: attach would use native XDP (veth has it)\n",
		"?     not seen: helpers, tables and the verifier's opinion: asking the kernel about BPF needs CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON",
		"?     not seen: programs behind XDP: ",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	if strings.Contains(got.stdout, "features:") || strings.Contains(got.stdout, "program:") || strings.Contains(got.stdout, "programs:") {
		t.Errorf("what was not asked has a verdict:\n%s", got.stdout)
	}
}
