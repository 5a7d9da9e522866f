// SPDX-License-Identifier: MIT

package doctor

import (
	"fmt"
	"slices"
)

// noNative are kinds of devices that never run native XDP; asked only of
// kernels before 6.3, where drivers do not say what they can do.
var noNative = []string{"bridge", "dummy", "ifb", "ipvlan", "loopback", "macvlan", "tun", "vlan", "vxlan", "wireguard"}

// linkLayers are what attach knows how to read.
var linkLayers = []string{"ether", "loopback", "none", "rawip", "ppp"}

// choose says what attach does with --mode auto: native first, generic
// where the driver refuses.
func (x *examiner) choose(l Link) Choice {
	c := Choice{Interface: l.Name, Certain: true}
	c.Mode, c.Why = x.obstacle(l)
	if c.Mode != "" {
		c.Certain = !l.Program.Unseen
		return c
	}
	c.Mode, c.Why = Generic, ""
	switch {
	case l.Told && l.Features&Basic == 0:
		c.Why = l.driver() + " has no native XDP" + l.maybe()
	case l.stuckOffloads():
		c.Why = l.driver() + " merges packets on its host's behalf and cannot be told to stop"
	case l.MTU > maxLinear && l.Told && l.Features&Multi == 0:
		c.Why = fmt.Sprintf("an MTU of %d takes packets of several buffers, and %s has none in native XDP", l.MTU, l.driver())
	case l.MTU > maxLinear && x.host.Kernel.Tried && !x.host.Kernel.Frags:
		c.Why = fmt.Sprintf("an MTU of %d takes packets of several buffers, which came with Linux 5.18", l.MTU)
	case !l.Told && slices.Contains(noNative, l.Kind):
		c.Why = l.driver() + " has no native XDP"
	case l.Told:
		c.Mode, c.Why = Native, l.driver()+" has it"
	default:
		c.Mode, c.Certain = Native, false
		c.Why = "tried first, generic if " + l.driver() + " refuses: before Linux 6.3 only attaching tells"
	}
	return c
}

// obstacle is what settles the matter before the driver is asked; no mode:
// nothing does.
func (x *examiner) obstacle(l Link) (Mode, string) {
	switch k := x.host.Kernel; {
	case l.Program.Ours:
		return l.Program.Mode, "attached so at present"
	case l.Program.Unseen:
		return l.Program.Mode, "a program is attached so at present, which may be DenMap's own"
	case l.Program.foreign():
		return NoMode, "another XDP program is attached: " + l.Program.Name
	case l.Master.XDP:
		return NoMode, l.Master.Name + " above it has an XDP program, and the kernel allows only one of them"
	case !slices.Contains(linkLayers, l.Encap):
		return NoMode, fmt.Sprintf("link type %q is not supported", l.Encap)
	case len(k.Missing) > 0 || k.Tried && k.Loads != nil:
		return NoMode, "the kernel cannot run the program"
	}
	return "", ""
}

func (l Link) driver() string {
	if l.Driver != "" {
		return l.Driver
	}
	return l.Kind
}

// maybe says what would give a device native XDP that has none as it is.
func (l Link) maybe() string {
	switch l.Kind {
	case "veth":
		return " as it is: it takes at least as many receive queues as its peer has to send"
	case "bond":
		return " as it is: it takes ports that all have it, and a mode other than balance-tlb and balance-alb"
	}
	return ""
}
