// SPDX-License-Identifier: MIT

package metrics

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"denmap/userspace/event"
)

type panel struct {
	ID      int
	Title   string
	GridPos struct{ X, Y, W, H int }
	Targets []struct{ Expr, LegendFormat string }
}

// The Grafana dashboard uses just our metrics, and all of them, with
// labels that they have.
func TestDashboard(t *testing.T) {
	data, err := os.ReadFile("../../docs/grafana/denmap.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels     []panel
		Templating struct {
			List []struct{ Definition string }
		}
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	m := New(testOptions())
	m.Handle(scan("A", event.SourceBanned, kinds(event.SYN)))
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string][]string{}
	for _, f := range families {
		var names []string
		for _, label := range f.GetMetric()[0].GetLabel() {
			names = append(names, label.GetName())
		}
		if f.GetType().String() == "HISTOGRAM" {
			labels[f.GetName()+"_bucket"] = append(names, "le")
			continue
		}
		labels[f.GetName()] = names
	}
	metric := regexp.MustCompile(`\b[a-z]+_[a-z_]*[a-z]\b`)
	used := map[string]bool{}
	var seen []panel
	for _, p := range dashboard.Panels {
		if p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d has no title or no query", p.ID)
		}
		for _, other := range seen {
			if p.ID == other.ID || overlap(p, other) {
				t.Errorf("panels %q and %q share a place or an ID", p.Title, other.Title)
			}
		}
		seen = append(seen, p)
		for _, target := range p.Targets {
			var known []string
			for _, name := range metric.FindAllString(target.Expr, -1) {
				if !strings.HasPrefix(name, "denmap_") {
					continue
				}
				own, ok := labels[name]
				if !ok {
					t.Errorf("%q uses %s, which does not exist", p.Title, name)
				}
				used[strings.TrimSuffix(name, "_bucket")] = true
				known = append(known, own...)
			}
			if len(known) == 0 && !strings.Contains(target.Expr, "denmap_") {
				t.Errorf("%q asks for something that is not ours: %s", p.Title, target.Expr)
			}
			for _, name := range labelsIn(target.Expr, target.LegendFormat) {
				if name != "instance" && !slices.Contains(known, name) {
					t.Errorf("%q uses the label %s, which its metric does not have: %s", p.Title, name, target.Expr)
				}
			}
		}
	}
	for _, name := range wanted {
		if !used[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
	for _, v := range dashboard.Templating.List {
		if v.Definition != "" && v.Definition != "label_values(denmap_build_info, instance)" {
			t.Errorf("a variable of %q", v.Definition)
		}
	}
}

func overlap(a, b panel) bool {
	p, q := a.GridPos, b.GridPos
	return p.X < q.X+q.W && q.X < p.X+p.W && p.Y < q.Y+q.H && q.Y < p.Y+p.H
}

var (
	byClause  = regexp.MustCompile(`by \(([^)]*)\)`)
	selector  = regexp.MustCompile(`[{,]([a-z_]+)=~?"`)
	legendKey = regexp.MustCompile(`{{([a-z_]+)}}`)
)

func labelsIn(expr, legend string) (names []string) {
	for _, match := range byClause.FindAllStringSubmatch(expr, -1) {
		for _, name := range strings.Split(match[1], ",") {
			names = append(names, strings.TrimSpace(name))
		}
	}
	for _, match := range selector.FindAllStringSubmatch(expr, -1) {
		names = append(names, match[1])
	}
	for _, match := range legendKey.FindAllStringSubmatch(legend, -1) {
		names = append(names, match[1])
	}
	return names
}
