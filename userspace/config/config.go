// SPDX-License-Identifier: MIT

// Package config reads /etc/denmap/denmap.yaml and the files of conf.d
// beside it into a typed, checked Config. Every key is optional. What a key
// is called, what it may hold and how it is described stands once, in the
// table of keys.go; reading, writing, the messages of a refusal and the
// reference for the documentation all come from that table.
//
// A Config is a plain value. Its slices are shared between copies, so treat
// a Config as read-only once it is loaded. Nothing in this package keeps
// state; every function may be called from several goroutines.
package config

import (
	"net/netip"
	"time"

	"denmap/userspace/event"
)

// DefaultPath is the file that is read when no other is named.
const DefaultPath = "/etc/denmap/denmap.yaml"

// Mode says what happens to a source that crosses the ban threshold.
type Mode string

// The modes. An Interface may also leave its mode empty, to follow
// Config.Mode.
const (
	Enforce Mode = "enforce" // ban it
	Monitor Mode = "monitor" // only report it; the deny list and manual bans still drop
)

// XDPMode is where on the receive path the program runs.
type XDPMode string

// The XDP modes.
const (
	XDPAuto    XDPMode = "auto"    // native where the driver has it, else generic
	XDPNative  XDPMode = "native"  // in the driver, or not at all
	XDPGeneric XDPMode = "generic" // in the kernel's generic hook
)

// Format is the form of the event log.
type Format string

// The log formats.
const (
	JSON Format = "json" // one ECS object a line
	Text Format = "text" // one readable line
)

// Destination is a place that receives log lines besides the file.
type Destination string

// The destinations.
const (
	Journal Destination = "journal"
	Syslog  Destination = "syslog"
)

// TLSMode is how the connection to the mail server is protected.
type TLSMode string

// The TLS modes.
const (
	StartTLS TLSMode = "starttls" // plain first, then upgraded; refused if the server cannot
	TLS      TLSMode = "tls"      // encrypted from the first byte
	NoTLS    TLSMode = "none"     // plain text
)

// Config is one checked configuration. Durations are whole seconds, sizes
// are bytes, paths are absolute. Get one from Default, Parse or Load.
type Config struct {
	Interfaces []Interface
	Mode       Mode
	Detect     Detect
	Ban        Ban
	Lists      Lists
	Log        Log
	Geo        Geo
	Mail       Mail
	Notify     Notify
	Dashboard  Dashboard
	Metrics    Metrics
	History    History
	Limits     Limits
	StateDir   string
	DeadMan    time.Duration // silence of the daemon after which all packets pass; 0: never
}

// Detect holds the thresholds of the kernel program.
type Detect struct {
	AlertScore    int // 1 to 32, at most BanScore
	BanScore      int
	UDPAlertScore int // 1 to 32, at most UDPBanScore
	UDPBanScore   int
	Decay         time.Duration // time in which a score loses one point
	IPv6Prefix    int           // bits of an IPv6 source that are scored as one
	DropCrafted   bool
	IgnorePorts   []PortRange // destination ports that are never scored
}

// Ban holds how long sources stay banned. Multiplier and MaxDuration
// concern proven sources only.
type Ban struct {
	Duration    time.Duration
	Multiplier  int
	MaxDuration time.Duration
}

// Lists names the files of the operator's lists.
type Lists struct {
	Allow, Deny string
}

// Log describes the event log.
type Log struct {
	Path     string
	Format   Format
	MaxSize  int64 // bytes at which the file is rotated
	Keep     int   // rotated files that are kept; 0 keeps none
	Compress bool
	Also     []Destination
}

// Geo names the sources of locations. An empty IPStackKeyFile turns the
// online service off.
type Geo struct {
	Databases      []string
	IPStackKeyFile string
}

// Mail describes how the administrator is written to. The password is only
// ever in a file of its own.
type Mail struct {
	Host         string // empty: no mail
	Port         int    // 0: by TLS, see ServerPort
	TLS          TLSMode
	Username     string // empty: no authentication
	PasswordFile string // a path, or the name of a systemd credential
	From         string // empty: denmap at this host
	To           []string
	Digest       time.Duration // at most one mail in this time
	MaxPerDay    int
}

// Notify says whom to tell besides Mail, and of what. Its URLs contain
// secrets: see Redacted. What an action is not named for happens by the
// rules of package notify.
type Notify struct {
	URLs           []string // chats and webhooks
	MinSeverity    int      // 1 to 9: what is below is not told
	Watched        bool     // also tell of sources that are allow-listed with "watch"
	Internal       []netip.Prefix
	AtOnce         []event.Action
	InDigest       []event.Action
	Never          []event.Action
	AllowPlaintext bool // mail without TLS and webhook+http beyond this host too
}

// Dashboard describes the web page; an empty Listen turns it off. Listen is
// always a loopback address.
type Dashboard struct {
	Listen string
}

// Metrics describes the Prometheus endpoint; an empty Listen turns it off.
type Metrics struct {
	Listen string
}

// History bounds the event store in StateDir.
type History struct {
	Keep    time.Duration
	MaxSize int64 // bytes
}

// Limits are the sizes of the kernel's tables.
type Limits struct {
	Sources   int // scored sources
	Bans      int // manual and proven ones
	BlindBans int // bans on forgeable evidence
}

// Default returns the configuration of a host that has no file.
func Default() Config {
	return Config{
		Mode: Enforce,
		Detect: Detect{
			AlertScore: 4, BanScore: 8,
			UDPAlertScore: 8, UDPBanScore: 16,
			Decay:       30 * time.Minute,
			IPv6Prefix:  64,
			DropCrafted: true,
		},
		Ban:       Ban{Duration: 10 * time.Minute, Multiplier: 4, MaxDuration: 24 * time.Hour},
		Lists:     Lists{Allow: "/etc/denmap/allow.list", Deny: "/etc/denmap/deny.list"},
		Log:       Log{Path: "/var/log/denmap/events.log", Format: JSON, MaxSize: 50e6, Keep: 10, Compress: true},
		Mail:      Mail{TLS: StartTLS, Digest: time.Hour, MaxPerDay: 24},
		Notify:    Notify{MinSeverity: 1},
		Dashboard: Dashboard{Listen: "127.0.0.1:8790"},
		History:   History{Keep: 90 * 24 * time.Hour, MaxSize: 1e9},
		Limits:    Limits{Sources: 65536, Bans: 65536, BlindBans: 65536},
		StateDir:  "/var/lib/denmap",
	}
}

// Enabled reports whether mail is to be sent at all.
func (m Mail) Enabled() bool { return m.Host != "" }

// ServerPort returns the port of the mail server: Port, or where that is 0
// the usual one for the TLS mode, 587, 465 or 25.
func (m Mail) ServerPort() int {
	if m.Port != 0 {
		return m.Port
	}
	switch m.TLS {
	case TLS:
		return 465
	case NoTLS:
		return 25
	}
	return 587
}
