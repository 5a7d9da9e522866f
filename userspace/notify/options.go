// SPDX-License-Identifier: MIT

package notify

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"os"
	"strings"
	"time"
)

// The values of Options.TLS.
const (
	TLSStartTLS = "starttls" // plain connection, upgraded before anything is said; refused if the server cannot
	TLSImplicit = "implicit" // TLS from the first byte (port 465)
	TLSNone     = "none"     // no TLS: loopback only, unless AllowPlaintext
)

// The defaults of Options.
const (
	defaultPort           = 587
	defaultDigest         = time.Hour
	defaultMaxPerDay      = 24
	defaultSettle         = 5 * time.Second
	defaultAttemptTimeout = time.Minute
	defaultGrace          = 5 * time.Second
)

// Options configures a Notifier. The zero value has no destination and is
// valid: such a Notifier forgets every event.
type Options struct {
	Host         string // mail server; empty: no mail
	Port         int    // 1..65535; 0 is 587
	TLS          string // TLSStartTLS (also ""), TLSImplicit or TLSNone
	Username     string // empty: no authentication
	PasswordFile string // see ReadSecret
	From         string // RFC 5322 address, with or without a display name
	To           []string

	URLs []string // chats and webhooks, see the package comment

	Digest    time.Duration // 0 is an hour; at least a second
	MaxPerDay int           // messages a day to each destination; 0 is 24

	StateDir       string // required if there is a destination
	Hostname       string // named in messages; empty: the kernel's
	AllowPlaintext bool   // TLSNone and webhook+http also beyond loopback

	Rules Rules

	// The rest is for tests and unusual hosts; zero values are right.
	Version        string         // DenMap's version, for headers
	Clock          Clock          // nil: the system's
	Location       *time.Location // whose midnight starts a day; nil: time.Local
	RootCAs        *x509.CertPool // nil: the system's
	Settle         time.Duration  // how long an alert gathers what belongs to it; 0 is five seconds
	AttemptTimeout time.Duration  // the whole of one delivery attempt; 0 is a minute
	Grace          time.Duration  // how long Run waits for deliveries when it is told to stop; 0 is five seconds
	Credentials    string         // systemd's credential directory; empty: $CREDENTIALS_DIRECTORY

	// Report, if set, gets one line when a destination starts or stops
	// failing, and when state cannot be written. It is called from several
	// goroutines and must not block. No line holds a secret.
	Report func(line string)
}

// Enabled reports whether o names any destination.
func (o Options) Enabled() bool { return o.Host != "" || len(o.URLs) > 0 }

// withDefaults returns o with every empty field filled in, or an error
// that names the first bad value.
func (o Options) withDefaults() (Options, error) {
	if o.Port == 0 {
		o.Port = defaultPort
	}
	if o.TLS == "" {
		o.TLS = TLSStartTLS
	}
	if o.Digest == 0 {
		o.Digest = defaultDigest
	}
	if o.MaxPerDay == 0 {
		o.MaxPerDay = defaultMaxPerDay
	}
	if o.Settle == 0 {
		o.Settle = defaultSettle
	}
	if o.AttemptTimeout == 0 {
		o.AttemptTimeout = defaultAttemptTimeout
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	if o.Clock == nil {
		o.Clock = systemClock{}
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Credentials == "" {
		o.Credentials = os.Getenv("CREDENTIALS_DIRECTORY")
	}
	if o.Report == nil {
		o.Report = func(string) {}
	}
	if o.Hostname == "" {
		name, err := os.Hostname()
		if err != nil {
			name = "localhost"
		}
		o.Hostname = name
	}
	o.Hostname = clean(o.Hostname, 255)
	return o, o.validate()
}

// Validate returns an error that names the first value that cannot work.
// It opens no file and no connection.
func (o Options) Validate() error {
	full, err := o.withDefaults()
	if err != nil {
		return err
	}
	_, err = newTargets(full)
	return err
}

func (o Options) validate() error {
	switch {
	case o.Digest < time.Second:
		return fmt.Errorf("digest interval %s: want at least 1s", o.Digest)
	case o.MaxPerDay < 0:
		return fmt.Errorf("mails per day %d: want a positive number", o.MaxPerDay)
	case o.Settle < 0 || o.AttemptTimeout < 0 || o.Grace < 0:
		return errors.New("negative settle, attempt or grace time")
	case o.Enabled() && o.StateDir == "":
		return errors.New("no state directory for undelivered messages")
	}
	if o.Host == "" {
		return nil
	}
	return o.validateMail()
}

func (o Options) validateMail() error {
	if strings.ContainsAny(o.Host, " \t\r\n/@") {
		return fmt.Errorf("mail host %q: want a name or an address", o.Host)
	}
	if o.Port < 1 || o.Port > 65535 {
		return fmt.Errorf("mail port %d: want 1 to 65535", o.Port)
	}
	switch o.TLS {
	case TLSStartTLS, TLSImplicit:
	case TLSNone:
		if !o.AllowPlaintext && !loopbackHost(o.Host) {
			return fmt.Errorf("mail without tls to %q: only loopback addresses, unless notify.allow_plaintext is true", o.Host)
		}
	default:
		return fmt.Errorf("mail tls %q: want %s, %s or %s", o.TLS, TLSStartTLS, TLSImplicit, TLSNone)
	}
	if _, err := parseAddress(o.From); err != nil {
		return fmt.Errorf("mail sender: %w", err)
	}
	if len(o.To) == 0 {
		return errors.New("mail recipients: none")
	}
	for _, to := range o.To {
		if _, err := parseAddress(to); err != nil {
			return fmt.Errorf("mail recipient: %w", err)
		}
	}
	if o.PasswordFile != "" && o.Username == "" {
		return errors.New("mail password without a username")
	}
	if o.Username != "" && o.PasswordFile == "" {
		return fmt.Errorf("mail username %q without a password file", o.Username)
	}
	if strings.ContainsAny(o.Username, "\r\n\x00") {
		return fmt.Errorf("mail username %q: line breaks are not allowed", o.Username)
	}
	return nil
}

// parseAddress reads one mail address. Quoted local parts with spaces or
// angle brackets are refused: they are legal, nobody has one, and they
// would have to be escaped in SMTP commands.
func parseAddress(s string) (*mail.Address, error) {
	addr, err := mail.ParseAddress(s)
	if err != nil {
		return nil, fmt.Errorf("address %q: want name@domain", s)
	}
	if strings.ContainsAny(addr.Address, " <>\"\r\n\t") || hasControl(addr.Address) || hasControl(addr.Name) {
		return nil, fmt.Errorf("address %q: want name@domain", s)
	}
	return addr, nil
}

// loopbackHost reports whether host cannot leave this machine.
func loopbackHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
