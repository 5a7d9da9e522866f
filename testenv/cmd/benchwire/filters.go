// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// filter is one way to drop all packets of bannedAddr.
type filter struct {
	name   string
	target float64 // DenMap's drops are at least that many times its; 0: none
	// install puts it on the server's end of the link.
	install func(w *wire) (remove func(), err error)
}

// denmapNative is the place of DenMap in filters.
const denmapNative = 1

func filters() ([]filter, error) {
	drop, err := verdict("bare_drop", xdpDrop)
	if err != nil {
		return nil, err
	}
	return []filter{
		{name: "XDP program that only drops", install: program(drop)},
		{name: "DenMap, native", install: denmap("native")},
		{name: "xdp-filter", target: 1.1, install: xdpFilter},
		{name: "DenMap, generic", install: denmap("generic")},
		{name: "nftables, netdev ingress, set", target: 4, install: nftables},
		{name: "iptables + ipset, INPUT", target: 7, install: iptables},
	}, nil
}

// program attaches a program natively.
func program(prog *ebpf.Program) func(*wire) (func(), error) {
	return func(w *wire) (func(), error) {
		index := w.server.Link(w.near).Attrs().Index
		var l link.Link
		err := w.server.Inside(func() (err error) {
			l, err = link.AttachXDP(link.XDPOptions{Program: prog, Interface: index, Flags: link.XDPDriverMode})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("attach program: %w", err)
		}
		return func() { l.Close() }, nil
	}
}

// denmap protects the link as a user would, and bans the source by hand.
func denmap(mode string) func(*wire) (func(), error) {
	return func(w *wire) (func(), error) {
		d := w.server.Attach(w.near, "--mode", mode)
		w.server.MustDenmap("bans", "add", bannedAddr.String(), "--for", "1h")
		return func() { d.Stop() }, nil
	}
}

// xdpFilter is that of the package xdp-tools, with the least it can do.
func xdpFilter(w *wire) (func(), error) {
	w.server.MustTool("xdp-filter", "load", "--mode", "native", "--features", "ipv4", w.near)
	w.server.MustTool("xdp-filter", "ip", "--mode", "src", bannedAddr.String())
	return func() { w.server.MustTool("xdp-filter", "unload", w.near) }, nil
}

func nftables(w *wire) (func(), error) {
	rules := fmt.Sprintf(`table netdev bench {
	set banned { type ipv4_addr; elements = { %s } }
	chain ingress { type filter hook ingress device %q priority 0; ip saddr @banned counter drop; }
}`, bannedAddr, w.near)
	w.server.WriteFile("/run/bench.nft", strings.TrimSpace(rules)+"\n")
	w.server.MustTool("nft", "-f", "/run/bench.nft")
	return func() { w.server.MustTool("nft", "delete", "table", "netdev", "bench") }, nil
}

// iptables drops where fail2ban and CrowdSec do.
func iptables(w *wire) (func(), error) {
	w.server.MustTool("ipset", "create", "banned", "hash:ip")
	w.server.MustTool("ipset", "add", "banned", bannedAddr.String())
	w.server.MustTool("iptables", "-A", "INPUT", "-m", "set", "--match-set", "banned", "src", "-j", "DROP")
	return func() {
		w.server.MustTool("iptables", "-D", "INPUT", "-m", "set", "--match-set", "banned", "src", "-j", "DROP")
		w.server.MustTool("ipset", "destroy", "banned")
	}, nil
}
