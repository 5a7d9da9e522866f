// SPDX-License-Identifier: MIT

// Package daemon is the running DenMap: it brings lists, host facts and
// settings into the kernel, keeps the configured interfaces protected
// whatever happens to them, and carries what the kernel reports to the
// event log and the other outputs.
//
// The kernel does the protecting. Whatever goes wrong here (a full disk, a
// mail server that hangs, a list that cannot be read) is said once and
// costs no protection; and if the daemon itself ends by an error, the
// kernel goes on dropping.
//
// Who does what, each on a goroutine of its own:
//
//	main loop    interfaces, host facts, reloads, requests, lost events
//	ring         kernel -> bounded queue; never blocks
//	tracker      queue -> events (package scans)
//	outputs      events -> log, journal, syslog
//	notifying    events -> mail and chat
//	locating     location databases, opened and exchanged
//	tables       full tables -> notifying
//	lists        list files -> kernel
//	bans         ended bans out of the kernel, bans into the state file
//	services     the host's services -> kernel, and into their file
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/daemon/control"
	"denmap/userspace/event"
	"denmap/userspace/eventlog"
	"denmap/userspace/lists"
	"denmap/userspace/netstate"
)

// Options of Run. Config, Open, Network, Bans and Services are required.
type Options struct {
	Config config.Config

	// Load reads the configuration again, for a reload.
	Load func() (config.Config, error)

	// Named says that the user named the interfaces for this start: one
	// that is missing is then an error, and not waited for.
	Named bool

	// Keep leaves programs and bans in force when Run ends.
	Keep bool

	// Open takes hold of the kernel state. It is called when everything
	// that can be checked without the kernel has been.
	Open func(Settings) (Kernel, error)

	Network Network
	Bans    func(stateDir string) BanFile
	// Services keeps what the kernel knows of the host's services.
	Services func(stateDir string) ServiceFile

	// Locate and Notify open the optional outputs; nil leaves them off, and
	// so does a nil result. What they report goes to Report.
	Locate func(config.Config) (Locator, error)
	Notify func(config.Config) (Notifier, error)

	Meta eventlog.Meta

	// Report tells the administrator something, in one line. It is called
	// from several goroutines and must not block. nil drops it.
	Report func(string)

	// Progress shows how far loading a list is; nil shows nothing.
	Progress func(list string, done, total int)

	// Reload asks for the configuration to be read again and the log to be
	// reopened.
	Reload <-chan os.Signal

	Service Service // the supervisor; nil is none
	Control string  // path of the socket for requests; empty: none

	// Watch is shown every event that is logged, on the goroutine of the
	// outputs: it must not block. nil: nobody watches.
	Watch func(event.Event)

	// Unlogged is told of every event that the log did not take, on the
	// same goroutine. nil: nobody counts.
	Unlogged func()

	// Request answers what the daemon itself does not know, and says
	// whether it did. It is called from the main loop and must not block.
	Request func(control.Request) (control.Response, bool)

	Clock Clock         // nil is the system's
	NewID func() string // of events; nil gives ULIDs
}

// Kernel is the hold on the kernel's state. Its methods may be called from
// several goroutines.
type Kernel interface {
	// Adopted reports whether an earlier daemon's state was found, with all
	// that it knew.
	Adopted() bool

	// Attach protects an interface, or makes sure that it is still
	// protected as asked.
	Attach(name string, o AttachOptions) (Interface, error)
	// Detach lets go of the interface with this index, if it is held.
	Detach(index int) error
	// Attached returns the interfaces held.
	Attached() []Interface
	// Reconfigure puts other settings in force on all of them.
	Reconfigure(Settings) error

	// SyncList makes a list hold exactly these entries.
	SyncList(kind lists.Kind, entries []lists.Entry, progress func(done, total int)) error
	SetHost(Host) error
	// Heartbeat says that the daemon is alive: after so long a silence the
	// kernel lets everything pass. Zero: it never does.
	Heartbeat(silence time.Duration) error

	// NoteServices tells of services that the host has or had, Services
	// returns those of the last day.
	NoteServices([]event.Service) error
	Services() ([]event.Service, error)

	// Tend does what the program cannot do by itself, once a second.
	Tend() error

	// Bans returns the bans in force, Ban the one of exactly this source.
	Bans() ([]event.Ban, error)
	Ban(netip.Prefix) (event.Ban, bool, error)
	AddBan(event.Ban) error
	// DropExpired removes the bans that have ended and returns them.
	DropExpired() ([]event.Ban, error)
	// Overlooked returns the lengths of IPv6 prefixes whose bans stop
	// nothing, since the program looks up too few.
	Overlooked() []int
	Source(netip.Prefix) (event.Source, bool, error)

	// LostEvents returns how many detections the ring buffer had no room
	// for, by interface, since each was attached.
	LostEvents() (map[string]uint64, error)

	// Fills returns how full the tables are. It may take a while.
	Fills() ([]Fill, error)

	// Run hands every detection to sink until ctx ends, which is no error.
	Run(ctx context.Context, sink func(event.Detection)) error

	// Close lets go of the state; without keep nothing of it stays.
	Close(keep bool) error
	// Abandon leaves the state as it was found.
	Abandon() error
}

