// SPDX-License-Identifier: MIT

package netstate

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"denmap/testenv/need"
)

// enterNamespace moves the test into a network namespace of its own. Its
// thread stays locked, so it ends with the test and takes the namespace
// with it. It returns the namespace, for other goroutines to join.
func enterNamespace(t *testing.T) (namespace int) {
	t.Helper()
	need.Root(t, "making a network namespace")
	runtime.LockOSThread()
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	// Only the addresses that the test gives.
	must(t, os.WriteFile("/proc/sys/net/ipv6/conf/default/addr_gen_mode", []byte("1"), 0))
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustLink(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	must(t, err)
	return l
}

func mustUp(t *testing.T, name string) netlink.Link {
	t.Helper()
	l := mustLink(t, name)
	must(t, netlink.LinkSetUp(l))
	return l
}

func mustAddr(t *testing.T, name string, addr *netlink.Addr) {
	t.Helper()
	addr.Flags |= unix.IFA_F_NODAD
	must(t, netlink.AddrAdd(mustLink(t, name), addr))
}

func ipNet(s string) *net.IPNet {
	p := netip.MustParsePrefix(s)
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

func prefixes(list ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		out = append(out, netip.MustParsePrefix(s))
	}
	return sortPrefixes(out)
}

func find(s Snapshot, name string) (Interface, bool) {
	i := slices.IndexFunc(s.Interfaces, func(i Interface) bool { return i.Name == name })
	if i < 0 {
		return Interface{}, false
	}
	return s.Interfaces[i], true
}

func TestRead(t *testing.T) {
	enterNamespace(t)
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.HardwareAddr, attrs.MTU = "in0", mac, 1400
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "out0"}))
	tun := netlink.NewLinkAttrs()
	tun.Name = "tun0"
	must(t, netlink.LinkAdd(&netlink.Tuntap{LinkAttrs: tun, Mode: netlink.TUNTAP_MODE_TUN}))
	for _, name := range []string{"lo", "in0", "out0", "tun0"} {
		mustUp(t, name)
	}
	in := mustLink(t, "in0").Attrs().Index
	tunnel := mustLink(t, "tun0").Attrs().Index

	mustAddr(t, "in0", &netlink.Addr{IPNet: ipNet("192.0.2.1/25")})
	mustAddr(t, "in0", &netlink.Addr{IPNet: ipNet("2001:db8::1/64")})
	mustAddr(t, "in0", &netlink.Addr{IPNet: ipNet("fe80::1/64")})
	mustAddr(t, "tun0", &netlink.Addr{IPNet: ipNet("198.51.100.1/32"), Peer: ipNet("198.51.100.2/32")})
	mustAddr(t, "out0", &netlink.Addr{IPNet: ipNet("203.0.113.1/24")})
	addLink(t, "off0", 0)
	mustAddr(t, "off0", &netlink.Addr{IPNet: ipNet("198.51.100.129/25")})

	onlink := int(netlink.FLAG_ONLINK)
	v6 := netlink.FAMILY_V6
	for _, r := range []netlink.Route{
		{LinkIndex: in, Dst: ipNet("0.0.0.0/0"), Gw: net.IP{192, 0, 2, 126}},
		{Dst: ipNet("10.1.0.0/16"), MultiPath: []*netlink.NexthopInfo{
			{LinkIndex: in, Gw: net.IP{192, 0, 2, 101}}, {LinkIndex: in, Gw: net.IP{192, 0, 2, 102}}}},
		{LinkIndex: in, Dst: ipNet("10.2.0.0/16"), Gw: net.IP{192, 0, 2, 103}, Table: 1000},
		{LinkIndex: in, Dst: ipNet("10.3.0.0/16"), Gw: net.IP{203, 0, 113, 254}, Flags: onlink},
		{LinkIndex: in, Dst: ipNet("10.4.0.0/16"), Scope: netlink.SCOPE_LINK},
		{LinkIndex: tunnel, Dst: ipNet("10.5.0.0/16"), Scope: netlink.SCOPE_LINK},
		{LinkIndex: in, Dst: ipNet("10.6.0.0/16"), Via: &netlink.Via{AddrFamily: v6, Addr: net.ParseIP("2001:db8::99")}},
		{LinkIndex: in, Dst: ipNet("::/0"), Gw: net.ParseIP("fe80::ff")},
		{Dst: ipNet("2001:db8:1::/48"), MultiPath: []*netlink.NexthopInfo{
			{LinkIndex: in, Gw: net.ParseIP("2001:db8::fe")}, {LinkIndex: in, Gw: net.ParseIP("fe80::fe")}}},
		{LinkIndex: in, Dst: ipNet("2001:db8:2::/64")},
		{Dst: ipNet("10.7.0.0/16"), Type: unix.RTN_BLACKHOLE},
	} {
		if err := netlink.RouteAdd(&r); err != nil {
			t.Fatalf("add %v: %v", r, err)
		}
	}

	r, _ := testReader(t)
	s, err := r.Read()
	must(t, err)
	zone := "%" + strconv.Itoa(in)
	wantAddrs(t, "own", s.Own, "127.0.0.1", "192.0.2.1", "198.51.100.1", "198.51.100.129", "203.0.113.1", "::1", "2001:db8::1", "fe80::1"+zone)
	wantAddrs(t, "gateways", s.Gateways, "192.0.2.101", "192.0.2.102", "192.0.2.103", "192.0.2.126", "203.0.113.254",
		"2001:db8::99", "2001:db8::fe", "fe80::fe"+zone, "fe80::ff"+zone)
	want := prefixes("192.0.2.0/25", "203.0.113.0/24", "198.51.100.2/32", "2001:db8::/64", "fe80::/64", "10.4.0.0/16", "2001:db8:2::/64")
	if !slices.Equal(s.OnLink, want) {
		t.Errorf("on link: got %v, want %v", s.OnLink, want)
	}
	if i, _ := find(s, "in0"); !i.equal(Interface{Index: in, Name: "in0", MAC: mac, LinkLayer: "ether", Up: true, MTU: 1400}) {
		t.Errorf("in0: %+v", i)
	}
	if i, _ := find(s, "tun0"); i.MAC != nil || i.LinkLayer != "none" {
		t.Errorf("tun0: %+v", i)
	}
	if i, _ := find(s, "lo"); i.LinkLayer != "loopback" || i.Index != 1 {
		t.Errorf("lo: %+v", i)
	}
	again, err := r.Read()
	must(t, err)
	if !s.Equal(again) {
		t.Errorf("two looks differ:\n%+v\n%+v", s, again)
	}
}

