// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/daemon"
	"denmap/userspace/daemon/control"
	"denmap/userspace/eventlog"
	"denmap/userspace/geo"
	"denmap/userspace/lists"
	"denmap/userspace/netstate"
	"denmap/userspace/sdnotify"
	"denmap/userspace/store"
)

func attachCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "attach",
		Usage:     "protect interfaces, in the foreground",
		ArgsUsage: "[IFACE...]",
		Description: "Without an argument, protects the interfaces of the configuration.\n" +
			"Ctrl-C or SIGTERM ends the protection, SIGHUP reads the configuration again and reopens the log.\n" +
			"SIGUSR1 ends the daemon and leaves the protection in place, as --keep does for every end.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "mode", Usage: "use the XDP hook `MODE`: auto, native or generic", DefaultText: "auto"},
			&cli.BoolFlag{Name: "monitor", Usage: "detect and report, but ban nobody"},
			&cli.BoolFlag{Name: "keep", Usage: "leave the protection in place at the end, for the next attach to take over"},
			confineFlag(),
			controlFlag(),
		},
		Action: func(c *cli.Context) error {
			if err := needCapabilities("attach"); err != nil {
				return err
			}
			return attach(env, c)
		},
	}
}

// controlFlag names the socket of the daemon, for tests.
func controlFlag() cli.Flag {
	return &cli.StringFlag{
		Name: "control", Usage: "reach the daemon at the socket `FILE`", Hidden: true,
		EnvVars: []string{"DENMAP_CONTROL"}, Value: control.DefaultPath,
	}
}

