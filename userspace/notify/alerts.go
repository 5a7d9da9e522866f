// SPDX-License-Identifier: MIT

package notify

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"denmap/userspace/event"
)

// The bounds of what waits to be told at once.
const (
	maxAlerts  = 64   // told one by one in a message
	maxTold    = 4096 // keys remembered
	maxGap     = 15 * time.Minute
	minTellAge = time.Hour
)

// Alert is one thing to tell at once: an event or a notice.
type Alert struct {
	Class    Class
	Key      string
	Severity int
	Due      time.Time
	Event    *event.Event    `json:",omitempty"`
	Notice   *Notice         `json:",omitempty"`
	ECS      json.RawMessage `json:",omitempty"`
}

// Alerts gathers for a moment what is told at once, so that the alert and
// the ban of one scan, or the first hundred of a thousand scanners, make
// one message. It is not safe for concurrent use. Its exported fields are
// what is written to disk.
//
// An alert waits Options.Settle. The next message about the same class
// comes a quarter of the digest interval later (at most maxGap), and the
// same source, interface or table is told at once only once per digest
// interval (at least minTellAge).
type Alerts struct {
	ID    string // of the message to come
	Items []*Alert
	More  int // sources beyond maxAlerts

	LastSent map[Class]time.Time
	Told     map[string]time.Time
}

// initialise makes what a state file may leave out.
func (a *Alerts) initialise() {
	if a.LastSent == nil {
		a.LastSent = make(map[Class]time.Time)
	}
	if a.Told == nil {
		a.Told = make(map[string]time.Time)
	}
	a.Items = slices.DeleteFunc(a.Items, func(x *Alert) bool {
		return x == nil || (x.Notice == nil && (x.Event == nil || !wellFormed(*x.Event)))
	})
}

// wellFormed reports whether e has the block that its action calls for.
func wellFormed(e event.Event) bool {
	switch e.Action {
	case event.ScanDetected, event.SourceBanned, event.SourceUnbanned, event.ScanEnded:
		return e.Scan != nil && e.Scan.Source.IsValid()
	case event.ListChanged:
		return e.List != nil
	case event.EventsLost:
		return e.Lost != nil
	}
	return e.Action != ""
}

// join adds e to a waiting alert about the same scan or the same key.
func (a *Alerts) join(e event.Event, dec Decision, ecs json.RawMessage) bool {
	for _, x := range a.Items {
		sameScan := x.Event != nil && e.Scan != nil && e.ID != "" && x.Event.ID == e.ID
		sameKey := dec.When == Now && dec.Key != "" && x.Class == dec.Class && x.Key == dec.Key
		if !sameScan && !sameKey {
			continue
		}
		if dec.Severity >= x.Severity && dec.When >= InDigest {
			x.Event, x.ECS, x.Severity = &e, ecs, dec.Severity
		}
		return true
	}
	return false
}

// add makes x wait for its turn, unless its key was told lately. listed
// says that it will be told one by one, admitted that it will be told.
func (a *Alerts) add(x *Alert, o Options, now time.Time) (admitted, listed bool) {
	key := string(x.Class) + " " + x.Key
	if x.Key != "" {
		if at, ok := a.Told[key]; ok && now.Sub(at) < max(o.Digest, minTellAge) && !now.Before(at) {
			return false, false
		}
		if len(a.Told) >= maxTold {
			maps.DeleteFunc(a.Told, func(_ string, at time.Time) bool { return now.Sub(at) >= max(o.Digest, minTellAge) })
		}
		if len(a.Told) < maxTold {
			a.Told[key] = now
		}
	}
	x.Due = now.Add(o.Settle)
	if last, ok := a.LastSent[x.Class]; ok && !last.After(now) {
		if next := last.Add(min(o.Digest/4, maxGap)); next.After(x.Due) {
			x.Due = next
		}
	}
	if len(a.Items) >= maxAlerts {
		return true, false
	}
	a.Items = append(a.Items, x)
	return true, true
}

// due returns when the next message should go out; zero: nothing waits.
func (a *Alerts) due() time.Time {
	var first time.Time
	for _, x := range a.Items {
		if first.IsZero() || x.Due.Before(first) {
			first = x.Due
		}
	}
	return first
}

// urgent reports whether anything waits that may use the reserve of the
// day's messages.
func (a *Alerts) urgent() bool {
	return slices.ContainsFunc(a.Items, func(x *Alert) bool { return x.Class != ClassFirst })
}

// postpone makes everything wait until at.
func (a *Alerts) postpone(at time.Time) {
	for _, x := range a.Items {
		x.Due = at
	}
}

// sent forgets what was told, under the identifier of the next message.
func (a *Alerts) sent(now time.Time, nextID string) {
	for _, x := range a.Items {
		a.LastSent[x.Class] = now
	}
	a.ID, a.Items, a.More = nextID, nil, 0
}
