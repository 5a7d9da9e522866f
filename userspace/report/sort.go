// SPDX-License-Identifier: MIT

package report

import (
	"cmp"
	"slices"

	"denmap/userspace/event"
)

// Report returns the sum of what was added. The Builder is done with then.
func (b *Builder) Report() Report {
	for b.order.Len() > 0 {
		b.close(b.order.Front())
	}
	r := b.report
	r.Sources, r.Decoys = len(b.sources), len(b.decoys)
	r.Kinds, r.Tools, r.Countries = sorted(b.kinds), sorted(b.tools), sorted(b.countries)
	for port, n := range b.ports {
		r.Ports = append(r.Ports, PortCount{port, n})
	}
	slices.SortFunc(r.Ports, func(x, y PortCount) int {
		return cmp.Or(cmp.Compare(y.Scans, x.Scans), cmp.Compare(x.Port, y.Port))
	})
	for _, s := range b.sources {
		s.Decoy = s.Decoy && s.Grade != event.Proven
		r.TopSources = append(r.TopSources, s.Source)
		if w := s.wouldBan; w != nil {
			w.Source = s.Source
			r.WouldBan = append(r.WouldBan, *w)
		}
	}
	slices.SortFunc(r.TopSources, bySize)
	slices.SortFunc(r.WouldBan, func(x, y WouldBan) int {
		return cmp.Or(cmp.Compare(y.Grade, x.Grade), cmp.Compare(y.Times, x.Times), bySize(x.Source, y.Source))
	})
	return r
}

// bySize sorts the busiest first: bans, then what was dropped of it and
// what it probed.
func bySize(x, y Source) int {
	return cmp.Or(cmp.Compare(y.Bans, x.Bans), cmp.Compare(y.Scans, x.Scans),
		cmp.Compare(y.Probes+y.Dropped, x.Probes+x.Dropped), x.Source.Compare(y.Source))
}

func sorted(counts map[string]int) []Count {
	var out []Count
	for name, n := range counts {
		out = append(out, Count{name, n})
	}
	slices.SortFunc(out, func(x, y Count) int {
		return cmp.Or(cmp.Compare(y.Scans, x.Scans), cmp.Compare(x.Name, y.Name))
	})
	return out
}
