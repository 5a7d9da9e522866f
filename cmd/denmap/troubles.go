// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/daemon"
	"denmap/userspace/daemon/control"
)

// troublesWait is how long the daemon may take to say what is wrong: a
// monitoring system waits for the answer.
const troublesWait = 2 * time.Second

// askTroubles asks the running daemon what is wrong. A daemon that does not
// answer is a trouble too; one that has no socket, or is too old for the
// question, has none to tell of.
func askTroubles(c *cli.Context) []daemon.Trouble {
	ctx, cancel := context.WithTimeout(background(c), troublesWait)
	defer cancel()
	found := []daemon.Trouble{}
	resp, err := control.Call(ctx, c.String("control"), control.Request{Command: daemon.CommandTroubles})
	switch {
	case errors.Is(err, control.ErrNoDaemon) || err == nil && resp.Error != "":
	case err != nil:
		found = append(found, daemon.Trouble{Matter: "daemon", Text: "the daemon does not answer: " + err.Error()})
	default:
		if err := json.Unmarshal([]byte(resp.Message), &found); err != nil {
			found = append(found, daemon.Trouble{Matter: "daemon", Text: fmt.Sprintf("read the daemon's answer: %v", err)})
		}
	}
	return found
}

// troubleText writes one trouble for people.
func troubleText(env *environment, t daemon.Trouble) string {
	text := t.Text
	switch {
	case t.Matter == "event log":
		text = "log failing"
	case !strings.Contains(text, t.Matter):
		text = t.Matter + ": " + text
	}
	if !t.Since.IsZero() {
		text += " since " + env.clock(t.Since)
	}
	if t.Lost > 0 {
		text += fmt.Sprintf(", %s lost", plural(int(t.Lost), "event", "events"))
	}
	if t.Matter == "event log" && t.Text != "" {
		text += ": " + t.Text
	}
	return text
}

// examineDaemon warns of what the daemon says is wrong.
func (h *healthReport) examineDaemon(env *environment, c *cli.Context) {
	for _, t := range askTroubles(c) {
		h.add(warning, "%s", troubleText(env, t))
	}
}
