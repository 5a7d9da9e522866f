// SPDX-License-Identifier: MIT

package testenv

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"time"
)

// LogPath is denmap's event log, on every host its own.
const LogPath = "/var/log/denmap/events.log"

// LogLine is one line of the event log: the fields that tests look at.
type LogLine struct {
	Raw     string    `json:"-"`
	Time    time.Time `json:"@timestamp"`
	Message string    `json:"message"`
	Event   struct {
		ID     string `json:"id"`
		Action string `json:"action"`
		Reason string `json:"reason"`
	} `json:"event"`
	Source struct {
		IP string `json:"ip"`
	} `json:"source"`
	Observer struct {
		Hostname string `json:"hostname"`
		Ingress  struct {
			Interface struct {
				Name string `json:"name"`
			} `json:"interface"`
		} `json:"ingress"`
	} `json:"observer"`
	Denmap struct {
		Enforced bool     `json:"enforced"`
		Scan     []string `json:"scan"`
		Tool     struct {
			Name       string `json:"name"`
			Confidence string `json:"confidence"`
		} `json:"tool"`
		Score  int `json:"score"`
		Probes int `json:"probes"`
		Ports  struct {
			Distinct int      `json:"distinct"`
			Sample   []uint16 `json:"sample"`
		} `json:"ports"`
		Grade        string `json:"grade"`
		SourcePrefix string `json:"source_prefix"` // when the source is more than one address
		Group        struct {
			Size   int      `json:"size"`
			Proven []string `json:"proven"`
		} `json:"group"`
		Ban struct {
			Until time.Time `json:"until"`
		} `json:"ban"`
		Lost struct {
			Count uint64 `json:"count"`
		} `json:"lost"`
	} `json:"denmap"`
}

// About reports whether the line is about that source, or about a prefix
// that contains it.
func (l LogLine) About(source netip.Addr) bool {
	if prefix, err := netip.ParsePrefix(l.Denmap.SourcePrefix); err == nil {
		return prefix.Contains(source)
	}
	addr, err := netip.ParseAddr(l.Source.IP)
	return err == nil && addr == source
}

// Log returns the complete lines of the host's event log so far, none
// before the file exists. A line that is not JSON ends the test.
func (h *Host) Log() []LogLine {
	h.t.Helper()
	var lines []LogLine
	for raw := range bytes.Lines(h.rawLog()) {
		if !bytes.HasSuffix(raw, []byte("\n")) {
			break // being written
		}
		var line LogLine
		if err := json.Unmarshal(raw, &line); err != nil {
			h.t.Fatalf("read event log of %q: %v in line:\n%s", h.Name, err, raw)
		}
		line.Raw = string(raw)
		lines = append(lines, line)
	}
	return lines
}

func (h *Host) rawLog() []byte {
	h.t.Helper()
	content, err := os.ReadFile(h.Path(LogPath))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.t.Errorf("read event log of %q: %v", h.Name, err)
	}
	return content
}

// LogAbout returns the log lines about one source.
func (h *Host) LogAbout(source netip.Addr) []LogLine {
	h.t.Helper()
	var lines []LogLine
	for _, line := range h.Log() {
		if line.About(source) {
			lines = append(lines, line)
		}
	}
	return lines
}

// WaitLog returns the first log line that match accepts, and ends the
// test when none comes within the limit; what says which one is missing.
func (h *Host) WaitLog(limit time.Duration, what string, match func(LogLine) bool) LogLine {
	h.t.Helper()
	var found LogLine
	err := until(h.t.Context(), limit, func() error {
		for _, line := range h.Log() {
			if match(line) {
				found = line
				return nil
			}
		}
		return fs.ErrNotExist
	})
	if err != nil {
		h.t.Fatalf("no log line on %q within %v: %s; the log:\n%s", h.Name, limit, what, h.rawLog())
	}
	return found
}

// WaitBan returns the source-banned line about a source.
func (h *Host) WaitBan(source netip.Addr) LogLine {
	h.t.Helper()
	return h.WaitLog(5*time.Second, "source-banned of "+source.String(), func(l LogLine) bool {
		return l.Event.Action == "source-banned" && l.About(source)
	})
}
