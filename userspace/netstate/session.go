// SPDX-License-Identifier: MIT

package netstate

import (
	"bytes"
	"cmp"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	maxSession  = 16 << 10 // bytes of one session file
	maxSessions = 4096     // more than a host can have people on it
)

// sessions returns the remote ends of sessions whose user has logged in: a
// mere connection, which anybody can hold open, makes none. A session whose
// leading process is gone does not count, whatever the files say.
func (r Reader) sessions(interfaces []Interface) []netip.Addr {
	var list []netip.Addr
	dir := cmp.Or(r.SessionsDir, "/run/systemd/sessions")
	for _, name := range sessionFiles(dir) {
		s := parseSession(readSmall(filepath.Join(dir, name), maxSession))
		if !s.loggedIn() || !r.alive(s.leader) {
			continue
		}
		if a, ok := remote(s.host, interfaces); ok {
			list = append(list, a)
		}
	}
	data := readSmall(cmp.Or(r.Utmp, "/run/utmp"), maxUtmp)
	for _, l := range parseUtmp(data, hostUtmp) {
		if a, ok := remote(l.host, interfaces); ok && r.alive(l.pid) {
			list = append(list, a)
		}
	}
	return sortAddrs(list)
}

// sessionFiles lists the session files of logind. The others in there are
// FIFOs, which logind watches, and files that are still being written.
func sessionFiles(dir string) []string {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") && len(names) < maxSessions {
			names = append(names, e.Name())
		}
	}
	return names
}

// session is what a session file of logind says.
type session struct {
	host   string // REMOTE_HOST, an address or a name
	state  string // "active", "online", "closing"
	class  string // "user", "greeter", ...
	leader int    // process id; 0 if missing
}

// loggedIn leaves out sessions that are over but for left-over processes,
// and login screens, which run before anybody has proved anything.
func (s session) loggedIn() bool {
	return s.host != "" && (s.state == "active" || s.state == "online") &&
		(s.class == "" || strings.HasPrefix(s.class, "user"))
}

// parseSession reads KEY=VALUE lines. A line without its end was cut off
// while being written, and an address cut short is another address.
func parseSession(data []byte) session {
	var s session
	for line := range bytes.Lines(data) {
		text, whole := strings.CutSuffix(string(line), "\n")
		key, value, ok := strings.Cut(text, "=")
		if !whole || !ok {
			continue
		}
		value = strings.Trim(value, `"`)
		switch key {
		case "REMOTE_HOST":
			s.host = value
		case "STATE":
			s.state = value
		case "CLASS":
			s.class = value
		case "LEADER":
			// Without a number there is no leader, which ends it.
			s.leader, _ = strconv.Atoi(value)
		}
	}
	return s
}
