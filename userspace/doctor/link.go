// SPDX-License-Identifier: MIT

package doctor

import (
	"strings"
)

// Features are what a driver says of its native XDP: NETDEV_XDP_ACT_* of
// linux/netdev.h, since Linux 6.3.
type Features uint64

// The features that matter here.
const (
	Basic Features = 1 << 0 // it runs programs
	Multi Features = 1 << 5 // RX_SG: on packets of several buffers too
)

// Link is what is known of one interface.
type Link struct {
	Name   string
	Index  int
	Exists bool
	Up     bool
	Kind   string // "veth", "bridge", ...; "device" for hardware, also virtual
	Encap  string // what its packets begin with: "ether", "none", ...
	MTU    int
	Driver string // or empty

	Master Upper // the device that it is a port of
	Above  []string

	// Told: the driver said what it can do.
	Told     bool
	Features Features

	LRO, GROHW, VLANStrip bool
	Queues, MaxQueues     int    // of packets received; 0: unknown
	Virtio                uint64 // features of a virtio device, 0 if it is none

	Program Program
	TC      []string // programs behind XDP
}

// Upper is a device that others are ports of.
type Upper struct {
	Name, Kind string // empty: none
	XDP        bool   // it has a program
}

// Program is the XDP program on an interface. The zero value: none.
type Program struct {
	ID   uint32 // the kernel's; 0 where several run at once
	Name string
	Mode Mode
	Ours bool

	// Unseen: whose it is cannot be seen, as the pins need root.
	Unseen bool
}

// foreign reports whether the program is known to be somebody else's.
func (p Program) foreign() bool { return p.Name != "" && !p.Ours && !p.Unseen }

// maxLinear is the MTU up to which a packet with its headers surely fits
// into one buffer of 4 KiB, beside what the kernel keeps in there.
const maxLinear = 3498

// Feature bits of virtio devices: 5.1.3 of the virtio specification 1.2.
const (
	guestCSUM, ctrlGuestOffloads             = 1, 2
	guestTSO4, guestTSO6, guestECN, guestUFO = 7, 8, 9, 10
)

// stuckOffloads reports whether the host of a virtual machine merges
// packets and the guest cannot tell it to stop.
func (l Link) stuckOffloads() bool {
	if l.Virtio&(1<<ctrlGuestOffloads) != 0 {
		return false
	}
	return l.Virtio&(1<<guestCSUM|1<<guestTSO4|1<<guestTSO6|1<<guestECN|1<<guestUFO) != 0
}

func (l Link) isVirtual() bool { return l.Kind != "device" }

func (x *examiner) examineLink(l Link) {
	x.link = l.Name
	defer func() { x.link = "" }()
	if !l.Exists {
		x.add("interface", Fail, "ip link lists the interfaces; denmap attach waits for one that the configuration names", "there is no such interface")
		return
	}
	choice := x.choose(l)
	x.report.Interfaces = append(x.report.Interfaces, choice)
	x.judge(l, choice)
	if !l.Up {
		x.add("up", Warn, "ip link set "+l.Name+" up", "the interface is down")
	}
	x.examineUpper(l)
	x.examinePackets(l, choice)
	x.examineQueues(l)
	switch {
	case l.Program.Unseen:
		x.add("programs", Warn, "run denmap doctor as root", "an XDP program is attached, and whose it is cannot be seen: %s", l.Program.Name)
	case l.Program.foreign():
		x.add("programs", Fail, "an interface runs one XDP program: take that one off (ip link set "+l.Name+" xdp off), or attach to another interface",
			"another XDP program is attached: %s", l.Program.Name)
	case len(l.TC) > 0:
		x.ok("programs", "tc programs see what DenMap lets pass: %s", strings.Join(l.TC, "; "))
	case x.host.Kernel.Asked:
		x.ok("programs", "no other BPF program looks at its packets")
	}
}

