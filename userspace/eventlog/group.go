// SPDX-License-Identifier: MIT

package eventlog

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"denmap/userspace/event"
)

// denmapGroup is denmap.group: sources that sent the same probes, such as
// nmap's decoys.
type denmapGroup struct {
	ID      string   `json:"id,omitempty"`
	Size    int      `json:"size"`
	Sources []string `json:"sources,omitempty"` // the first ones
	Proven  []string `json:"proven,omitempty"`
}

// normalizeGroup returns nil for what is no group.
func normalizeGroup(g *event.Group) *event.Group {
	if g == nil || g.Size < 2 {
		return nil
	}
	return &event.Group{ID: limited(g.ID), Size: g.Size, Sources: normalizePrefixes(g.Sources), Proven: normalizePrefixes(g.Proven)}
}

func normalizePrefixes(list []netip.Prefix) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range list {
		if p.IsValid() {
			out = append(out, normalizePrefix(p))
		}
	}
	return out
}

// normalizePrefix takes the IPv4 out of a mapped prefix and clears host
// bits.
func normalizePrefix(p netip.Prefix) netip.Prefix {
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

func groupDocument(g *event.Group) *denmapGroup {
	if g == nil {
		return nil
	}
	return &denmapGroup{ID: g.ID, Size: g.Size, Sources: prefixTexts(g.Sources), Proven: prefixTexts(g.Proven)}
}

func (d *denmapGroup) group() (g *event.Group, err error) {
	if d == nil || d.Size < 2 {
		return nil, nil
	}
	g = &event.Group{ID: d.ID, Size: d.Size}
	if g.Sources, err = parsePrefixes(d.Sources); err != nil {
		return nil, err
	}
	g.Proven, err = parsePrefixes(d.Proven)
	return g, err
}

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func prefixTexts(list []netip.Prefix) []string {
	var out []string
	for _, p := range list {
		out = append(out, prefixText(p))
	}
	return out
}

func parsePrefixes(texts []string) (out []netip.Prefix, err error) {
	for _, text := range texts {
		p, err := parseSource(text)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// relatedAddrs are the addresses of related.ip: of the source first, then of
// the others in its group.
func relatedAddrs(s *event.Scan) []string {
	list := []string{s.Source.Addr().String()}
	if s.Group != nil {
		for _, p := range s.Group.Sources {
			if text := p.Addr().String(); !slices.Contains(list, text) {
				list = append(list, text)
			}
		}
	}
	return list
}

// namedSources is how many sources of a group a sentence names.
const namedSources = 8

// groupText says, behind a sentence about one source, what it means that
// others sent the same. names: the sentence is to name them.
func groupText(s *event.Scan, names bool) string {
	g := s.Group
	if g == nil {
		return ""
	}
	text := fmt.Sprintf("; one of %d addresses that sent the same probes", g.Size)
	if names && len(g.Sources) > 0 {
		shown := prefixTexts(g.Sources[:min(len(g.Sources), namedSources)])
		if len(shown) < g.Size {
			shown = append(shown, "...")
		}
		text += " (" + strings.Join(shown, ", ") + ")"
	}
	switch {
	case len(g.Proven) == 0:
		return text + ", at most one of them is the scanner"
	case len(g.Proven) > 1:
		return text + fmt.Sprintf(", %d of them are proven", len(g.Proven))
	case g.Proven[0] == s.Source:
		return text + ", the only one that is proven"
	}
	return text + ", of which only " + prefixText(g.Proven[0]) + " is proven"
}

// The keys of the text format. A group is there when its size is.

func getGroup(part func(*event.Group) string) func(*event.Scan) string {
	return func(s *event.Scan) string {
		if s.Group == nil {
			return ""
		}
		return part(s.Group)
	}
}

func setGroup(part func(*event.Group, string) error) func(*event.Scan, string) error {
	return func(s *event.Scan, v string) error {
		if s.Group == nil {
			s.Group = &event.Group{}
		}
		return part(s.Group, v)
	}
}

func groupPrefixes(in func(*event.Group) *[]netip.Prefix) (func(*event.Scan) string, func(*event.Scan, string) error) {
	get := getGroup(func(g *event.Group) string { return strings.Join(prefixTexts(*in(g)), ",") })
	set := setGroup(func(g *event.Group, v string) (err error) {
		*in(g), err = parsePrefixes(strings.Split(v, ","))
		return err
	})
	return get, set
}

func groupFields() []textField {
	getSources, setSources := groupPrefixes(func(g *event.Group) *[]netip.Prefix { return &g.Sources })
	getProven, setProven := groupPrefixes(func(g *event.Group) *[]netip.Prefix { return &g.Proven })
	return []textField{
		custom("group_size", getGroup(func(g *event.Group) string { return strconv.Itoa(g.Size) }),
			setGroup(func(g *event.Group, v string) (err error) {
				g.Size, err = strconv.Atoi(v)
				return err
			})),
		custom("group", getGroup(func(g *event.Group) string { return g.ID }),
			setGroup(func(g *event.Group, v string) error {
				g.ID = v
				return nil
			})),
		custom("group_sources", getSources, setSources),
		custom("group_proven", getProven, setProven),
	}
}
