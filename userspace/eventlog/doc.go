// SPDX-License-Identifier: MIT

// Package eventlog writes DenMap's event log and reads it back.
//
// A line is one event, in one of two formats that carry the same facts:
// JSON in Elastic Common Schema 8.11 fields, for a SIEM, or text, for
// people: time, action, a sentence, " | ", then key=value pairs.
//
// A Log rotates its file the way logrotate does: events.log is the current
// file, events.log.1 the one before, higher numbers are older, and ".gz"
// is added to those that are compressed. Compression runs in the
// background. Files are 0640. A line is written whole or not at all, also
// on a full disk; what could not be written is counted, and an
// events-lost line says so as soon as writing works again. Where logrotate
// is preferred, set MaxSize to 0 and call Reopen from its postrotate
// signal, or let it use copytruncate.
//
// A Reader reads all these files in order and can go on with what is
// written next, across every kind of rotation.
package eventlog

import "denmap/userspace/event"

// schemaVersion is denmap.schema of the lines written here. Fields are
// added without changing it.
const schemaVersion = 1

// Meta is what every line says about the host that wrote it.
type Meta struct {
	Version  string // of DenMap
	Hostname string
}

// Format is how a line is written.
type Format string

// The formats of a log file.
const (
	JSON Format = "json"
	Text Format = "text"
)

// Sink takes events. Write must not block for long; an error means that
// the event is not in this sink. Sinks may be used by several goroutines.
type Sink interface {
	Write(event.Event) error
	Close() error
}