// judge turns the choice into a finding.
func (x *examiner) judge(l Link, c Choice) {
	switch c.Mode {
	case Native:
		v, remedy := OK, ""
		if !c.Certain {
			remedy = "denmap attach says which one it is"
		}
		x.add("mode", v, remedy, "native XDP: %s", c.Why)
	case Generic:
		if l.isVirtual() {
			x.ok("mode", "generic XDP: %s", c.Why)
			return
		}
		x.add("mode", Warn, x.remedyGeneric(l), "generic XDP, which costs about twice as much a packet: %s", c.Why)
	case NoMode:
		if l.Program.foreign() {
			return // told below
		}
		x.add("mode", Fail, "attach to the interface below or above it", "attach would fail: %s", c.Why)
	}
}

func (x *examiner) remedyGeneric(l Link) string {
	switch {
	case l.stuckOffloads():
		return "let the host of this virtual machine turn off guest offloads, or offer to control them (ctrl_guest_offloads=on)"
	case l.Told && l.Features&Basic != 0 && l.MTU > maxLinear:
		return "ip link set " + l.Name + " mtu 1500, if the network allows it"
	}
	return "it protects all the same; a newer kernel or another network card may have native XDP"
}

func (x *examiner) examineUpper(l Link) {
	switch l.Master.Kind {
	case "":
	case "bridge":
		x.add("upper", Warn, "attach to "+l.Master.Name+" to protect this host, and to "+l.Name+" only to guard what is bridged",
			"it is a port of the bridge %s: services that are bound to the bridge look closed from here", l.Master.Name)
	case "bond", "team":
		x.add("upper", Warn, "attach to "+l.Master.Name+": one program sees all ports, and a port that takes over is protected",
			"it is a port of the %s %s", l.Master.Kind, l.Master.Name)
	default:
		x.add("upper", Warn, "attach to "+l.Master.Name, "it is a port of %s (%s): services that are bound there look closed from here", l.Master.Name, l.Master.Kind)
	}
	if len(l.Above) > 0 {
		x.ok("above", "a program here also sees the packets of %s: attach to one or the other, not to both", strings.Join(l.Above, ", "))
	}
}

func (x *examiner) examinePackets(l Link, c Choice) {
	switch {
	case l.MTU <= maxLinear:
		x.ok("mtu", "MTU %d: packets fit into one buffer", l.MTU)
	case c.Mode == Native:
		x.ok("mtu", "MTU %d: packets of several buffers are looked at too", l.MTU)
	default:
		x.ok("mtu", "MTU %d: generic XDP looks at every packet in one piece", l.MTU)
	}
	switch {
	case l.Kind == "veth" && c.Mode == Native:
		x.add("offload", Warn, "protect the host's own card; or --mode generic, where bulk TCP matters more than dropping fast",
			"under native XDP a veth gives up segmentation offload, and bulk TCP from its other end gets slower")
	case l.LRO && c.Mode == Native:
		x.add("offload", Warn, "ethtool -K "+l.Name+" lro off", "LRO merges packets: some drivers refuse native XDP while it is on")
	case l.LRO || l.GROHW || l.stuckOffloads():
		x.ok("offload", "packets arrive merged where the card or the host does that; each counts once")
	default:
		x.ok("offload", "the card does not merge packets")
	}
	if l.VLANStrip {
		x.ok("vlan", "the card takes VLAN tags off: counted as untagged, protected all the same")
	}
}

func (x *examiner) examineQueues(l Link) {
	if l.isVirtual() || l.Queues == 0 {
		return
	}
	cpus := x.host.CPUs
	switch {
	case l.Queues == 1 && cpus > 1 && l.MaxQueues > 1:
		x.add("queues", Warn, "ethtool -L "+l.Name+" combined N spreads them", "one queue of %d: one of %d CPUs looks at every packet", l.MaxQueues, cpus)
	case l.Queues == 1 && cpus > 1:
		remedy := "nothing on the card; irqbalance or RPS spread what is behind XDP"
		if l.Virtio != 0 {
			remedy = "give the virtual machine more queues (queues=N of its virtio device)"
		}
		x.add("queues", Warn, remedy, "one queue: one of %d CPUs looks at every packet", cpus)
	default:
		x.ok("queues", "%d queues for %d CPUs", l.Queues, cpus)
	}
}
