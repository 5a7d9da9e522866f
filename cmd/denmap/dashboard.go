// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/daemon/control"
	"denmap/userspace/dashboard"
	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/notify"
)

// page is the web page beside a running daemon. It reaches the kernel and
// the files in the way that commands do.
type page struct {
	env     *environment
	c       *cli.Context
	wiring  *wiring
	server  *dashboard.Server
	kernel  *pageKernel
	history func() history.Stats // nil: none is kept
	lost    func() []event.Loss  // nil: nothing gets lost
	started time.Time

	load   func() (config.Config, error)
	reload chan<- os.Signal // what makes the daemon call load

	mu     sync.Mutex
	cfg    config.Config // in force
	loaded chan struct{} // closed by the next load
	last   time.Time     // of the latest load
	err    error         // of the latest load
}

// pageOptions are what attach gives the page.
type pageOptions struct {
	wiring *wiring
	config config.Config
	load   func() (config.Config, error)
	reload chan<- os.Signal
	// history and stats are those of the same database; nil: none.
	history dashboard.History
	stats   func() history.Stats
	locate  func(netip.Addr) event.Place
	lost    func() []event.Loss // in user space, but for the page; nil: none
}

// newPage listens where the configuration says; nil if it says nowhere.
func newPage(env *environment, c *cli.Context, o pageOptions) (*page, error) {
	if o.config.Dashboard.Listen == "" {
		return nil, nil
	}
	p := &page{
		env: env, c: c, wiring: o.wiring, load: o.load, reload: o.reload, history: o.stats, lost: o.lost,
		cfg: o.config, loaded: make(chan struct{}), started: env.Now(),
	}
	p.kernel = &pageKernel{page: p}
	file, named := env.ConfigPath, c.IsSet("config")
	if named {
		file = c.String("config")
	}
	server, err := dashboard.New(dashboard.Options{
		Listen: o.config.Dashboard.Listen, ConfigFile: file, ConfigNamed: named,
		Config: p.config, Reload: p.reloadNow,
		Kernel: p.kernel, Monitor: p.kernel, History: o.history, Evidence: p.kernel,
		Waiting: p.waiting, Precious: p.kernel.precious, Locate: o.locate, TestMail: p.testMail,
		Version: version(), Hostname: o.wiring.meta.Hostname, Now: env.Now, Report: o.wiring.report,
	})
	if err != nil {
		return nil, err
	}
	if err := server.Listen(); err != nil {
		return nil, err
	}
	p.server = server
	return p, nil
}

// run serves until ctx ends. The link, which is a secret, goes to a
// terminal only, never into the journal.
func (p *page) run(ctx context.Context) error {
	defer p.kernel.close()
	p.wiring.report("web page: " + p.server.Address())
	if p.env.Progress { // standard error is a terminal
		link, err := p.server.Link()
		if err != nil {
			return err
		}
		p.wiring.stderr.write("denmap: sign in, once, within ten minutes: " + link + "\n")
	}
	return p.server.Run(ctx)
}

// commandDashboardLink is the request for a one-time link.
const commandDashboardLink = "dashboard-link"

// request answers what concerns the page, and says whether it did.
func (p *page) request(r control.Request) (control.Response, bool) {
	if r.Command != commandDashboardLink {
		return control.Response{}, false
	}
	link, err := p.server.Link()
	if err != nil {
		return control.Response{Error: err.Error()}, true
	}
	return control.Response{Message: link}, true
}

// handle shows an event. It never blocks.
func (p *page) handle(e event.Event) { p.server.Handle(e) }

func (p *page) config() config.Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cfg
}

// loadConfig is what the daemon calls to read the configuration again.
func (p *page) loadConfig() (config.Config, error) {
	cfg, err := p.load()
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.cfg = cfg
	}
	p.last, p.err = p.env.Now(), err
	close(p.loaded)
	p.loaded = make(chan struct{})
	return cfg, err
}

// reloadNow makes the daemon read the configuration and waits until it
// has; what is read is in force some milliseconds later.
func (p *page) reloadNow(ctx context.Context) error {
	p.mu.Lock()
	loaded := p.loaded
	p.mu.Unlock()
	select {
	case p.reload <- syscall.SIGHUP:
	default: // one is on its way
	}
	select {
	case <-loaded:
	case <-ctx.Done():
		return fmt.Errorf("reload: %w", context.Cause(ctx))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// waiting refuses an edit of the same file that another change waits with.
func (p *page) waiting(what string) error {
	change, left, err := waitingChange(p.config())
	if err == nil && left > 0 && change.What == what {
		err = pendingError(change, left)
	}
	return err
}

func (p *page) testMail(ctx context.Context, cfg config.Config) ([]notify.TestResult, error) {
	o := notifyOptions(cfg, p.wiring.meta.Hostname)
	o.Version = p.wiring.meta.Version
	return notify.Test(ctx, o)
}
