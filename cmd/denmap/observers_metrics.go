// SPDX-License-Identifier: MIT

package main

import (
	"denmap/userspace/metrics"
	"denmap/userspace/notify"
)

// openMetrics serves them where the configuration says, if anywhere.
func (o *observers) openMetrics() {
	if o.config.Metrics.Listen == "" {
		return
	}
	m := metrics.New(metrics.Options{
		Version: version(), Revision: revision(), Packets: o.metricPackets, Tables: o.metricTables,
		Interfaces: o.metricInterfaces, ActiveBans: o.activeBans,
		Lost: o.lost, MailQueue: o.mailQueue, Now: o.env.Now,
	})
	server, err := metrics.Listen(o.config.Metrics.Listen, m.Handler(), o.wiring.report)
	if err != nil {
		o.wiring.report(err.Error() + "; going on without metrics")
		return
	}
	o.metrics, o.server = m, server
	m.Reloaded(true)
}

func (o *observers) metricPackets() ([]metrics.Packets, error) {
	counters, err := o.state.Counters()
	out := make([]metrics.Packets, len(counters))
	for i, c := range counters {
		out[i] = metrics.Packets(c)
	}
	return out, err
}

func (o *observers) metricTables() ([]metrics.Table, error) {
	fills, err := o.state.Fills()
	out := make([]metrics.Table, len(fills))
	for i, f := range fills {
		out[i] = metrics.Table{Name: f.Table, Entries: f.Entries, Capacity: f.Capacity}
	}
	return out, err
}

func (o *observers) metricInterfaces() ([]metrics.Interface, error) {
	protections, err := o.state.Protections()
	if err != nil {
		return nil, err
	}
	out := make([]metrics.Interface, len(protections))
	for i, p := range protections {
		out[i] = metrics.Interface{Name: p.Name, Mode: string(p.Hook), Protected: p.Problem == ""}
	}
	o.mu.Lock()
	cfg := o.force
	o.mu.Unlock()
	absent, err := o.env.absent(cfg, protections)
	for _, i := range absent {
		out = append(out, metrics.Interface{Name: i.Name, Mode: string(i.XDP)})
	}
	return out, err
}

func (o *observers) activeBans() (int, error) {
	bans, err := o.state.Bans()
	return len(bans), err
}

// mailQueue is what waits, 0 where nothing was ever sent.
func (o *observers) mailQueue() int {
	status, err := notify.ReadStatus(o.config.StateDir)
	if err != nil {
		return 0
	}
	return status.Queued
}
