// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"sync"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/daemon/control"
	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/metrics"
)

// maxEarly bounds the events kept for observers that are still starting.
const maxEarly = 1024

// observers watch a running daemon from the side: the history, the metrics
// and the web page. They start once the host is protected, so that a start
// that fails leaves no trace of them, and none of them can hold it up: what
// does not start is said in one line.
type observers struct {
	env    *environment
	c      *cli.Context
	wiring *wiring
	config config.Config
	load   func() (config.Config, error)
	reload chan os.Signal

	losses lossLog

	once   sync.Once
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu      sync.Mutex
	ready   bool
	early   []event.Event
	state   *loader.State
	history *history.DB
	metrics *metrics.Metrics
	server  *metrics.Server
	page    *page
	force   config.Config // in force, as last read
}

// readyService starts the observers when the daemon says it is ready.
type readyService struct {
	daemon.Service
	start func()
}

func (s readyService) Ready(status string) {
	s.Service.Ready(status)
	s.start()
}

// start returns at once; only its first call does anything.
func (o *observers) start() {
	o.once.Do(func() {
		ctx, cancel := context.WithCancel(o.c.Context)
		o.cancel = cancel
		o.tasks.Go(func() { o.open(ctx) })
	})
}

func (o *observers) open(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var err error
	if o.state, err = loader.OpenState(o.env.PinDir); err != nil {
		o.wiring.report("history, metrics and page: " + err.Error())
		return
	}
	o.openHistory()
	o.openMetrics()
	o.openPage(ctx)
	o.ready = true
	for _, e := range o.early {
		o.pass(e)
	}
	o.early = nil
}

func (o *observers) openHistory() {
	db, err := history.Open(history.Options{
		Path: filepath.Join(o.config.StateDir, "history.db"), Keep: o.config.History.Keep,
		MaxSize: o.config.History.MaxSize, Clock: o.env.Now, Report: o.wiring.report, Packets: o.packets,
	})
	if err != nil {
		o.wiring.report(err.Error() + "; going on without a history")
		return
	}
	o.history = db
}

// packets sums what the program passed and dropped.
func (o *observers) packets() (passed, dropped uint64, err error) {
	counters, err := o.state.Counters()
	for _, c := range counters {
		switch c.Verdict {
		case "pass":
			passed += c.Count
		case "drop":
			dropped += c.Count
		}
	}
	return passed, dropped, err
}

func (o *observers) openPage(ctx context.Context) {
	options := pageOptions{
		wiring: o.wiring, config: o.config, load: o.load, reload: o.reload, locate: o.wiring.place, lost: o.lossList,
	}
	if o.history != nil {
		options.history, options.stats = o.history, o.history.Stats
	}
	page, err := newPage(o.env, o.c, options)
	if err != nil {
		o.wiring.report(err.Error() + "; going on without the web page")
		return
	}
	if page == nil {
		return
	}
	o.page = page
	o.tasks.Go(func() {
		if err := page.run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			o.wiring.report(err.Error())
		}
	})
}

// handle passes an event on, or keeps it while the observers start. A full
// history counts what it cannot take.
func (o *observers) handle(e event.Event) {
	o.losses.note(e)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ready {
		o.pass(e)
	} else if len(o.early) < maxEarly {
		o.early = append(o.early, e)
	} else {
		o.losses.add(stageHistory, 1)
	}
}

func (o *observers) pass(e event.Event) {
	if o.history != nil {
		o.history.Handle(e)
	}
	if o.metrics != nil {
		o.metrics.Handle(e)
	}
	if o.page != nil {
		o.page.handle(e)
	}
}

// request answers what concerns an observer, and says whether it did.
func (o *observers) request(r control.Request) (control.Response, bool) {
	if page := o.current(); page != nil {
		return page.request(r)
	}
	if r.Command == commandDashboardLink {
		return control.Response{Error: "this daemon serves no page: dashboard.listen is empty, or it could not listen"}, true
	}
	return control.Response{}, false
}

func (o *observers) current() *page {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.page
}

// loadConfig reads the configuration again for the daemon.
func (o *observers) loadConfig() (config.Config, error) {
	load := o.load
	if page := o.current(); page != nil {
		load = page.loadConfig
	}
	cfg, err := load()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.metrics != nil {
		o.metrics.Reloaded(err == nil)
	}
	if err == nil {
		if cfg.Dashboard != o.config.Dashboard || cfg.Metrics != o.config.Metrics {
			o.wiring.report("another dashboard.listen or metrics.listen takes a restart")
		}
		o.force = cfg
		if o.history != nil {
			o.history.SetBounds(cfg.History.Keep, cfg.History.MaxSize)
		}
	}
	return cfg, err
}

// close ends everything, with what was handed over stored.
func (o *observers) close() {
	o.once.Do(func() {}) // a start that comes now is too late
	if o.cancel != nil {
		o.cancel()
	}
	o.tasks.Wait()
	if o.server != nil {
		if err := o.server.Close(); err != nil {
			o.wiring.report("end metrics: " + err.Error())
		}
	}
	if o.history != nil {
		if err := o.history.Close(); err != nil {
			o.wiring.report(err.Error())
		}
	}
	if o.state != nil {
		o.state.Close()
	}
}

// place locates an address with the databases that the daemon uses.
func (w *wiring) place(a netip.Addr) event.Place {
	if l := w.locator.Load(); l != nil {
		return (*l).Locate(a)
	}
	return event.Place{}
}
