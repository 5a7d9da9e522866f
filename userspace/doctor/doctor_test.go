// SPDX-License-Identifier: MIT

package doctor

import (
	"errors"
	"strings"
	"testing"
)

// goodHost has nothing to complain of.
func goodHost() Host {
	return Host{
		Release: "6.18.0", Major: 6, Minor: 18, BTF: true, JIT: true, CPUs: 4, Lockdown: "none",
		Kernel: Kernel{Asked: true, Tried: true, Frags: true},
	}
}

// goodLink is a card that runs native XDP.
func goodLink() Link {
	return Link{
		Name: "eth0", Index: 2, Exists: true, Up: true, Kind: "device", Encap: "ether", MTU: 1500, Driver: "ixgbe",
		Told: true, Features: Basic | Multi, Queues: 4, MaxQueues: 8,
	}
}

// found returns the finding of a check.
func (r Report) found(check string) Finding {
	for _, f := range r.Findings {
		if f.Check == check {
			return f
		}
	}
	return Finding{}
}

func TestGoodHost(t *testing.T) {
	r := Examine(goodHost(), []Link{goodLink()})
	for _, f := range r.Findings {
		if f.Verdict != OK || f.Remedy != "" || f.Text == "" {
			t.Errorf("%+v of a good host", f)
		}
	}
	if want := (Choice{"eth0", Native, "ixgbe has it", true}); r.Failed() || len(r.Interfaces) != 1 || r.Interfaces[0] != want {
		t.Errorf("%+v", r)
	}
}

func TestHostFindings(t *testing.T) {
	for _, row := range []struct {
		check   string
		edit    func(*Host)
		verdict Verdict
		text    string
	}{
		{"kernel", func(h *Host) { h.Release, h.Major, h.Minor = "5.10.0", 5, 10 }, Fail, "DenMap needs 5.15"},
		{"btf", func(h *Host) { h.BTF = false }, Warn, "does not describe its types"},
		{"jit", func(h *Host) { h.JIT = false }, Warn, "interpreted"},
		{"features", func(h *Host) { h.Kernel.Missing = []string{"map type RingBuf", "helper FnX"} }, Fail, "lacks map type RingBuf, helper FnX"},
		{"program", func(h *Host) { h.Kernel.Loads = errors.New("R1 invalid") }, Fail, "refuses the program: R1 invalid"},
		{"program", func(h *Host) { h.Kernel.Frags = false }, Warn, "not for packets of several buffers"},
		{"bpffs", func(h *Host) { h.BPFFS = NotMounted }, OK, "attach does it"},
		{"bpffs", func(h *Host) { h.BPFFS = NoPlace }, Fail, "no place"},
		{"pins", func(h *Host) { h.Kernel.Pins = Pins{Dir: "/p", Present: true, Err: errors.New("other layout")} }, Fail, "/p cannot be used: other layout"},
		{"pins", func(h *Host) { h.Kernel.Pins = Pins{Dir: "/p", Present: true, Older: errors.New("layout 1")} }, Warn, "/p: layout 1"},
		{"pins", func(h *Host) { h.Kernel.Pins = Pins{Dir: "/p", Present: true} }, Warn, "a daemon that is not running"},
		{"pins", func(h *Host) { h.Kernel.Pins = Pins{Dir: "/p", Present: true, Daemon: true} }, OK, "running"},
		{"selinux", func(h *Host) { h.SELinux = "enforcing" }, Warn, "policy must allow"},
		{"lockdown", func(h *Host) { h.Lockdown = "confidentiality" }, Warn, "locked down"},
		{"policy", func(h *Host) { h.SELinux = "permissive" }, OK, "SELinux permissive, lockdown none"},
		{"nat", func(h *Host) { h.NAT = true }, Warn, "published by address translation"},
	} {
		h := goodHost()
		row.edit(&h)
		r := Examine(h, nil)
		f := r.found(row.check)
		if f.Verdict != row.verdict || !strings.Contains(f.Text, row.text) || (f.Remedy == "") != (row.verdict == OK) {
			t.Errorf("%s: %+v, want %s with %q, and a remedy if it is not ok", row.check, f, row.verdict, row.text)
		}
		if r.Failed() != (row.verdict == Fail) {
			t.Errorf("%s, %s: failed = %v", row.check, row.text, r.Failed())
		}
	}
}