func attach(env *environment, c *cli.Context) error {
	defer env.spareProcessors()()
	// Closing a terminal must not end the daemon, and neither must a
	// reload that comes early, nor a reader of standard error that ended.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := handedOver(c.Context)
	defer stop()

	over, err := overridesOf(c)
	if err != nil {
		return err
	}
	load := func() (config.Config, error) {
		cfg, err := env.loadConfig(c)
		return over.apply(cfg), err
	}
	cfg, err := env.firstConfig(c, load)
	if err != nil {
		return err
	}
	if c.Bool("confine") {
		if err := env.confineDaemon(c, cfg); err != nil {
			return err
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("name this host: %w", err)
	}
	w := &wiring{env: env, stderr: newLines(env.Stderr), meta: eventlog.Meta{Version: version(), Hostname: host}}
	// Before the error that ends it all is written.
	defer w.stderr.close()
	watching := &observers{env: env, c: c, wiring: w, config: cfg, force: cfg, load: load, reload: hup}
	defer watching.close()
	recovering := &recovery{env: env, c: c, report: w.report, reload: hup, stateDir: cfg.StateDir}
	defer recovering.run()()
	defer stayLean(w.report)()
	err = daemon.Run(ctx, daemon.Options{
		Config:   cfg,
		Load:     watching.loadConfig,
		Named:    len(over.names) > 0,
		Keep:     c.Bool("keep"),
		Open:     w.kernel,
		Network:  netstate.Reader{OnError: func(err error) { w.report(err.Error()) }},
		Bans:     w.bans,
		Services: w.services,
		Locate:   w.locate,
		Notify:   w.notify,
		Meta:     w.meta,
		Report:   w.report,
		Progress: w.progress(),
		Reload:   hup,
		Service:  readyService{sdnotify.New(env.Getenv), watching.start},
		Watch:    watching.handle,
		Unlogged: func() { watching.losses.add(stageLog, 1) },
		Request:  watching.request,
		Control:  c.String("control"),
	})
	return env.explainAttach(err)
}

// firstConfig loads the configuration that a daemon begins with, once what
// nobody confirmed has been taken back: that may be the configuration.
func (e *environment) firstConfig(c *cli.Context, load func() (config.Config, error)) (config.Config, error) {
	early := &recovery{env: e, c: c, report: func(line string) { e.say("%s", line) }, reload: make(chan os.Signal)}
	untaken := early.try(c.Context)
	cfg, err := load()
	if untaken != nil && (err == nil || oneLine(untaken) != oneLine(err)) {
		e.say("%s", oneLine(untaken))
	}
	return cfg, err
}

// handedOver returns a context that ends at the signal with which the
// supervisor ends a daemon that it will start again at once, as it does
// for a restart and an upgrade.
func handedOver(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	go func() {
		select {
		case <-signals:
			cancel(daemon.ErrHandOver)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// spareProcessors is how many goroutines more run at once than there are
// processors. Go alone gives each that computes, such as the history and the
// sweep of bans in a flood, turns of 10 ms, which the way of an event to the
// log would wait for at each step; the kernel lets it in between.
const spareProcessors = 4

func (e *environment) spareProcessors() (restore func()) {
	if e.Getenv("GOMAXPROCS") != "" {
		return func() {}
	}
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + spareProcessors)
	return func() { runtime.GOMAXPROCS(before) }
}

// overrides are what the command line says instead of the configuration.
type overrides struct {
	names   []string
	xdp     config.XDPMode // empty: as configured
	monitor bool
}

func overridesOf(c *cli.Context) (overrides, error) {
	o := overrides{names: c.Args().Slice(), xdp: config.XDPMode(c.String("mode")), monitor: c.Bool("monitor")}
	switch o.xdp {
	case "", config.XDPAuto, config.XDPNative, config.XDPGeneric:
	default:
		return o, usagef("option --mode: %q: expected auto, native or generic", o.xdp)
	}
	if slices.Contains(o.names, "") {
		return o, usagef("attach: expected an interface, got an empty argument")
	}
	return o, nil
}

// apply returns the configuration with the overrides in it. What the
// configuration says about a named interface besides its name still holds.
func (o overrides) apply(cfg config.Config) config.Config {
	interfaces := slices.Clone(cfg.Interfaces)
	if len(o.names) > 0 {
		interfaces = nil
	}
	for _, name := range o.names {
		entry, ok := cfg.For(name)
		if !ok {
			entry = config.Interface{}
		}
		entry.Name = name
		interfaces = append(interfaces, entry)
	}
	for i := range interfaces {
		if o.xdp != "" {
			interfaces[i].XDP = o.xdp
		}
		if o.monitor {
			interfaces[i].Mode = config.Monitor
		}
	}
	cfg.Interfaces = interfaces
	if o.monitor {
		cfg.Mode = config.Monitor
	}
	return cfg
}

// explainAttach adds what the user can do about an error.
func (e *environment) explainAttach(err error) error {
	var refused *lists.RefusedError
	switch {
	case errors.Is(err, daemon.ErrNoInterfaces):
		return withHint(usagef("attach: no interface given, and none is configured"), "denmap attach eth0, or interfaces: [eth0] in %s", e.ConfigPath)
	case errors.As(err, &refused):
		return withHint(err, "denmap lists check shows every bad line")
	case errors.Is(err, loader.ErrRunning):
		return withHint(err, "denmap status shows what it protects; denmap detach ends it")
	case errors.Is(err, loader.ErrNoNativeXDP):
		return withHint(err, "--mode auto or generic protects it all the same, at a higher cost a packet")
	case errors.Is(err, loader.ErrForeignXDP):
		return withHint(err, "an interface runs one XDP program: bpftool net shows whose it is")
	case errors.Is(err, loader.ErrLayout):
		return withHint(err, "bans are saved by denmap detach, and restored by the next attach")
	case errors.Is(err, syscall.ENOSPC):
		return withHint(err, "free some space; denmap config show tells where the log (log.path) and the state (state_dir) are")
	}
	return err
}

// wiring makes what the daemon is given.
type wiring struct {
	env    *environment
	stderr *lines
	meta   eventlog.Meta

	locator atomic.Pointer[daemon.Locator] // the latest
}

func (w *wiring) report(line string) {
	w.stderr.write("denmap: " + strings.ReplaceAll(line, "\n", "; ") + "\n")
}

// progress shows one list after the other.
func (w *wiring) progress() func(list string, done, total int) {
	if !w.env.Progress {
		return nil
	}
	shown := make(map[string]func(done, total int))
	return func(list string, done, total int) {
		if shown[list] == nil {
			shown[list] = w.env.progress("load " + list + " list")
		}
		shown[list](done, total)
	}
}

func (w *wiring) kernel(s daemon.Settings) (daemon.Kernel, error) {
	k, err := openKernel(w.env.PinDir, s)
	if err != nil {
		return nil, err
	}
	if layout, bans, ok := k.TookOver(); ok {
		w.report(fmt.Sprintf("taking over from layout %d: %d bans are kept, scores and counters start anew", layout, bans))
	}
	return k, nil
}

func (w *wiring) bans(stateDir string) daemon.BanFile {
	return store.NewBans(filepath.Join(stateDir, "bans.json"), w.env.Now)
}

func (w *wiring) services(stateDir string) daemon.ServiceFile {
	return store.NewServices(filepath.Join(stateDir, "services.json"))
}

func (w *wiring) locate(cfg config.Config) (daemon.Locator, error) {
	l, err := geo.Open(geo.Options{
		Databases: cfg.Geo.Databases, IPStackKeyFile: cfg.Geo.IPStackKeyFile,
		CacheDir: cfg.StateDir, Clock: w.env.Now, Report: w.report,
	})
	if l == nil {
		return nil, err
	}
	var latest daemon.Locator = l
	w.locator.Store(&latest)
	return l, err
}
