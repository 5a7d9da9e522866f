// SPDX-License-Identifier: MIT

package eventlog

import (
	"fmt"
	"net/netip"

	"denmap/userspace/event"
)

// The reverse of the String methods of package event. A name that is not
// known, from a newer version, gives the zero value: the line stays
// readable.

func parseKinds(names []string) event.Kinds {
	var set event.Kinds
	for _, name := range names {
		if k, ok := event.ParseKind(name); ok {
			set = set.With(k)
		}
	}
	return set
}

// mainKind is the kind that NamesFrom put first.
func mainKind(names []string) event.Kind {
	if len(names) == 0 {
		return 0
	}
	k, _ := event.ParseKind(names[0])
	return k
}

func parseTool(name string) event.Tool {
	for t := event.ToolUnknown + 1; t.String() != event.ToolUnknown.String(); t++ {
		if t.String() == name {
			return t
		}
	}
	return event.ToolUnknown
}

func parseConfidence(name string) event.Confidence {
	for c := event.Medium; c <= event.High; c++ {
		if c.String() == name {
			return c
		}
	}
	return event.Low
}

// parseGrade takes a name that it does not know for the least.
func parseGrade(name string) event.Grade {
	g, _ := event.ParseGrade(name)
	return g
}

// parseSource reads an address or a prefix, without host bits and zone.
func parseSource(text string) (netip.Prefix, error) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("source %q is no address", text)
	}
	a = a.WithZone("").Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}
