// SPDX-License-Identifier: MIT

package testenv

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"denmap/testenv/need"
)

// TestForeignProgram wants an interface that somebody else's program
// protects left alone, and the program named.
func TestForeignProgram(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim := lab.Host("victim")
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "other_filter",
		Type: ebpf.XDP,
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R0, 2), // XDP_PASS
			asm.Return(),
		},
		License: "MIT",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	link := victim.Link(uplink)
	err = victim.Inside(func() error { return netlink.LinkSetXdpFd(link, program.FD()) })
	if err != nil {
		t.Fatal(err)
	}
	before, err := victim.XDP(uplink)
	if err != nil || before == 0 {
		t.Fatalf("program on %s = %d, %v", uplink, before, err)
	}
	checkRefusal(t, "attach", refuse(t, victim, 0, "attach", uplink), uplink, "other_filter")
	if after, err := victim.XDP(uplink); after != before {
		t.Errorf("program = %d, %v; want %d left alone", after, err, before)
	}
}

// probes returns what a port scan by connect() looks like, made by hand:
// one SYN to each of n closed ports.
func probes(source, target netip.Addr, n int) []Probe {
	list := make([]Probe, n)
	for i := range list {
		list[i] = Probe{Source: source, Target: target, From: uint16(41000 + i), To: uint16(2000 + i), Flags: FlagSYN}
	}
	return list
}

// TestTagged scans through VLAN tags: the parent interface sees them.
func TestTagged(t *testing.T) {
	for name, tags := range map[string][]uint16{"one tag": {10}, "two tags": {20, 10}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lab := New(t, Options{})
			victim, attacker := lab.Host("victim"), lab.Host("attacker")
			victim.Attach()
			counter := victim.CountTCP(uplink)
			for _, p := range probes(attacker.IPv4, victim.IPv4, 30) {
				attacker.SendFrame(uplink, victim.MAC(uplink), tags, p.Packet())
			}
			ban := victim.WaitBan(attacker.IPv4)
			if !slices.Equal(ban.Denmap.Scan, []string{"connect"}) {
				t.Errorf("denmap.scan = %q, want connect", ban.Denmap.Scan)
			}
			if ports := counter.From(attacker.IPv4).Closed(); len(ports) > maxConnectPorts {
				t.Errorf("%d ports got through: %v; want at most %d", len(ports), ports, maxConnectPorts)
			}
		})
	}
}

// TestSharedState bans on one interface and wants the ban on the other.
func TestSharedState(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	second := netip.MustParsePrefix("192.0.2.1/24")
	lab.Pair(victim, "eth1", second, attacker, "eth1", netip.MustParsePrefix("192.0.2.2/24"))
	victim.Serve(80)
	victim.Attach(uplink, "eth1")
	counter := victim.CountTCP("eth1")
	open := Probe{Source: attacker.IPv4, Target: second.Addr(), From: 40000, To: 80, Flags: FlagSYN}
	passesEth1 := func() bool {
		before := counter.From(attacker.IPv4).Ports[80]
		attacker.SendProbe("eth1", victim, "eth1", open)
		return counter.From(attacker.IPv4).Ports[80] > before
	}
	if !passesEth1() {
		t.Fatal("a SYN to an open port does not pass eth1 before the ban")
	}
	ban(victim, attacker)
	if passesEth1() {
		t.Error("the source that is banned on eth0 passes eth1")
	}
	if r := victim.MustDenmap("status"); !strings.Contains(r.Stdout, uplink) || !strings.Contains(r.Stdout, "eth1") {
		t.Errorf("status does not name both interfaces: %v", r)
	}
}

// TestTun protects a device without Ethernet headers: packets are parsed
// from the IP header on.
func TestTun(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		need.Missing(t, "no tun devices on this machine: %v", err)
	}
	lab := New(t, Options{})
	victim := lab.Host("victim")
	tun := openTun(t, victim, "tun0")
	address := netip.MustParsePrefix("192.0.2.1/24")
	victim.AddAddr("tun0", address)
	if err := victim.setUp("tun0"); err != nil {
		t.Fatal(err)
	}
	victim.Attach("tun0")

	source := netip.MustParseAddr("192.0.2.99")
	for _, p := range probes(source, address.Addr(), 30) {
		if _, err := tun.Write(p.Packet()); err != nil {
			t.Fatal(err)
		}
	}
	line := victim.WaitBan(source)
	if got := line.Observer.Ingress.Interface.Name; got != "tun0" {
		t.Errorf("interface in the log = %q, want tun0", got)
	}
	// Answers of the host show which probes got through.
	if got := answers(t, tun); len(got) == 0 || len(got) > maxConnectPorts {
		t.Errorf("%d ports answered: %v; want 1 to %d", len(got), got, maxConnectPorts)
	}
}

// openTun makes a tun device without packet information on a host.
func openTun(t *testing.T, h *Host, name string) *os.File {
	t.Helper()
	var tun *netlink.Tuntap
	err := h.Inside(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		tun = &netlink.Tuntap{LinkAttrs: attrs, Mode: netlink.TUNTAP_MODE_TUN,
			Flags: unix.IFF_NO_PI | unix.IFF_TUN_EXCL, NonPersist: true, Queues: 1}
		return netlink.LinkAdd(tun)
	})
	if err != nil {
		t.Fatalf("make tun device: %v", err)
	}
	t.Cleanup(func() { tun.Fds[0].Close() })
	return tun.Fds[0]
}

// answers reads RST packets from a tun device until none comes, and
// returns the ports that sent them.
func answers(t *testing.T, tun *os.File) (ports []byte) {
	t.Helper()
	fd := int(tun.Fd())
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(poll, int((200 * time.Millisecond).Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return ports
		}
		buf := make([]byte, 1500)
		n, err = unix.Read(fd, buf)
		if err != nil {
			t.Fatal(err)
		}
		const minimal = 40 // IPv4 and TCP without options
		if n >= minimal && buf[0] == 0x45 && buf[9] == unix.IPPROTO_TCP && buf[33]&FlagRST != 0 {
			ports = append(ports, buf[21])
		}
	}
}
