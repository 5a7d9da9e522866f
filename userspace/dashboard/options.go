// SPDX-License-Identifier: MIT

package dashboard

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"time"

	"denmap/userspace/config"
	"denmap/userspace/event"
	"denmap/userspace/history"
	"denmap/userspace/notify"
)

// Options of New. Listen, ConfigFile, Config and Kernel are required; what
// belongs to another field that is nil is missing from the page.
type Options struct {
	// Listen is the address of the page: a loopback address and a port. Port
	// 0 takes any that is free.
	Listen string

	// ConfigFile is the main configuration file. The page writes
	// 50-page.yaml in conf.d beside it, and nothing else there. ConfigNamed
	// is as for config.Read.
	ConfigFile  string
	ConfigNamed bool

	// Config returns the configuration in force, and Reload has the daemon
	// read the files again and waits until what they say is in force.
	Config func() config.Config
	Reload func(context.Context) error

	Kernel   Kernel
	Monitor  Monitor
	History  History
	Evidence Evidence

	// Waiting returns an error while a change of the command line waits to be
	// confirmed that an edit of "allow", "deny" or "config" would mix with;
	// taking that one back would undo both. nil: none ever waits.
	Waiting func(what string) error

	// Precious returns the addresses that must not be cut off.
	Precious func() ([]Precious, error)
	// Locate says where an address is. It must not take long.
	Locate func(netip.Addr) event.Place
	// TestMail sends a test message to everybody who is configured.
	TestMail func(context.Context, config.Config) ([]notify.TestResult, error)

	Version  string
	Hostname string

	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Report tells the administrator something, in one line; it must not
	// block. nil drops it. No line holds a link or a password.
	Report func(string)
}

// Kernel is what the page sees and changes of the kernel's tables. Its
// methods may be called from several goroutines.
type Kernel interface {
	Sources() ([]event.Source, error)
	Bans() ([]event.Ban, error)
	// AddBan puts a ban in force and keeps it over a reboot, replacing one
	// of the same source and grade.
	AddBan(context.Context, event.Ban) error
	// Unban lifts every ban of this source and inside it, and forgets its
	// score and ports. It returns the bans that it lifted, and whether
	// anything was known of the source at all.
	Unban(context.Context, netip.Prefix) (lifted []event.Ban, known bool, err error)
}

// Monitor looks at the program itself. Its methods may be called from
// several goroutines.
type Monitor interface {
	// Counters returns the packet counters of all interfaces. It is called
	// every second while somebody looks.
	Counters() ([]Counter, error)
	// Health returns the rest. It may take longer.
	Health(context.Context) (Health, error)
}

// History answers about the past; a *history.DB does.
type History interface {
	Scans(context.Context, history.Filter) (history.Page, error)
	Source(context.Context, netip.Prefix) (history.SourceSummary, bool, error)
	Bans(ctx context.Context, in history.Range, source netip.Prefix, limit int) ([]history.Ban, error)
	Notes(ctx context.Context, in history.Range, limit int) ([]history.Note, error)
	Countries(context.Context, history.Range) ([]history.CountryTotal, error)
	Places(ctx context.Context, in history.Range, limit int) ([]history.PlaceTotal, error)
	Timeline(context.Context, history.Span) ([]history.Bucket, error)
	Impact(ctx context.Context, in history.Range, score, udpScore int) (history.Impact, error)
}

// Evidence proves what a source did.
type Evidence interface {
	// Proof returns what is kept of a source, or ErrNoEvidence.
	Proof(context.Context, netip.Prefix) (Proof, error)
	// Capture writes the recorded headers as a capture file. It returns
	// ErrNoEvidence before it has written anything if there are none.
	Capture(context.Context, netip.Prefix, io.Writer) error
}

// ErrNoEvidence says that no probes of a source are kept.
var ErrNoEvidence = errors.New("no packets of this source are kept")

// Proof is what is kept of one source.
type Proof struct {
	Probes     []Probe  // the latest that counted, oldest first
	Handshakes []uint16 // ports that it completed handshakes on since
	Packets    int      // whose headers are recorded
}

// Probe is one packet that counted against a source.
type Probe struct {
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	Port    uint16    `json:"port"`   // the protocol's number for ip-protocol
	Detail  string    `json:"detail"` // flags, window, TTL: what was seen
	Outcome string    `json:"outcome"`
	Reason  string    `json:"reason"` // why it counts
	Points  int       `json:"points"`
	Score   int       `json:"score"` // after it
}

// Precious is an address without which this host, or who administers it,
// would be cut off.
type Precious struct {
	Addr netip.Addr
	What string // "a gateway", "a DNS server of this host"
	Own  bool   // an address of this host
}

// Counter is one packet counter.
type Counter struct {
	Interface string `json:"interface"`
	Verdict   string `json:"verdict"` // "pass", "drop" or "lost"
	Reason    string `json:"reason"`
	Packets   uint64 `json:"packets"`
}

// Health is how DenMap itself is doing.
type Health struct {
	Interfaces  []Interface    `json:"interfaces"`
	PausedUntil time.Time      `json:"paused_until,omitzero"`
	Tables      []Table        `json:"tables"`
	Lost        []event.Loss   `json:"-"`
	Mail        *notify.Status `json:"mail,omitempty"`
	History     *HistoryHealth `json:"history,omitempty"`
	Config      ConfigHealth   `json:"config"`
	Versions    []Fact         `json:"versions"` // denmap, kernel, Go, ...
	Started     time.Time      `json:"started,omitzero"`
}

// Interface is one that is, or should be, protected.
type Interface struct {
	Name    string    `json:"name"`
	Hook    string    `json:"hook"` // "native" or "generic"
	Mode    string    `json:"mode"` // "enforce" or "monitor"
	Since   time.Time `json:"since,omitzero"`
	Problem string    `json:"problem,omitempty"` // why it is not protected
}

// Table is the fill of one kernel table.
type Table struct {
	Name     string `json:"name"`
	Entries  int    `json:"entries"`
	Capacity int    `json:"capacity"`
	Bytes    uint64 `json:"bytes"` // of kernel memory
}

// HistoryHealth is the state of the database.
type HistoryHealth struct {
	Available bool   `json:"available"`
	Bytes     int64  `json:"bytes"`
	Stored    uint64 `json:"stored"` // events since the start
	Lost      uint64 `json:"lost"`
	Queued    int    `json:"queued"`
}

// ConfigHealth tells how the latest reload went.
type ConfigHealth struct {
	File  string    `json:"file"`
	Time  time.Time `json:"time,omitzero"` // of the latest reload
	Error string    `json:"error,omitempty"`
}

// Fact is one line of text about something.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
