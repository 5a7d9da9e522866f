// SPDX-License-Identifier: MIT

package notify

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// How much of a digest is shown.
const (
	topSources   = 20
	topNetworks  = 10
	topCountries = 10
)

// count is one line of a table of sums.
type count struct {
	Name  string `json:"name"`
	Count int    `json:"sources"`
}

// sourceLine is one of the top sources.
type sourceLine struct {
	Address  string `json:"ip"`
	Location string `json:"location"`
	Kinds    string `json:"kinds"`
	Ports    string `json:"ports"`
	Action   string `json:"action"`
	Events   int    `json:"events"`
}

// digestView is a Digest as the templates and the webhook show it.
type digestView struct {
	Sources    int          `json:"sources"`
	AtLeast    bool         `json:"sources_at_least"` // there were more than could be counted
	Untold     uint64       `json:"sources_untold"`
	Events     uint64       `json:"events"`
	Alerts     uint64       `json:"alerts"`
	Bans       uint64       `json:"bans"`
	Reported   uint64       `json:"bans_reported_only"`
	Unbans     uint64       `json:"unbans"`
	Beyond     uint64       `json:"events_beyond_sources"`
	Overflowed uint64       `json:"events_not_counted"`
	Kinds      []count      `json:"kinds"`
	Countries  []count      `json:"countries"`
	MoreC      int          `json:"countries_more"`
	Networks   []count      `json:"networks"`
	MoreN      int          `json:"networks_more"`
	Top        []sourceLine `json:"top_sources"`
	MoreS      int          `json:"sources_more"`
	Notes      []string     `json:"notes"`
	MoreNotes  int          `json:"notes_more"`
	Quota      bool         `json:"delayed_by_daily_limit"`

	Period  string    `json:"-"`
	Summary string    `json:"-"` // the sums of events in a line
	Start   time.Time `json:"start"`
	End     time.Time `json:"end"`
}

// view sums up d for people.
func (d *Digest) view(loc *time.Location) digestView {
	v := digestView{
		Sources: len(d.Tallies), AtLeast: d.Beyond > 0, Untold: d.Untold,
		Events: d.Events, Alerts: d.Alerts, Bans: d.Bans, Reported: d.Reported, Unbans: d.Unbans,
		Beyond: d.Beyond, Overflowed: d.Overflowed,
		Notes: d.Notes, MoreNotes: d.MoreNotes, Quota: d.Quota,
		Start: d.Start, End: d.End,
		Period: fmt.Sprintf("%s to %s", stamp(d.Start, loc), stamp(d.End, loc)),
	}
	v.Summary = fmt.Sprintf("%s: %s, %s, %s", plural(v.Events, "event", "events"), plural(v.Alerts, "alert", "alerts"),
		plural(v.Bans, "ban", "bans"), plural(v.Unbans, "unban", "unbans"))
	if v.Reported > 0 {
		v.Summary += fmt.Sprintf(", %s only reported", plural(v.Reported, "ban", "bans"))
	}
	v.Kinds, _ = topCounts(d.Kinds, len(d.Kinds))
	v.Countries, v.MoreC = topCounts(d.Countries, topCountries)
	networks := make(map[string]int, len(d.Networks))
	for _, n := range d.Networks {
		networks[n.Name] += n.Sources
	}
	v.Networks, v.MoreN = topCounts(networks, topNetworks)
	v.Top = d.top(loc)
	v.MoreS = v.Sources - len(v.Top)
	return v
}

// topCounts returns the n largest sums, and how many are left out.
func topCounts(sums map[string]int, n int) ([]count, int) {
	all := make([]count, 0, len(sums))
	for name, c := range sums {
		if c > 0 {
			all = append(all, count{name, c})
		}
	}
	slices.SortFunc(all, func(a, b count) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	if len(all) <= n {
		return all, 0
	}
	return all[:n], len(all) - n
}

// top returns the worst sources: by severity, then by probes.
func (d *Digest) top(loc *time.Location) []sourceLine {
	order := slices.SortedFunc(maps.Keys(d.Details), func(a, b netip.Prefix) int {
		x, y := d.Details[a], d.Details[b]
		return cmp.Or(
			cmp.Compare(y.Severity, x.Severity),
			cmp.Compare(y.Probes, x.Probes),
			cmp.Compare(y.Distinct, x.Distinct),
			cmp.Compare(y.Events, x.Events),
			a.Addr().Compare(b.Addr()))
	})
	order = order[:min(len(order), topSources)]
	lines := make([]sourceLine, 0, len(order))
	for _, p := range order {
		x := d.Details[p]
		line := sourceLine{
			Address:  p.String(),
			Location: location(x.Place),
			Kinds:    x.Kinds.Title(x.Main),
			Ports:    portList(x.Ports, x.Distinct),
			Action:   x.action(loc),
			Events:   x.Events,
		}
		if p.IsSingleIP() {
			line.Address = p.Addr().Unmap().String()
		}
		lines = append(lines, line)
	}
	return lines
}

func (x *Detail) action(loc *time.Location) string {
	switch {
	case x.Banned && x.Enforced && x.BanUntil.IsZero():
		return "banned"
	case x.Banned && x.Enforced:
		return "banned until " + x.BanUntil.In(loc).Format("2006-01-02 15:04")
	case x.Banned:
		return "reported only"
	}
	return "reported"
}
