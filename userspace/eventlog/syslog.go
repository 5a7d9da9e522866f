// SPDX-License-Identifier: MIT

package eventlog

import (
	"fmt"
	"net"
	"time"

	"denmap/userspace/event"
)

// The sockets of the local daemons.
const (
	syslogSocket  = "/dev/log"
	journalSocket = "/run/systemd/journal/socket"
)

// facility is LOG_DAEMON of RFC 5424, table 1.
const facility = 3

// The severities of RFC 5424, table 2, that events have.
const (
	prioError   = 3
	prioWarning = 4
	prioNotice  = 5
	prioInfo    = 6
)

// priority is the syslog severity of an event.
func priority(e event.Event) int {
	switch Severity(e) {
	case severityProtected:
		return prioError
	case severityBlindBan, severityProvenBan:
		return prioWarning
	case severityAlert, severityCrafted:
		return prioNotice
	}
	if e.Action == event.EventsLost {
		return prioWarning
	}
	return prioInfo
}

// OpenSyslog returns a sink that writes the text format to the local
// syslog daemon (RFC 3164, as local daemons expect it). A daemon that is
// not there yet is tried again with each event.
func OpenSyslog(o SocketOptions) *SocketSink {
	if o.Path == "" {
		o.Path = syslogSocket
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	encode := func(e event.Event) ([]byte, error) {
		return fmt.Appendf(nil, "<%d>%s denmap[%d]: %s\n", facility<<3|priority(e),
			now().Format(time.Stamp), o.PID, NewRecord(e, o.Meta).textBody()), nil
	}
	dial := func() (net.Conn, error) {
		conn, err := net.Dial("unixgram", o.Path)
		if err != nil { // some daemons listen on a stream socket
			if stream, streamErr := net.Dial("unix", o.Path); streamErr == nil {
				return stream, nil
			}
		}
		return conn, err
	}
	return openSocket("syslog", o, dial, encode)
}