// watched runs a watch in the namespace and hands out its snapshots.
type watched struct {
	t         *testing.T
	snapshots chan Snapshot
}

func watchNamespace(t *testing.T, namespace int) watched {
	t.Helper()
	r, _ := testReader(t)
	r.OnError = func(err error) { t.Errorf("complaint: %v", err) }
	w := watched{t, make(chan Snapshot, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread has left the process's namespace
		if err := unix.Setns(namespace, unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- r.Watch(ctx, func(s Snapshot) { w.snapshots <- s })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("watch ended with %v", err)
		}
	})
	return w
}

// until waits for a snapshot that is as wanted, and returns how long that
// took.
func (w watched) until(what string, ok func(Snapshot) bool) time.Duration {
	w.t.Helper()
	start := time.Now()
	deadline := time.After(5 * time.Second)
	var last Snapshot
	for {
		select {
		case last = <-w.snapshots:
			if ok(last) {
				return time.Since(start)
			}
		case <-deadline:
			w.t.Fatalf("not reported: %s; last: %+v", what, last)
		}
	}
}

// addLink makes an interface with its other end up. An index of 0 leaves
// the choice to the kernel.
func addLink(t *testing.T, name string, index int) {
	t.Helper()
	a := netlink.NewLinkAttrs()
	a.Name, a.Index = name, index
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: a, PeerName: "peer0"}))
	mustUp(t, "peer0")
}

