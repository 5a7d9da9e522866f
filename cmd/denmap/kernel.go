// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"net/netip"
	"strings"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/event"
	"denmap/userspace/lists"
)

// kernel is the loader as the daemon sees it: plain values go in and out.
type kernel struct{ *loader.Kernel }

func openKernel(dir string, s daemon.Settings) (kernel, error) {
	k, err := loader.Open(loader.Options{Dir: dir, Settings: loaderSettings(s), Limits: loader.Limits(s.Limits)})
	return kernel{k}, err
}

func loaderSettings(s daemon.Settings) loader.Settings {
	return loader.Settings{
		AlertScore:  s.Detect.AlertScore,
		BanScore:    s.Detect.BanScore,
		UDPAlert:    s.Detect.UDPAlertScore,
		UDPBan:      s.Detect.UDPBanScore,
		Decay:       s.Detect.Decay,
		IPv6Prefix:  s.Detect.IPv6Prefix,
		DropCrafted: s.Detect.DropCrafted,
		IgnorePorts: portsOf(s.Detect.IgnorePorts),
		BanDuration: s.Ban.Duration,

		BanMultiplier: s.Ban.Multiplier,
		BanMax:        s.Ban.MaxDuration,
	}
}

// portsOf spells out every port of some ranges.
func portsOf(ranges []config.PortRange) []uint16 {
	var ports []uint16
	for _, r := range ranges {
		for port := uint32(r.First); port <= uint32(r.Last); port++ {
			ports = append(ports, uint16(port))
		}
	}
	return ports
}

// noInterface is loader.ErrNoInterface as daemon.ErrNoInterface.
type noInterface struct{ error }

func (e noInterface) Unwrap() error        { return e.error }
func (e noInterface) Is(target error) bool { return target == daemon.ErrNoInterface }

func (k kernel) Attach(name string, o daemon.AttachOptions) (daemon.Interface, error) {
	i, err := k.Kernel.Attach(name, loader.AttachOptions{Hook: loader.Hook(o.XDP), Monitor: o.Monitor})
	if errors.Is(err, loader.ErrNoInterface) {
		err = noInterface{err}
	}
	return daemonInterface(i), err
}

func (k kernel) Attached() []daemon.Interface {
	var out []daemon.Interface
	for _, i := range k.Kernel.Attached() {
		out = append(out, daemonInterface(i))
	}
	return out
}

func daemonInterface(i loader.Interface) daemon.Interface {
	return daemon.Interface{
		Name: i.Name, Index: i.Index, Native: i.Hook == loader.HookNative,
		Monitor: i.Monitor, Since: i.Since,
		// What the library puts before the kernel's reason says nothing.
		Fallback: strings.TrimPrefix(i.Fallback, "failed to attach link: create link: "),
	}
}

func (k kernel) Reconfigure(s daemon.Settings) error {
	return k.Kernel.Reconfigure(loaderSettings(s))
}

func (k kernel) SetHost(h daemon.Host) error { return k.Kernel.SetHost(loader.Host(h)) }

func (k kernel) SyncList(kind lists.Kind, entries []lists.Entry, progress func(done, total int)) error {
	_, err := k.Kernel.SyncList(loader.ListName(kind.String()), loaderEntries(entries), progress)
	return err
}

func loaderEntries(entries []lists.Entry) []loader.ListEntry {
	out := make([]loader.ListEntry, len(entries))
	for i, e := range entries {
		out[i] = loader.ListEntry{Prefix: e.Prefix, Watch: e.Watch}
	}
	return out
}

func (k kernel) Source(source netip.Prefix) (event.Source, bool, error) {
	return k.Kernel.Source(source.Addr())
}

func (k kernel) Fills() ([]daemon.Fill, error) {
	fills, err := k.Kernel.Fills()
	if err != nil {
		return nil, err
	}
	out := make([]daemon.Fill, len(fills))
	for i, f := range fills {
		out[i] = daemon.Fill{Table: f.Table, Entries: f.Entries, Capacity: f.Capacity}
	}
	return out, nil
}

func (k kernel) LostEvents() (map[string]uint64, error) {
	counters, err := k.Counters()
	if err != nil {
		return nil, err
	}
	lost := make(map[string]uint64)
	for _, c := range counters {
		if c.Verdict == "lost" && c.Reason == "event" {
			lost[c.Interface] += c.Count
		}
	}
	return lost, nil
}
