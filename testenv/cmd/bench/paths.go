// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"denmap/loader"
	"denmap/testenv/packet"
	"denmap/userspace/event"
)

var (
	host   = netip.MustParseAddr("198.51.100.1")
	host6  = netip.MustParseAddr("2001:db8:1::1")
	client = netip.MustParseAddr("203.0.113.7")
	other6 = netip.MustParseAddr("2001:db8:2::7")
)

// path is one way of a packet through the program.
type path struct {
	name   string
	frame  []byte
	prog   *ebpf.Program
	bare   bool   // the drop that later rows are compared with
	random bool   // every packet from a source of its own
	want   string // the counter that every packet must raise; "" for bare
	run    *loader.Runner
}

// time returns ns per packet, and fails if the packets did not go the way
// that the row claims.
func (p path) time(repeat int) (float64, error) {
	before, err := p.counted()
	if err != nil {
		return 0, err
	}
	_, took, err := p.prog.Benchmark(p.frame, repeat, nil)
	if err != nil {
		return 0, err
	}
	after, err := p.counted()
	if err != nil {
		return 0, err
	}
	// A random source may meet an earlier one in the first-failure filter.
	if got := after - before; p.run != nil && got < uint64(repeat)*98/100 {
		return 0, fmt.Errorf("%d of %d packets were counted as %q", got, repeat, p.want)
	}
	return float64(took.Nanoseconds()), nil
}

func (p path) counted() (uint64, error) {
	if p.run == nil {
		return 0, nil
	}
	counts, err := p.run.Counts()
	return counts[p.want], err
}

// build enters a network namespace of its own and returns every path, the
// bare one of each kind first.
func build() ([]path, error) {
	if err := enterNamespace(); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "198.51.100.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a port: %w", err)
	}
	listeners = append(listeners, listener)
	open := uint16(listener.Addr().(*net.TCPAddr).Port)
	bare, err := bareDrop()
	if err != nil {
		return nil, err
	}
	randomBare, err := randomSource(bare)
	if err != nil {
		return nil, err
	}
	data := packet.Connect(client, host, open)
	data.Flags, data.Payload, data.Options = packet.ACK, make([]byte, 512), packet.Timestamp
	data6 := data
	data6.Src, data6.Dst = other6, host6
	ack := data
	ack.Payload, ack.Options = nil, nil
	closed := packet.Connect(client, host, 9)
	rows := []path{{name: "bare drop", frame: data.Bytes(), prog: bare, bare: true}}
	for _, r := range []struct {
		name    string
		frame   []byte
		want    string
		prepare func(*loader.Runner) error
	}{
		{"established, IPv4", data.Bytes(), "pass established", nil},
		{"established, IPv6", data6.Bytes(), "pass established", nil},
		{"established, 10k manual bans", data.Bytes(), "pass established", manyBans},
		{"SYN to an open port", packet.Connect(client, host, open).Bytes(), "pass open", nil},
		{"SYN to a closed port, counted before", closed.Bytes(), "pass repeated", runOnce(closed.Bytes())},
		{"bare ACK to a listener", ack.Bytes(), "pass open", nil},
		{"listed address, drop", data.Bytes(), "drop denied", deny("203.0.113.7/32")},
		{"listed network, drop", data.Bytes(), "drop denied", deny("203.0.113.0/24")},
		{"banned by hand, drop", data.Bytes(), "drop banned", banned(event.Manual)},
		{"banned blindly, SYN, drop", closed.Bytes(), "drop banned", banned(event.Blind)},
		{"Xmas, drop on sight", packet.NmapFlags(client, host, 9, packet.FIN|packet.PSH|packet.URG).Bytes(), "drop crafted", nil},
	} {
		p, err := newPath(r.name, r.frame, r.want, r.prepare)
		if err != nil {
			return nil, err
		}
		rows = append(rows, p)
	}
	first, err := newPath("SYN to a closed port, first contact, random sources", closed.Bytes(), "pass counted", nil)
	if err != nil {
		return nil, err
	}
	if first.prog, err = randomSource(first.prog); err != nil {
		return nil, err
	}
	first.random = true
	return append(rows, path{name: "bare drop, random sources", frame: closed.Bytes(), prog: randomBare, bare: true, random: true}, first), nil
}

// listeners keeps the open port open: a collected one is closed.
var listeners []net.Listener

func newPath(name string, frame []byte, want string, prepare func(*loader.Runner) error) (path, error) {
	r, err := loader.NewRunner(loader.RunnerOptions{Settings: loader.Settings{
		AlertScore: 4, BanScore: 8, UDPAlert: 8, UDPBan: 16, Decay: 30 * time.Minute, IPv6Prefix: 64, DropCrafted: true, BanDuration: 10 * time.Minute,
	}})
	if err != nil {
		return path{}, err
	}
	if err := r.SetHost(loader.Host{Own: []netip.Addr{host, host6}}); err != nil {
		return path{}, err
	}
	if prepare != nil {
		if err := prepare(r); err != nil {
			return path{}, fmt.Errorf("prepare %s: %w", name, err)
		}
	}
	return path{name: name, frame: frame, prog: r.Program(), want: want, run: r}, nil
}

func enterNamespace() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make network namespace: %w", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find loopback: %w", err)
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return fmt.Errorf("bring loopback up: %w", err)
	}
	for _, a := range []netip.Addr{host, host6} {
		addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}, Flags: unix.IFA_F_NODAD}
		if err := netlink.AddrAdd(lo, addr); err != nil {
			return fmt.Errorf("add %s to loopback: %w", a, err)
		}
	}
	return nil
}

func manyBans(r *loader.Runner) error {
	for i := range 10_000 {
		a := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
		if err := r.AddBan(event.Ban{Source: netip.PrefixFrom(a, 32), Grade: event.Manual}); err != nil {
			return err
		}
	}
	return nil
}

func runOnce(frame []byte) func(*loader.Runner) error {
	return func(r *loader.Runner) error {
		_, err := r.Run(frame)
		return err
	}
}

func deny(prefix string) func(*loader.Runner) error {
	return func(r *loader.Runner) error {
		_, _, err := r.SyncList(loader.Deny, []loader.ListEntry{{Prefix: netip.MustParsePrefix(prefix)}}, nil)
		return err
	}
}

func banned(grade event.Grade) func(*loader.Runner) error {
	return func(r *loader.Runner) error {
		return r.AddBan(event.Ban{Source: netip.PrefixFrom(client, 32), Grade: grade})
	}
}
