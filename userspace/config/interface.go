// SPDX-License-Identifier: MIT

package config

import (
	"path"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// maxIfName is IFNAMSIZ without its closing zero.
const maxIfName = 15

// maxGlob bounds patterns, which may be longer than what they match.
const maxGlob = 64

// Interface is one entry of interfaces: a name or a glob, and how what it
// names is protected.
type Interface struct {
	Name string
	XDP  XDPMode // empty means XDPAuto
	Mode Mode    // empty follows Config.Mode
}

// IsGlob reports whether Name is a pattern.
func (i Interface) IsGlob() bool { return strings.ContainsAny(i.Name, `*?[\`) }

// Match reports whether the entry names the interface. A pattern never
// matches lo: who protects "*" means the network, and the loopback device
// only carries the host's own traffic.
func (i Interface) Match(name string) bool {
	if !i.IsGlob() {
		return i.Name == name
	}
	ok, err := path.Match(i.Name, name)
	return err == nil && ok && name != "lo"
}

// For returns the entry that applies to the named interface, with XDP and
// Mode filled in: the entry of exactly that name, else the first pattern
// that matches. It reports false if the interface is not to be protected.
func (c Config) For(name string) (Interface, bool) {
	best := -1
	for i, entry := range c.Interfaces {
		if !entry.Match(name) {
			continue
		}
		if !entry.IsGlob() {
			best = i
			break
		}
		if best < 0 {
			best = i
		}
	}
	if best < 0 {
		return Interface{}, false
	}
	entry := c.Interfaces[best]
	if entry.XDP == "" {
		entry.XDP = XDPAuto
	}
	if entry.Mode == "" {
		entry.Mode = c.Mode
	}
	return entry, true
}

// isInterface holds names to the kernel's own rule (dev_valid_name), and
// patterns to what can match such a name.
func isInterface(s string) bool {
	if s == "" || s == "." || s == ".." || strings.ContainsAny(s, "/:") || strings.ContainsFunc(s, unicode.IsSpace) {
		return false
	}
	if !(Interface{Name: s}).IsGlob() {
		return len(s) <= maxIfName
	}
	_, err := path.Match(s, "")
	return err == nil && len(s) <= maxGlob
}

// interfaces is the codec of an Interface: a name, or a small section.
type interfaces struct{}

var (
	interfaceName = text("interface", "an interface name of at most 15 characters or a pattern such as eth*", isInterface)
	interfaceXDP  = choice(XDPAuto, XDPNative, XDPGeneric)
	interfaceMode = choice(Enforce, Monitor)
)

func (interfaces) typ() string { return "interface" }

func (interfaces) want() string {
	return interfaceName.wanted + ", or {name: NAME, xdp: " + interfaceXDP.wanted + ", mode: " + interfaceMode.wanted + "}"
}

func (interfaces) label(i Interface) string { return i.Name }

func (c interfaces) decode(n *yaml.Node) (Interface, []fault) {
	entry := Interface{XDP: XDPAuto}
	if n.Kind == yaml.ScalarNode {
		name, faults := interfaceName.decode(n)
		entry.Name = name
		return entry, faults
	}
	if n.Kind != yaml.MappingNode {
		return entry, []fault{{node: n, value: found(n), text: "expected " + c.want()}}
	}
	var faults []fault
	seen := map[string]int{}
	for k, v := range pairs(n) {
		name := k.Value
		if line, twice := seen[name]; twice {
			faults = append(faults, fault{node: k, at: "." + name, text: repeated(line)})
			continue
		}
		seen[name] = k.Line
		var bad []fault
		switch name {
		case "name":
			entry.Name, bad = interfaceName.decode(v)
		case "xdp":
			entry.XDP, bad = interfaceXDP.decode(v)
		case "mode":
			entry.Mode, bad = interfaceMode.decode(v)
		default:
			bad = []fault{{node: k, text: unknown(name, []string{"name", "xdp", "mode"})}}
		}
		for i := range bad {
			bad[i].at = "." + name
		}
		faults = append(faults, bad...)
	}
	if _, ok := seen["name"]; !ok {
		faults = append(faults, fault{node: n, at: ".name", value: "no value", text: "expected " + interfaceName.wanted})
	}
	return entry, faults
}

func (interfaces) encode(i Interface) *yaml.Node {
	name := interfaceName.encode(i.Name)
	plainXDP := i.XDP == "" || i.XDP == XDPAuto
	if plainXDP && i.Mode == "" {
		return name
	}
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	addPair(n, "name", name)
	if !plainXDP {
		addPair(n, "xdp", interfaceXDP.encode(i.XDP))
	}
	if i.Mode != "" {
		addPair(n, "mode", interfaceMode.encode(i.Mode))
	}
	return n
}