func TestWatch(t *testing.T) {
	namespace := enterNamespace(t)
	addLink(t, "test0", 0)
	index := mustLink(t, "test0").Attrs().Index
	w := watchNamespace(t, namespace)
	w.until("the first look", func(s Snapshot) bool {
		i, ok := find(s, "test0")
		return ok && !i.Up && len(s.Interfaces) == 3
	})

	steps := []struct {
		name string
		do   func()
		seen func(Snapshot) bool
	}{
		{"deleted", func() { must(t, netlink.LinkDel(mustLink(t, "test0"))) },
			func(s Snapshot) bool { _, ok := find(s, "test0"); return !ok }},
		{"created", func() { addLink(t, "test0", 0) },
			func(s Snapshot) bool { i, ok := find(s, "test0"); return ok && i.Index != index }},
		{"up", func() { mustUp(t, "test0") },
			func(s Snapshot) bool { i, _ := find(s, "test0"); return i.Up }},
		{"address added", func() { mustAddr(t, "test0", &netlink.Addr{IPNet: ipNet("192.0.2.1/24")}) },
			func(s Snapshot) bool {
				return slices.Contains(s.Own, netip.MustParseAddr("192.0.2.1")) && slices.Equal(s.OnLink, prefixes("192.0.2.0/24"))
			}},
		{"route added", func() {
			must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: mustLink(t, "test0").Attrs().Index, Dst: ipNet("0.0.0.0/0"), Gw: net.IP{192, 0, 2, 254}}))
		}, func(s Snapshot) bool { return slices.Equal(s.Gateways, addrs("192.0.2.254")) }},
		{"IPv6 route added", func() {
			must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: mustLink(t, "test0").Attrs().Index, Dst: ipNet("::/0"), Gw: net.ParseIP("fe80::ff")}))
		}, func(s Snapshot) bool { return len(s.Gateways) == 2 }},
		{"MTU changed", func() { must(t, netlink.LinkSetMTU(mustLink(t, "test0"), 1300)) },
			func(s Snapshot) bool { i, _ := find(s, "test0"); return i.MTU == 1300 }},
		{"down", func() { must(t, netlink.LinkSetDown(mustLink(t, "test0"))) },
			func(s Snapshot) bool {
				i, _ := find(s, "test0")
				return !i.Up && len(s.Gateways) == 0 && len(s.OnLink) == 0
			}},
		{"renamed", func() { must(t, netlink.LinkSetName(mustLink(t, "test0"), "other0")) },
			func(s Snapshot) bool { _, ok := find(s, "other0"); return ok }},
		{"new MAC", func() {
			must(t, netlink.LinkSetHardwareAddr(mustLink(t, "other0"), net.HardwareAddr{2, 0, 0, 0, 0, 9}))
		},
			func(s Snapshot) bool { i, _ := find(s, "other0"); return i.MAC.String() == "02:00:00:00:00:09" }},
		{"address removed", func() { must(t, netlink.AddrDel(mustLink(t, "other0"), &netlink.Addr{IPNet: ipNet("192.0.2.1/24")})) },
			func(s Snapshot) bool { return !slices.Contains(s.Own, netip.MustParseAddr("192.0.2.1")) }},
	}
	for _, step := range steps {
		step.do()
		if took := w.until(step.name, step.seen); took > 500*time.Millisecond {
			t.Errorf("%s: reported after %v", step.name, took)
		}
	}
}

// An interface that comes back under its old name and index within one
// window looks the same but for the program it lost: the case where a host
// would be left without protection.
func TestWatchSeesALostProgram(t *testing.T) {
	namespace := enterNamespace(t)
	const index = 77
	addLink(t, "test0", index)
	prog := loadXDPPass(t)
	must(t, netlink.LinkSetXdpFdWithFlags(mustLink(t, "test0"), prog, unix.XDP_FLAGS_SKB_MODE))
	w := watchNamespace(t, namespace)
	w.until("the program", func(s Snapshot) bool {
		i, _ := find(s, "test0")
		return i.XDP.Mode == "generic" && i.XDP.ProgID != 0
	})
	must(t, netlink.LinkDel(mustLink(t, "test0")))
	addLink(t, "test0", index)
	took := w.until("its loss", func(s Snapshot) bool {
		i, ok := find(s, "test0")
		return ok && i.Index == index && i.XDP == XDP{}
	})
	if took > 500*time.Millisecond {
		t.Errorf("reported after %v", took)
	}
}

// loadXDPPass loads a program that passes everything, by the bare system
// call: this package does not know BPF.
func loadXDPPass(t *testing.T) int {
	t.Helper()
	// r0 = XDP_PASS; exit
	code := []uint64{0x2_0000_00b7, 0x95}
	license := []byte("GPL\x00")
	attr := struct {
		kind, count    uint32
		code, license  uint64
		level, size    uint32
		log            uint64
		version, flags uint32
	}{
		kind: unix.BPF_PROG_TYPE_XDP, count: uint32(len(code)),
		code: uint64(uintptr(unsafe.Pointer(&code[0]))), license: uint64(uintptr(unsafe.Pointer(&license[0]))),
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(code)
	runtime.KeepAlive(license)
	if errno != 0 {
		t.Fatalf("load an XDP program: %v", errno)
	}
	t.Cleanup(func() { unix.Close(int(fd)) })
	return int(fd)
}

// Whatever becomes of the messages of a flood of changes, what stands at
// its end must be seen.
func TestWatchAfterAFlood(t *testing.T) {
	namespace := enterNamespace(t)
	addLink(t, "test0", 0)
	mustUp(t, "test0")
	w := watchNamespace(t, namespace)
	w.until("the first look", func(s Snapshot) bool { return len(s.Interfaces) == 3 })
	for i := range 1000 {
		dst := ipNet(fmt.Sprintf("2001:db8:%x::/48", i+1))
		must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: mustLink(t, "test0").Attrs().Index, Dst: dst}))
	}
	mustAddr(t, "test0", &netlink.Addr{IPNet: ipNet("192.0.2.1/24")})
	w.until("the end of the flood", func(s Snapshot) bool {
		return slices.Contains(s.Own, netip.MustParseAddr("192.0.2.1"))
	})
}
