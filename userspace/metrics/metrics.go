// SPDX-License-Identifier: MIT

// Package metrics tells Prometheus how DenMap is doing. It counts the
// events it is handed and, when it is asked, reads the rest from functions
// that the daemon provides. No metric has an address of a source as its
// label: their number must not be up to the senders.
package metrics

import (
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"denmap/userspace/event"
)

const (
	// gatherTime bounds one answer: reading full tables takes a tenth of a
	// second.
	gatherTime = 10 * time.Second
	maxAsking  = 8 // requests at once

	// maxOpenScans bounds the scans that are remembered, as package scans
	// does by default.
	maxOpenScans = 65536
)

// Packets is one counter of the kernel program. Verdict is "pass" or
// "drop"; rows of the verdict "lost" count what the kernel could not
// report or note, and are told as lost.
type Packets struct {
	Interface, Verdict, Reason string
	Count                      uint64
}

// Table is one table of the kernel program.
type Table struct {
	Name              string
	Entries, Capacity int
}

// Interface is one that is to be protected.
type Interface struct {
	Name      string
	Mode      string // "native" or "generic"
	Protected bool
}

// Options of New. What has no provider is left out. Providers are called
// on goroutines of the server, one answer at a time, and may fail: that
// costs only their own metrics.
type Options struct {
	Version  string // of DenMap
	Revision string // of its source, if known

	Packets    func() ([]Packets, error)
	Tables     func() ([]Table, error)
	Interfaces func() ([]Interface, error)
	ActiveBans func() (int, error)
	// Lost returns the events lost since the start in user space, by
	// stage: "queue", "log", "history", "mail".
	Lost      func() map[string]uint64
	MailQueue func() int // messages that wait

	Now func() time.Time // nil is time.Now
}

// Metrics are the metrics of one daemon. Its methods may be called from any
// number of goroutines.
type Metrics struct {
	opts     Options
	registry *prometheus.Registry

	scans    *prometheus.CounterVec
	bans     *prometheus.CounterVec
	latency  prometheus.Histogram
	reloaded prometheus.Gauge

	mu   sync.Mutex
	open map[string]event.Kinds // kinds of each open scan that are counted
}

// New returns metrics that have counted nothing yet. The configuration
// counts as loaded.
func New(o Options) *Metrics {
	if o.Now == nil {
		o.Now = time.Now
	}
	m := &Metrics{
		opts:     o,
		registry: prometheus.NewRegistry(),
		scans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "denmap_scans_total", Help: "Scans that were noticed. One of several kinds counts for each.",
		}, []string{"kind"}),
		bans: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "denmap_bans_total", Help: "Bans that were put in force.",
		}, []string{"grade"}),
		latency: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "denmap_event_latency_seconds", Help: "Time from the packet that crossed a threshold until its event went out.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		reloaded: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "denmap_config_last_reload_successful", Help: "Whether the configuration was taken over when it was last read.",
		}),
		open: make(map[string]event.Kinds),
	}
	m.Reloaded(true)
	for _, kind := range event.KindNames() {
		m.scans.WithLabelValues(kind)
	}
	for grade := event.Blind; grade <= event.Manual; grade++ {
		m.bans.WithLabelValues(grade.String())
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "denmap_build_info", Help: "Always 1; the labels say which DenMap this is.",
		ConstLabels: prometheus.Labels{"version": valid(o.Version), "revision": valid(o.Revision), "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(m.scans, m.bans, m.latency, m.reloaded, build, &collector{o},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handle counts an event. It never blocks.
func (m *Metrics) Handle(e event.Event) {
	if e.Scan == nil {
		return
	}
	switch e.Action {
	case event.ScanDetected, event.SourceBanned:
		for _, kind := range m.news(e.ID, e.Scan.Kinds).Names() {
			m.scans.WithLabelValues(kind).Inc()
		}
		// The time of an operator's ban is not that of a packet.
		if e.Scan.Grade != event.Manual {
			m.latency.Observe(max(m.opts.Now().Sub(e.Time), 0).Seconds())
		}
		if e.Action == event.SourceBanned && e.Scan.Enforced {
			m.bans.WithLabelValues(e.Scan.Grade.String()).Inc()
		}
	case event.ScanEnded:
		m.mu.Lock()
		delete(m.open, e.ID)
		m.mu.Unlock()
	}
}

// news returns the kinds of a scan that are not counted yet.
func (m *Metrics) news(id string, kinds event.Kinds) event.Kinds {
	if kinds == 0 {
		return 0 // an operator's ban, which has no end either
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	counted, known := m.open[id]
	if !known && len(m.open) >= maxOpenScans {
		clear(m.open) // some may count twice: better than to grow
	}
	m.open[id] = counted | kinds
	return kinds &^ counted
}

// Reloaded says how reading the configuration went.
func (m *Metrics) Reloaded(ok bool) {
	value := 0.0
	if ok {
		value = 1
	}
	m.reloaded.Set(value)
}

// Handler serves /metrics.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		// What can be told is told: a table that cannot be read must not
		// hide that an interface is unprotected.
		ErrorHandling:       promhttp.ContinueOnError,
		Registry:            m.registry,
		MaxRequestsInFlight: maxAsking,
		Timeout:             gatherTime,
		CoalesceGather:      true,
	}))
	return mux
}

// valid makes a label value valid: names come from outside.
func valid(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
