// SPDX-License-Identifier: MIT

package eventlog

import "denmap/userspace/event"

// class is how ECS categorises an action: event.kind, event.category and
// event.type.
type class struct {
	kind     string
	category []string
	types    []string
}

var netIDS = []string{"network", "intrusion_detection"}

var classes = map[event.Action]class{
	event.ScanDetected:   {"alert", netIDS, []string{"info"}},
	event.SourceBanned:   {"alert", netIDS, []string{"denied"}},
	event.SourceUnbanned: {"event", netIDS, []string{"info"}},
	event.ScanEnded:      {"event", netIDS, []string{"info", "end"}},
	event.ListChanged:    {"event", []string{"configuration"}, []string{"change"}},
	event.Attached:       {"event", []string{"configuration"}, []string{"change"}},
	event.Detached:       {"event", []string{"configuration"}, []string{"change"}},
	event.EventsLost:     {"event", []string{"host"}, []string{"info"}},
}

// classify returns the ECS categories of e.
func classify(e event.Event) class {
	c, ok := classes[e.Action]
	if !ok {
		c = class{"event", []string{"host"}, []string{"info"}}
	}
	switch {
	case e.Action == event.SourceBanned && e.Scan != nil && !e.Scan.Enforced:
		c.types = []string{"allowed"}
	case e.List != nil && (e.List.Type == "creation" || e.List.Type == "deletion"):
		c.types = []string{e.List.Type}
	}
	return c
}

// isScan reports whether an action is one of the four about a scan.
func isScan(a event.Action) bool {
	switch a {
	case event.ScanDetected, event.SourceBanned, event.SourceUnbanned, event.ScanEnded:
		return true
	}
	return false
}

// The severities of alerts. Other events have none.
const (
	severityCrafted   = 1 // crafted packets, below the alert score
	severityAlert     = 3
	severityBlindBan  = 5 // also bans by an operator
	severityProvenBan = 7
	severityProtected = 9 // the source is an address that must not be lost
)

// Severity returns event.severity of e: 0 for events that are no alert.
func Severity(e event.Event) int {
	if e.Scan == nil || classify(e).kind != "alert" {
		return 0
	}
	switch {
	case e.Scan.Protected:
		return severityProtected
	case e.Action == event.SourceBanned && e.Scan.Grade == event.Proven:
		return severityProvenBan
	case e.Action == event.SourceBanned:
		return severityBlindBan
	case e.Scan.Score < e.Scan.Threshold:
		return severityCrafted
	}
	return severityAlert
}
