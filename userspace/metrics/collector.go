// SPDX-License-Identifier: MIT

package metrics

import (
	"cmp"
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	packetsDesc = prometheus.NewDesc("denmap_packets_total",
		"Packets that the kernel program decided on since the interface was attached.", []string{"interface", "verdict", "reason"}, nil)
	activeBansDesc = prometheus.NewDesc("denmap_active_bans",
		"Bans in force.", nil, nil)
	entriesDesc = prometheus.NewDesc("denmap_map_entries",
		"Entries of a table of the kernel program.", []string{"map"}, nil)
	capacityDesc = prometheus.NewDesc("denmap_map_capacity",
		"Entries that a table of the kernel program has room for.", []string{"map"}, nil)
	lostDesc = prometheus.NewDesc("denmap_events_lost_total",
		"Events that got lost, and sources and bans that a full table had no room for.", []string{"stage"}, nil)
	protectedDesc = prometheus.NewDesc("denmap_interface_protected",
		"Whether the kernel program is attached to an interface that is to be protected.", []string{"interface", "mode"}, nil)
	mailQueueDesc = prometheus.NewDesc("denmap_mail_queue",
		"Mail messages that wait to be sent.", nil, nil)
)

// lostStages are the stages of the rows of Packets that count losses, by
// their reason.
var lostStages = map[string]string{"event": "ring-buffer", "source": "source-table", "ban": "ban-table"}

// collector reads the providers when Prometheus asks.
type collector struct{ opts Options }

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{packetsDesc, activeBansDesc, entriesDesc, capacityDesc, lostDesc, protectedDesc, mailQueueDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	lost := c.packets(out)
	if c.opts.Lost != nil {
		for stage, n := range c.opts.Lost() {
			lost[valid(stage)] += n
		}
	}
	for _, stage := range slices.Sorted(maps.Keys(lost)) {
		out <- prometheus.MustNewConstMetric(lostDesc, prometheus.CounterValue, float64(lost[stage]), stage)
	}
	c.tables(out)
	c.interfaces(out)
	if c.opts.ActiveBans != nil {
		if n, err := c.opts.ActiveBans(); err != nil {
			out <- prometheus.NewInvalidMetric(activeBansDesc, err)
		} else {
			out <- prometheus.MustNewConstMetric(activeBansDesc, prometheus.GaugeValue, float64(n))
		}
	}
	if c.opts.MailQueue != nil {
		out <- prometheus.MustNewConstMetric(mailQueueDesc, prometheus.GaugeValue, float64(c.opts.MailQueue()))
	}
}

// packets tells the packets and returns the losses.
func (c *collector) packets(out chan<- prometheus.Metric) map[string]uint64 {
	lost := make(map[string]uint64)
	if c.opts.Packets == nil {
		return lost
	}
	rows, err := c.opts.Packets()
	if err != nil {
		out <- prometheus.NewInvalidMetric(packetsDesc, err)
	}
	// Summed up: two rows of the same labels would spoil the whole answer.
	sums := make(map[Packets]uint64)
	for _, r := range rows {
		if r.Verdict == "lost" {
			lost[cmp.Or(lostStages[r.Reason], valid(r.Reason))] += r.Count
			continue
		}
		sums[Packets{Interface: valid(r.Interface), Verdict: valid(r.Verdict), Reason: valid(r.Reason)}] += r.Count
	}
	for r, n := range sums {
		out <- prometheus.MustNewConstMetric(packetsDesc, prometheus.CounterValue, float64(n), r.Interface, r.Verdict, r.Reason)
	}
	return lost
}

func (c *collector) tables(out chan<- prometheus.Metric) {
	if c.opts.Tables == nil {
		return
	}
	tables, err := c.opts.Tables()
	if err != nil {
		out <- prometheus.NewInvalidMetric(entriesDesc, err)
	}
	seen := make(map[string]bool)
	for _, t := range tables {
		name := valid(t.Name)
		if seen[name] {
			continue
		}
		seen[name] = true
		out <- prometheus.MustNewConstMetric(entriesDesc, prometheus.GaugeValue, float64(t.Entries), name)
		out <- prometheus.MustNewConstMetric(capacityDesc, prometheus.GaugeValue, float64(t.Capacity), name)
	}
}

func (c *collector) interfaces(out chan<- prometheus.Metric) {
	if c.opts.Interfaces == nil {
		return
	}
	interfaces, err := c.opts.Interfaces()
	if err != nil {
		out <- prometheus.NewInvalidMetric(protectedDesc, err)
	}
	// An interface that is there twice is protected only if both are.
	values := make(map[[2]string]float64)
	for _, i := range interfaces {
		labels := [2]string{valid(i.Name), valid(i.Mode)}
		value := 0.0
		if i.Protected {
			value = 1
		}
		if before, twice := values[labels]; twice {
			value = min(value, before)
		}
		values[labels] = value
	}
	for labels, value := range values {
		out <- prometheus.MustNewConstMetric(protectedDesc, prometheus.GaugeValue, value, labels[0], labels[1])
	}
}