// Settings are those of the kernel program.
type Settings struct {
	Detect config.Detect
	Ban    config.Ban
	Limits config.Limits // of tables that are made; those that are adopted keep theirs
}

func settingsOf(c config.Config) Settings { return Settings{c.Detect, c.Ban, c.Limits} }

// AttachOptions of one interface.
type AttachOptions struct {
	XDP     config.XDPMode
	Monitor bool // detect and report, never ban
}

// Interface is an interface that the kernel program protects.
type Interface struct {
	Name     string
	Index    int
	Native   bool // else in the generic hook
	Monitor  bool
	Since    time.Time
	Fallback string // why not native, when that was tried
}

// mode is the word of the event log.
func (i Interface) mode() string {
	if i.Native {
		return "native"
	}
	return "generic"
}

// Host is what the kernel must know of the machine.
type Host struct {
	Own       []netip.Addr
	OnLink    []netip.Prefix
	Protected []netip.Addr // never banned automatically
	NAT       bool         // ports are published by address translation
}

// Network looks at the host's network: a netstate.Reader.
type Network interface {
	Read() (netstate.Snapshot, error)
	Watch(ctx context.Context, report func(netstate.Snapshot)) error
	// Services returns the services that other hosts can reach.
	Services() ([]event.Service, error)
}

// BanFile keeps bans over a reboot: a *store.Bans.
type BanFile interface {
	Load() ([]event.Ban, error)
	Update(ctx context.Context, change func([]event.Ban) []event.Ban) error
}

// ServiceFile keeps services over a reboot: a *store.Services.
type ServiceFile interface {
	Load() ([]event.Service, error)
	Save(context.Context, []event.Service) error
}

// Locator says where an address is.
type Locator interface {
	Locate(netip.Addr) event.Place
	Reload() error
	Close() error
}

// Notifier tells people of events. Run is called once; nothing else may
// block.
type Notifier interface {
	Handle(e event.Event, ecs []byte)
	Notice(Notice)
	// SetInternal says which networks the host is connected to.
	SetInternal([]netip.Prefix)
	Run(context.Context) error
}

// Notice is something to tell people that is no event.
type Notice struct {
	Class string // ConfigRefused or TableFull
	Key   string // which file or table
	Text  string // one sentence
}

// The classes of a Notice, named as package notify names them.
const (
	ConfigRefused = "configuration-refused"
	TableFull     = "table-full"
)

// Service is told how the daemon is doing: an *sdnotify.Notifier.
type Service interface {
	Ready(status string)
	Reloading()
	Stopping()
	Alive()
}

// NoInterfaceError is a named interface that does not exist.
type NoInterfaceError struct {
	Name string
	Have []string // those that do, without loopback
}

func (e *NoInterfaceError) Error() string {
	text := fmt.Sprintf("attach to %q: no such interface", e.Name)
	if (config.Interface{Name: e.Name}).IsGlob() {
		text += " matches"
	}
	if len(e.Have) > 0 {
		text += fmt.Sprintf(" (this host has: %s)", strings.Join(e.Have, ", "))
	}
	return text
}

// Errors that are told apart.
var (
	// ErrNoInterfaces: neither named nor configured.
	ErrNoInterfaces = errors.New("no interface to protect")
	// ErrNoInterface is wrapped by Kernel.Attach's error for an interface
	// that does not exist.
	ErrNoInterface = errors.New("no such interface")
	// ErrHandOver is the cause of a Run's context that ends because the
	// next daemon takes over: programs and bans stay in force.
	ErrHandOver = errors.New("the next daemon takes over")
)

func (o Options) withDefaults() Options {
	if o.Report == nil {
		o.Report = func(string) {}
	}
	if o.Service == nil {
		o.Service = noService{}
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.NewID == nil {
		o.NewID = newULID
	}
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	return o
}

type noService struct{}

func (noService) Ready(string) {}
func (noService) Reloading()   {}
func (noService) Stopping()    {}
func (noService) Alive()       {}
