// SPDX-License-Identifier: MIT

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"denmap/testenv"
	"denmap/userspace/event"
	"denmap/userspace/pcap"
)

// replayed is what `denmap replay` makes of packets that the attempt sent
// to the victim, and of the answers.
func (a attempt) replayed(c *testenv.Console, o options, s *site, packets []event.Packet) row {
	dir, err := os.MkdirTemp("", "denmap-coverage-")
	if err != nil {
		c.Fatalf("%v", err)
	}
	c.Cleanup(func() { os.RemoveAll(dir) })
	path, config := filepath.Join(dir, "scan.pcap"), filepath.Join(dir, "denmap.yaml")
	if err := pcap.WriteFile(path, packets, false); err != nil {
		c.Fatalf("%v", err)
	}
	if err := os.WriteFile(config, []byte(a.config), 0o600); err != nil {
		c.Fatalf("%v", err)
	}
	out, err := exec.CommandContext(c.Context(), o.denmap, "replay", "--config", config, "--json", "--host", s.to.String(), path).Output()
	if err != nil {
		c.Fatalf("replay: %v", err)
	}
	r := row{attempt: a, verdict: "no", sent: -1}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var d detection
		if err := dec.Decode(&d); err != nil {
			c.Fatalf("read %q: %v", out, err)
		}
		r.readReplay(d)
	}
	return r
}

// detection is a line of `denmap replay --json`.
type detection struct {
	Verdict     string    `json:"verdict"`
	Scan        []string  `json:"scan"`
	Tool        string    `json:"tool"`
	Confidence  string    `json:"tool_confidence"`
	First       time.Time `json:"first"`
	Alerted     time.Time `json:"alerted"`
	Banned      time.Time `json:"banned"`
	AlertProbes int       `json:"probes_until_alert"`
	BanProbes   int       `json:"probes_until_ban"`
}

func (r *row) readReplay(d detection) {
	r.verdict, r.label, r.tool = "alerted", d.Scan, d.Tool+", "+d.Confidence
	if d.Tool == "unknown" {
		r.tool = ""
	}
	r.alert, r.alertAfter = d.AlertProbes, d.Alerted.Sub(d.First)
	if d.Verdict == "ban" {
		r.verdict, r.ban, r.banAfter = "banned", d.BanProbes, d.Banned.Sub(d.First)
	}
}

// differs says in what a replay of the row's packets came to something
// else; empty: in nothing. Counts may differ: a host that drops a probe of
// an open port says no more than at a closed one.
func (r row) differs(replayed row) string {
	switch {
	case r.verdict != replayed.verdict:
		return fmt.Sprintf("replay says %q", replayed.verdict)
	case len(r.label) > 0 && r.label[0] != replayed.label[0]:
		return fmt.Sprintf("replay labels it %q", replayed.label[0])
	case r.named() != replayed.named():
		return fmt.Sprintf("replay names the tool %q", replayed.named())
	}
	return ""
}
