// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"golang.org/x/term"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/netstate"
)

// environment is everything that commands take from the process they run
// in, so that tests run them in process. It is not changed once it is made.
type environment struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Now            func() time.Time
	Zone           *time.Location // of times shown to people

	PinDir     string // of the kernel state
	ConfigPath string // read unless --config names another file

	Progress bool // standard error is a terminal: show how far long work is
	Hints    bool // the same: say what to do about an error, on a second line
	Root     bool // or as able as root, like the service: what is denied is worth telling

	// Network looks at the host's interfaces and addresses.
	Network func() (netstate.Snapshot, error)
	// Caller returns where the session that the command runs in comes from.
	Caller func() []netip.Addr
}

// hostEnvironment is that of the real process.
func hostEnvironment() *environment {
	terminal := term.IsTerminal(int(os.Stderr.Fd()))
	return &environment{
		Stdin:      os.Stdin,
		Stdout:     os.Stdout,
		Stderr:     os.Stderr,
		Getenv:     os.Getenv,
		Now:        time.Now,
		Zone:       time.Local,
		PinDir:     loader.DefaultDir,
		ConfigPath: config.DefaultPath,
		Progress:   terminal,
		Hints:      terminal,
		Root:       os.Geteuid() == 0 || len(missingCapabilities()) == 0,
		Network:    netstate.Read,
		Caller:     func() []netip.Addr { return netstate.Reader{}.Caller(os.Getpid()) },
	}
}

// say tells the user something that is not the command's result, as one
// line on standard error. That stream is for people: if it is closed,
// there is nobody to tell.
func (e *environment) say(format string, args ...any) {
	fmt.Fprintf(e.Stderr, "denmap: "+format+"\n", args...)
}

// clock writes a time for people, in the environment's zone.
func (e *environment) clock(t time.Time) string { return t.In(e.Zone).Format(time.DateTime) }
