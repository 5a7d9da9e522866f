// SPDX-License-Identifier: MIT

package notify

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// ecsVersion is the version of the Elastic Common Schema that the bodies
// made here follow, the same as the event log's.
const ecsVersion = "8.11"

// ecsDocument is the part of ECS that a body made here uses. The bodies of
// events are the caller's, byte for byte.
type ecsDocument struct {
	Timestamp string         `json:"@timestamp"`
	ECS       ecsMeta        `json:"ecs"`
	Message   string         `json:"message"`
	Event     ecsEvent       `json:"event"`
	Related   *ecsRelated    `json:"related,omitempty"`
	Observer  ecsObserver    `json:"observer"`
	DenMap    map[string]any `json:"denmap"`
}

type ecsMeta struct {
	Version string `json:"version"`
}

type ecsEvent struct {
	ID       string   `json:"id"`
	Module   string   `json:"module"`
	Dataset  string   `json:"dataset"`
	Kind     string   `json:"kind"`
	Category []string `json:"category"`
	Type     []string `json:"type"`
	Action   string   `json:"action"`
	Severity int      `json:"severity"`
	Reason   string   `json:"reason,omitempty"`
	Start    string   `json:"start,omitempty"`
	End      string   `json:"end,omitempty"`
}

type ecsRelated struct {
	IP []string `json:"ip"`
}

type ecsObserver struct {
	Type     string `json:"type"`
	Product  string `json:"product"`
	Version  string `json:"version,omitempty"`
	Hostname string `json:"hostname"`
}

func ecsTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func (c composer) document(at time.Time, message string, e ecsEvent) ecsDocument {
	e.Module = "denmap"
	return ecsDocument{
		Timestamp: ecsTime(at), ECS: ecsMeta{ecsVersion}, Message: message, Event: e,
		Observer: ecsObserver{Type: "ips", Product: "DenMap", Version: c.version, Hostname: c.host},
		DenMap:   map[string]any{"schema": 1},
	}
}

// alertBody returns what a webhook gets for x: the caller's ECS event, or
// one with the bare facts if there is none.
func (c composer) alertBody(x *Alert, id string) (json.RawMessage, error) {
	if len(x.ECS) > 0 {
		return x.ECS, nil
	}
	s := alertSection(x, c.loc)
	e := ecsEvent{ID: id, Dataset: "denmap.events", Kind: "alert", Category: []string{"network"},
		Type: []string{"info"}, Severity: x.Severity}
	at := time.Time{}
	if x.Notice != nil {
		at, e.Action, e.Reason = x.Notice.Time, string(x.Notice.Class), clean(x.Notice.Text, 500)
		e.Category = []string{"host"}
		if x.Class == ClassConfig {
			e.Category = []string{"configuration"}
		}
	} else {
		at, e.Action, e.Reason = x.Event.Time, string(x.Event.Action), clean(x.Event.Reason, 200)
		if x.Event.ID != "" {
			e.ID = x.Event.ID
		}
	}
	return marshalBody(c.document(at, s.Title, e))
}

func (c composer) digestBody(d *Digest, v digestView, message string, now time.Time) (json.RawMessage, error) {
	doc := c.document(now, message, ecsEvent{
		ID: d.ID, Dataset: "denmap.digest", Kind: "event", Category: []string{"network"}, Type: []string{"info"},
		Action: "notification-digest", Severity: SeverityAlert, Start: ecsTime(d.Start), End: ecsTime(d.End),
	})
	doc.DenMap["digest"] = v
	if len(v.Top) > 0 {
		doc.Related = &ecsRelated{}
		for _, s := range v.Top {
			// related.ip holds addresses; of a network, the first one.
			ip, _, _ := strings.Cut(s.Address, "/")
			doc.Related.IP = append(doc.Related.IP, ip)
		}
	}
	return marshalBody(doc)
}

func (c composer) testBody(m Message, now time.Time) (json.RawMessage, error) {
	return marshalBody(c.document(now, m.Subject, ecsEvent{
		ID: m.ID, Dataset: "denmap.events", Kind: "event", Category: []string{"host"}, Type: []string{"info"},
		Action: "notification-test", Severity: m.Severity,
	}))
}

func marshalBody(doc ecsDocument) (json.RawMessage, error) {
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, fmt.Errorf("write webhook body: %w", err)
	}
	return body, nil
}
