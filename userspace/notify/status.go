// SPDX-License-Identifier: MIT

package notify

import (
	"path/filepath"
	"time"
)

// statusFile is where the daemon leaves its Status for other processes.
const statusFile = "notify-status.json"

// maxRefusals is how many refused recipients a Status remembers.
const maxRefusals = 20

// Status is the state of notification, for `denmap status`. Times are zero
// and serialized as absent when nothing of the kind happened.
type Status struct {
	Schema  int       `json:"schema"`
	Time    time.Time `json:"time"` // when this was written
	Enabled bool      `json:"enabled"`

	Queued    int       `json:"queued"`
	Oldest    time.Time `json:"oldest,omitzero"`
	Volatile  int       `json:"not_on_disk"` // of Queued: a restart would lose them
	SentToday int       `json:"sent_today"`  // messages made today, each counted once for all destinations
	MaxPerDay int       `json:"max_per_day"`
	LastSent  time.Time `json:"last_sent,omitzero"`
	LastError string    `json:"last_error,omitempty"` // of the destinations that fail now
	Dropped   uint64    `json:"dropped"`              // messages pushed out of a full spool
	Failed    uint64    `json:"failed"`               // messages given up
	Overflow  uint64    `json:"overflow"`             // events that the queue had no room for

	PendingSources int       `json:"pending_sources"` // in the digest so far
	NextDigest     time.Time `json:"next_digest,omitzero"`
	StateError     string    `json:"state_error,omitempty"` // the state directory cannot be written

	Targets []TargetStatus `json:"targets"`
	Refused []Refusal      `json:"refused,omitempty"` // recipients, the latest last
}

// TargetStatus is the state of one destination.
type TargetStatus struct {
	Name        string    `json:"name"`
	Queued      int       `json:"queued"`
	Oldest      time.Time `json:"oldest,omitzero"`
	Sending     bool      `json:"sending"`
	Failures    int       `json:"failures"` // in a row
	NextAttempt time.Time `json:"next_attempt,omitzero"`
	LastSent    time.Time `json:"last_sent,omitzero"`
	LastError   string    `json:"last_error,omitempty"` // empty after a success
	ErrorTime   time.Time `json:"error_time,omitzero"`
}

// ReadStatus returns what the daemon that uses stateDir last said. It
// returns an error that wraps fs.ErrNotExist if none ever ran.
func ReadStatus(stateDir string) (Status, error) {
	var s Status
	err := readJSON(filepath.Join(stateDir, statusFile), maxMessage, &s)
	return s, err
}
