// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"denmap/userspace/config"
	"denmap/userspace/notify"
)

// notifyStatus is what the daemon last wrote about mail and chat.
type notifyStatus struct {
	notify.Status
	Problem string `json:"problem,omitempty"` // why nothing is known
}

// readNotify reads the daemon's status file, if anybody is to be told.
func (r *statusReport) readNotify(cfg config.Config) {
	if !notifyOptions(cfg, "").Enabled() {
		return
	}
	status, err := notify.ReadStatus(cfg.StateDir)
	r.Notify = &notifyStatus{Status: status}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Notify.Problem = "nothing is known: no daemon has run with these settings yet"
	case err != nil:
		r.Notify.Problem = err.Error()
	}
}

// write adds the lines for people: how many messages waited for, and one
// line for each destination.
func (s *notifyStatus) write(w io.Writer, env *environment) {
	if s == nil {
		return
	}
	if s.Problem != "" {
		fmt.Fprintf(w, "notify: %s\n", printable(s.Problem))
		return
	}
	fmt.Fprintf(w, "notify: %s, %d of %d today", waiting(s.Queued), s.SentToday, s.MaxPerDay)
	if s.PendingSources > 0 && !s.NextDigest.IsZero() {
		fmt.Fprintf(w, "; next digest at %s, of %s so far", env.clock(s.NextDigest), plural(s.PendingSources, "source", "sources"))
	}
	fmt.Fprintln(w)
	for _, t := range s.Targets {
		fmt.Fprintf(w, "  %s: %s\n", printable(t.Name), printable(targetText(t, env)))
	}
	if s.Volatile > 0 {
		fmt.Fprintf(w, "  %s in memory alone: lost by a restart\n", plural(s.Volatile, "message", "messages"))
	}
	if s.Dropped > 0 {
		fmt.Fprintf(w, "  %s dropped: the queue was full\n", plural(int(s.Dropped), "message", "messages"))
	}
	if s.Failed > 0 {
		fmt.Fprintf(w, "  %s given up\n", plural(int(s.Failed), "message", "messages"))
	}
	if s.Overflow > 0 {
		fmt.Fprintf(w, "  %s not told: too many at once\n", plural(int(s.Overflow), "event", "events"))
	}
	if s.StateError != "" {
		fmt.Fprintf(w, "  %s\n", printable(s.StateError))
	}
	for _, r := range s.Refused {
		fmt.Fprintf(w, "  refused recipient %s: %s\n", printable(r.Recipient), printable(r.Answer))
	}
}

func waiting(queued int) string {
	if queued == 0 {
		return "nothing waits"
	}
	return plural(queued, "message waits", "messages wait")
}

// targetText says how one destination is doing.
func targetText(t notify.TargetStatus, env *environment) string {
	text := waiting(t.Queued)
	if t.Queued > 0 && !t.Oldest.IsZero() {
		text += " since " + env.clock(t.Oldest)
	}
	switch {
	case t.Sending:
		text += ", sending now"
	case t.Queued > 0 && !t.NextAttempt.IsZero():
		text += ", next attempt at " + env.clock(t.NextAttempt)
	}
	if !t.LastSent.IsZero() {
		text += ", last delivered " + env.clock(t.LastSent)
	}
	switch {
	case t.LastError == "":
	case t.Failures > 1:
		text += fmt.Sprintf("; failed %d times in a row: %s", t.Failures, t.LastError)
	default:
		text += "; failed: " + t.LastError
	}
	return text
}