func TestLinkChoices(t *testing.T) {
	for _, row := range []struct {
		name    string
		edit    func(*Link, *Host)
		mode    Mode
		certain bool
		why     string
	}{
		{"no native XDP", func(l *Link, _ *Host) { l.Features = 0 }, Generic, true, "ixgbe has no native XDP"},
		{"jumbo frames", func(l *Link, _ *Host) { l.MTU = 9000 }, Native, true, "has it"},
		{"jumbo frames in one buffer", func(l *Link, _ *Host) { l.MTU, l.Features = 9000, Basic }, Generic, true, "an MTU of 9000"},
		{"jumbo frames, old kernel", func(l *Link, h *Host) { l.MTU, l.Told, h.Kernel.Frags = 9000, false, false }, Generic, true, "Linux 5.18"},
		{"before 6.3", func(l *Link, _ *Host) { l.Told = false }, Native, false, "only attaching tells"},
		{"bridge before 6.3", func(l *Link, _ *Host) { l.Told, l.Kind, l.Driver = false, "bridge", "" }, Generic, true, "bridge has no"},
		{"virtio that merges", func(l *Link, _ *Host) { l.Virtio = 1<<guestTSO4 | 1<<32 }, Generic, true, "cannot be told to stop"},
		{"virtio that can stop", func(l *Link, _ *Host) { l.Virtio = 1<<guestTSO4 | 1<<ctrlGuestOffloads }, Native, true, "has it"},
		{"another program", func(l *Link, _ *Host) { l.Program = Program{Name: "id 7", Mode: Native} }, NoMode, true, "another XDP program"},
		{"without root", func(l *Link, _ *Host) { l.Program = Program{Name: "id 7", Mode: Native, Unseen: true} }, Native, false, "may be DenMap's own"},
		{"ours", func(l *Link, _ *Host) { l.Program = Program{Name: "scan_xdp", Mode: Generic, Ours: true} }, Generic, true, "at present"},
		{"program above", func(l *Link, _ *Host) { l.Master = Upper{"bond0", "bond", true} }, NoMode, true, "bond0 above it"},
		{"link type", func(l *Link, _ *Host) { l.Encap = "infiniband" }, NoMode, true, `link type "infiniband"`},
		{"kernel refuses", func(_ *Link, h *Host) { h.Kernel.Loads = errors.New("no") }, NoMode, true, "cannot run"},
		{"not asked", func(_ *Link, h *Host) { h.Kernel = Kernel{} }, Native, true, "has it"},
	} {
		l, h := goodLink(), goodHost()
		row.edit(&l, &h)
		r := Examine(h, []Link{l})
		c := r.Interfaces[0]
		if c.Mode != row.mode || c.Certain != row.certain || !strings.Contains(c.Why, row.why) {
			t.Errorf("%s: %+v, want %s with %q", row.name, c, row.mode, row.why)
		}
		if (c.Mode == NoMode) != r.Failed() {
			t.Errorf("%s: mode %s, failed = %v: %+v", row.name, c.Mode, r.Failed(), r.Findings)
		}
	}
}

func TestLinkFindings(t *testing.T) {
	for _, row := range []struct {
		check   string
		edit    func(*Link)
		verdict Verdict
		text    string
		remedy  string
	}{
		{"interface", func(l *Link) { l.Exists = false }, Fail, "no such interface", "ip link"},
		{"up", func(l *Link) { l.Up = false }, Warn, "down", "ip link set eth0 up"},
		{"mode", func(l *Link) { l.Features = 0 }, Warn, "generic XDP", "newer kernel"},
		{"mode", func(l *Link) { l.Features, l.Kind = 0, "dummy" }, OK, "generic XDP", ""},
		{"upper", func(l *Link) { l.Master = Upper{"br0", "bridge", false} }, Warn, "port of the bridge br0", "attach to br0"},
		{"upper", func(l *Link) { l.Master = Upper{"bond0", "bond", false} }, Warn, "port of the bond bond0", "attach to bond0"},
		{"upper", func(l *Link) { l.Master = Upper{"red", "vrf", false} }, Warn, "port of red (vrf)", "attach to red"},
		{"above", func(l *Link) { l.Above = []string{"eth0.7", "eth0.8"} }, OK, "eth0.7, eth0.8", ""},
		{"mtu", func(l *Link) { l.MTU = 9000 }, OK, "several buffers", ""},
		{"offload", func(l *Link) { l.LRO = true }, Warn, "LRO", "ethtool -K eth0 lro off"},
		{"offload", func(l *Link) { l.LRO, l.Features = true, 0 }, OK, "merged", ""},
		{"offload", func(l *Link) { l.Kind = "veth" }, Warn, "segmentation offload", "--mode generic"},
		{"offload", func(l *Link) { l.Kind, l.Features = "veth", 0 }, OK, "does not merge", ""},
		{"vlan", func(l *Link) { l.VLANStrip = true }, OK, "VLAN tags", ""},
		{"queues", func(l *Link) { l.Queues, l.MaxQueues = 1, 8 }, Warn, "one queue of 8", "ethtool -L eth0"},
		{"queues", func(l *Link) { l.Queues, l.MaxQueues, l.Virtio = 1, 1, 1<<32 }, Warn, "one of 4 CPUs", "queues=N"},
		{"programs", func(l *Link) { l.TC = []string{`"cil_from_netdev", id 9`} }, OK, "cil_from_netdev", ""},
		{"programs", func(l *Link) { l.Program = Program{Name: "id 7", Mode: Native, Unseen: true} }, Warn, "id 7", "as root"},
		{"programs", func(l *Link) { l.Program = Program{Name: "id 7", Mode: Native} }, Fail, "id 7", "ip link set eth0 xdp off"},
	} {
		l := goodLink()
		row.edit(&l)
		f := Examine(goodHost(), []Link{l}).found(row.check)
		if f.Verdict != row.verdict || f.Interface != "eth0" || !strings.Contains(f.Text, row.text) ||
			!strings.Contains(f.Remedy, row.remedy) || (f.Remedy == "") != (row.remedy == "") {
			t.Errorf("%s: %+v, want %s with %q and %q", row.check, f, row.verdict, row.text, row.remedy)
		}
	}
}

func TestHints(t *testing.T) {
	h := goodHost()
	h.Cloud = "Hetzner"
	h.Unseen = []string{"tc programs: needs root"}
	r := Examine(h, nil)
	if !strings.Contains(strings.Join(r.Hints, "\n"), "Hetzner may filter") || len(r.Unseen) != 1 {
		t.Errorf("%+v", r)
	}
}
