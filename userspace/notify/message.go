// SPDX-License-Identifier: MIT

package notify

import (
	"encoding/json"
	"time"
)

// The values of Message.Kind.
const (
	KindAlert  = "alert"
	KindDigest = "digest"
	KindTest   = "test"
)

// Message is one thing to tell, in every form that a destination may need.
// What a destination does not need is left empty in its spool file.
type Message struct {
	ID       string    `json:"id"` // the same on every attempt
	Kind     string    `json:"kind"`
	Severity int       `json:"severity"`
	Created  time.Time `json:"created"`

	Subject string          `json:"subject"`
	Text    string          `json:"text,omitempty"`  // text/plain, for mail
	HTML    string          `json:"html,omitempty"`  // text/html, for mail
	Short   string          `json:"short,omitempty"` // for chats
	Body    json.RawMessage `json:"body,omitempty"`  // for webhooks
}

// Notice is something to tell that has no line in the event log.
type Notice struct {
	Time  time.Time
	Class Class  // ClassTableFull, ClassConfig or another
	Key   string // which table, which file; not told at once again for a while
	Text  string // one sentence
}

// severity rates a notice.
func (n Notice) severity() int {
	if n.Class == ClassUnguarded {
		return SeverityCritical
	}
	return SeverityProven
}
