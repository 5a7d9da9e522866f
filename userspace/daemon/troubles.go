// SPDX-License-Identifier: MIT

package daemon

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"denmap/userspace/daemon/control"
)

// CommandTroubles is the request for what is wrong at present. The Message
// of its answer is a JSON array of Trouble. It is answered even while the
// main loop or the disk hangs.
const CommandTroubles = "troubles"

// maxTroubles bounds an answer, which is one line of limited length, and
// maxTroubleText the text of each, in bytes.
const (
	maxTroubles    = 32
	maxTroubleText = 512
)

// Trouble is something that does not work at present, or events that were
// lost.
type Trouble struct {
	Matter string    `json:"matter"`         // "event log", "queue", "configuration", "deny list", ...
	Text   string    `json:"text"`           // one line
	Since  time.Time `json:"since,omitzero"` // zero for losses: they stay
	Lost   uint64    `json:"lost,omitempty"` // events that no log has
}

// logHealth is how writing the event log goes. It may be used by several
// goroutines.
type logHealth struct {
	mu    sync.Mutex
	since time.Time // of the first failure in a row; zero: it works
	text  string
	lost  uint64
}

// note takes in the result of one write.
func (h *logHealth) note(err error, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		// The log's own events-lost line has told of those before.
		h.since, h.text, h.lost = time.Time{}, "", 0
		return
	}
	if h.since.IsZero() {
		h.since = now
	}
	h.text = err.Error()
	h.lost++
}

func (h *logHealth) trouble() (Trouble, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Trouble{Matter: "event log", Text: h.text, Since: h.since, Lost: h.lost}, !h.since.IsZero()
}

// troubles returns what is wrong, the log first.
func (d *daemon) troubles() []Trouble {
	var out []Trouble
	if t, ok := d.out.health.trouble(); ok {
		out = append(out, t)
	}
	if n := d.ring.overflow.Load() + d.out.overflow.Load(); n > 0 {
		out = append(out, Trouble{Matter: "queue", Text: "the daemon did not keep up", Lost: n})
	}
	return append(out, d.tell.troubles()...)
}

// answerTroubles answers CommandTroubles, from any goroutine.
func (d *daemon) answerTroubles() control.Response {
	list := d.troubles()
	list = append([]Trouble{}, list[:min(len(list), maxTroubles)]...)
	for i := range list {
		list[i].Text = strings.ToValidUTF8(list[i].Text[:min(len(list[i].Text), maxTroubleText)], "")
	}
	text, err := json.Marshal(list)
	if err != nil {
		return control.Response{Error: fmt.Sprintf("tell troubles: %v", err)}
	}
	return control.Response{Message: string(text)}
}

// troubles returns what has not been fine since it was told, by matter.
// Interfaces that are absent are left out: that is told elsewhere.
func (t *teller) troubles() []Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []Trouble
	for matter, line := range t.last {
		if !strings.HasPrefix(matter, "absent ") {
			out = append(out, Trouble{Matter: matter, Text: strings.ReplaceAll(line, "\n", "; "), Since: t.since[matter]})
		}
	}
	slices.SortFunc(out, func(a, b Trouble) int { return cmp.Compare(a.Matter, b.Matter) })
	return out
}
