// SPDX-License-Identifier: MIT

// Package sdnotify tells systemd how a service is doing, by datagrams to
// the socket in $NOTIFY_SOCKET (sd_notify(3)). Outside of systemd every
// call does nothing.
package sdnotify

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier tells one supervisor. The zero value tells nobody. Its methods
// may be called from several goroutines; errors are not returned, since a
// supervisor that cannot be told is no reason to do anything else.
type Notifier struct {
	socket   string
	watchdog time.Duration
}

// New returns the Notifier that the environment describes. getenv is
// os.Getenv but for tests.
func New(getenv func(string) string) *Notifier {
	n := &Notifier{}
	if socket := getenv("NOTIFY_SOCKET"); strings.HasPrefix(socket, "/") || strings.HasPrefix(socket, "@") {
		n.socket = socket
	}
	// The watchdog may be meant for another process than this one.
	pid := getenv("WATCHDOG_PID")
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err == nil && usec > 0 && (pid == "" || pid == strconv.Itoa(os.Getpid())) {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n
}

// Ready tells that the service does its work, after a start or a reload.
// status is a line for `systemctl status`.
func (n *Notifier) Ready(status string) { n.send("READY=1\nSTATUS=" + oneLine(status)) }

// Reloading tells that the configuration is being read again; Ready ends
// that. The time lets systemd match the two (Type=notify-reload).
func (n *Notifier) Reloading() {
	var ts unix.Timespec
	// CLOCK_MONOTONIC exists on every Linux and cannot fail.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	n.send(fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", ts.Nano()/1000))
}

// Stopping tells that the service is on its way out.
func (n *Notifier) Stopping() { n.send("STOPPING=1") }

// Alive keeps the watchdog from biting. It is to be called more often than
// every Watchdog.
func (n *Notifier) Alive() {
	if n.watchdog > 0 {
		n.send("WATCHDOG=1")
	}
}

// Watchdog returns within what time the supervisor wants a sign of life,
// 0 if it does not.
func (n *Notifier) Watchdog() time.Duration { return n.watchdog }

func (n *Notifier) send(state string) {
	if n.socket == "" {
		return
	}
	// A leading "@" is an abstract socket, for package net as well.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	// A supervisor that does not read must not hold up protection.
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = conn.Write([]byte(state))
}

// oneLine keeps text from adding assignments of its own.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
