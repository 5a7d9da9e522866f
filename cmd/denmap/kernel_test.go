// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

// The adapter and the daemon agree on what a kernel is.
var _ daemon.Kernel = kernel{}

func TestLoaderSettings(t *testing.T) {
	c := config.Default()
	c.Detect.IgnorePorts = []config.PortRange{{First: 22, Last: 22}, {First: 65533, Last: 65535}}
	got := loaderSettings(daemon.Settings{Detect: c.Detect, Ban: c.Ban})
	if got.AlertScore != 4 || got.BanScore != 8 || got.UDPAlert != 8 || got.UDPBan != 16 ||
		got.Decay != 30*time.Minute || got.IPv6Prefix != 64 || !got.DropCrafted || got.BanDuration != 10*time.Minute {
		t.Errorf("settings %+v", got)
	}
	if want := []uint16{22, 65533, 65534, 65535}; !slices.Equal(got.IgnorePorts, want) {
		t.Errorf("ignored ports %v, want %v", got.IgnorePorts, want)
	}
}

// TestKernel drives the real kernel through the daemon's eyes.
func TestKernel(t *testing.T) {
	a := newAttached(t)
	k := kernel{a.kernel}
	if _, err := k.Attach("nosuch0", daemon.AttachOptions{XDP: config.XDPAuto}); !errors.Is(err, daemon.ErrNoInterface) || !errors.Is(err, loader.ErrNoInterface) {
		t.Errorf("attach to nothing: %v", err)
	}
	before := k.Attached()
	if len(before) != 1 || before[0].Name != "eth0" || before[0].Native {
		t.Fatalf("attached %+v", before)
	}
	again, err := k.Attach("eth0", daemon.AttachOptions{XDP: config.XDPAuto})
	if err != nil || !again.Since.Equal(before[0].Since) {
		t.Errorf("attach again: %+v, %v, want the same attachment", again, err)
	}
	monitored, err := k.Attach("eth0", daemon.AttachOptions{XDP: config.XDPAuto, Monitor: true})
	if err != nil || !monitored.Monitor {
		t.Errorf("attach to monitor: %+v, %v", monitored, err)
	}
	if err := k.Reconfigure(daemon.Settings{Detect: config.Default().Detect, Ban: config.Ban{Duration: time.Minute}}); err != nil {
		t.Error(err)
	}
	entries := []lists.Entry{{Prefix: netip.MustParsePrefix("203.0.113.0/28"), Watch: true}}
	if err := k.SyncList(lists.Allow, entries, nil); err != nil {
		t.Error(err)
	}
	if listed, watch, err := k.Listed(loader.Allow, netip.MustParseAddr("203.0.113.3")); !listed || !watch || err != nil {
		t.Errorf("allow list: %v, %v, %v", listed, watch, err)
	}
	own := netip.MustParseAddr("203.0.113.1")
	if err := k.SetHost(daemon.Host{Own: []netip.Addr{own}, Protected: []netip.Addr{own}}); err != nil {
		t.Error(err)
	}
	if ok, err := k.Protected(own); !ok || err != nil {
		t.Errorf("protected: %v, %v", ok, err)
	}
	ban := event.Ban{Source: netip.MustParsePrefix("203.0.113.9/32"), Grade: event.Proven, Until: time.Now().Add(time.Hour)}
	if err := k.AddBan(ban); err != nil {
		t.Error(err)
	}
	if got, ok, err := k.Ban(ban.Source); !ok || err != nil || got.Grade != event.Proven {
		t.Errorf("ban %+v, %v, %v", got, ok, err)
	}
	if _, ok, err := k.Source(ban.Source); ok || err != nil {
		t.Errorf("source: %v, %v, want none", ok, err)
	}
	if lost, err := k.LostEvents(); err != nil || len(lost) != 1 || lost["eth0"] != 0 {
		t.Errorf("lost events %v, %v", lost, err)
	}
	if err := k.Detach(before[0].Index); err != nil || len(k.Attached()) != 0 {
		t.Errorf("detach: %v, left %+v", err, k.Attached())
	}
}
