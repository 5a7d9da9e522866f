// SPDX-License-Identifier: MIT

package testenv

import (
	"context"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nobody is a user without any rights.
const nobody = 65534

const badConfig = `mode: enforce
detect:
  ban_skore: 8
`

const badList = `# seven lines, the last one bad
203.0.113.1
203.0.113.2
203.0.113.3

; a comment of the other kind
203.0.113.4/24
`

// badCommand is a command line that must be refused.
type badCommand struct {
	name string
	args []string
	want []string // in the line on standard error
	user uint32   // who runs it, if not root
}

// TestBadInput gives a running DenMap what it must refuse: one line that
// names the value, an exit code, and no file changed.
func TestBadInput(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim := lab.Host("victim")
	victim.WriteFile("/run/bad.yaml", badConfig)
	victim.WriteFile("/run/bad.list", badList)
	victim.WriteFile("/etc/denmap/deny.list", "203.0.113.200 # kept\n")
	victim.Attach()
	before := snapshot(t, victim, "/etc/denmap")

	tests := []badCommand{
		{name: "address", args: []string{"lists", "add", "deny", "198.51.100.999"}, want: []string{"198.51.100.999"}},
		{name: "host bits", args: []string{"lists", "add", "deny", "203.0.113.1/24"}, want: []string{"203.0.113.1/24", "203.0.113.0/24"}},
		{name: "second of two", args: []string{"lists", "add", "allow", "203.0.113.9", "nonsense"}, want: []string{"nonsense"}},
		{name: "unknown list", args: []string{"lists", "add", "grey", "203.0.113.9"}, want: []string{"grey"}},
		{name: "no address", args: []string{"lists", "add", "deny"}, want: []string{"address"}},
		{name: "own address", args: []string{"lists", "add", "deny", victim.IPv4.String()}, want: []string{victim.IPv4.String(), "--force"}},
		{name: "duration", args: []string{"bans", "add", "203.0.113.9", "--for", "soon"}, want: []string{"soon"}},
		{name: "unban", args: []string{"unban", "300.1.1.1"}, want: []string{"300.1.1.1"}},
		{name: "check", args: []string{"check", "example"}, want: []string{"example"}},
		{name: "configuration check", args: []string{"--config", "/run/bad.yaml", "config", "check"}, want: []string{"/run/bad.yaml", "3", "ban_skore"}},
		{name: "command", args: []string{"frobnicate"}, want: []string{"frobnicate"}},
		{name: "list without root", args: []string{"lists", "add", "deny", "203.0.113.9"}, want: []string{"root"}, user: nobody},
	}
	for _, test := range tests {
		r := refuse(t, victim, test.user, test.args...)
		checkRefusal(t, test.name, r, test.want...)
		if after := snapshot(t, victim, "/etc/denmap"); !maps.Equal(before, after) {
			t.Errorf("%s: files changed from %q to %q", test.name, before, after)
			before = after
		}
	}
}

// TestBadAttach starts a daemon in ways that cannot work, and wants nothing
// of it left in the kernel.
func TestBadAttach(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim := lab.Host("victim")
	victim.WriteFile("/run/bad.yaml", badConfig)
	for _, test := range []badCommand{
		{name: "interface", args: []string{"attach", "nosuch0"}, want: []string{"nosuch0"}},
		{name: "configuration key", args: []string{"attach", "--config", "/run/bad.yaml", uplink}, want: []string{"/run/bad.yaml", "3", "ban_skore"}},
		{name: "configuration file", args: []string{"attach", "--config", "/run/none.yaml", uplink}, want: []string{"/run/none.yaml"}},
		{name: "attach without root", args: []string{"attach", uplink}, want: []string{"root"}, user: nobody},
	} {
		checkRefusal(t, test.name, refuse(t, victim, test.user, test.args...), test.want...)
		if program, err := victim.XDP(uplink); program != 0 || err != nil {
			t.Errorf("%s: left program %d on %s, %v", test.name, program, uplink, err)
		}
		pins, err := os.ReadDir(victim.Path(pinDir))
		if len(pins) != 0 || err != nil && !os.IsNotExist(err) {
			t.Errorf("%s: left pins %v, %v", test.name, pins, err)
		}
	}
}

// TestBadListFile has a list with a bad line 7 in place: every command
// says where the line is, and none edits the file.
func TestBadListFile(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim := lab.Host("victim")
	victim.WriteFile(denyPath, badList)
	for _, args := range [][]string{
		{"lists", "check", "deny"},
		{"lists", "add", "deny", "203.0.113.9"},
		{"lists", "remove", "deny", "203.0.113.1"},
	} {
		checkRefusal(t, strings.Join(args, " "), refuse(t, victim, 0, args...), denyPath, "7", "203.0.113.4/24")
		if got := victim.ReadFile(denyPath); got != badList {
			t.Fatalf("denmap %s changed the file to %q", strings.Join(args, " "), got)
		}
	}
}

// refuse runs a command that should end at once with an error.
func refuse(t *testing.T, h *Host, user uint32, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := h.DenmapCommand(ctx, args...)
	if user != 0 {
		cmd.AsUser(user)
	}
	return cmd.Result()
}

// checkRefusal wants a non-zero exit code and one line on standard error
// that contains every text; a hint may follow.
func checkRefusal(t *testing.T, name string, r Result, texts ...string) {
	t.Helper()
	if r.Code <= 0 {
		t.Errorf("%s: exit code %d; want 1 or 2\n%v", name, r.Code, r)
		return
	}
	lines := strings.Split(strings.TrimSuffix(r.Stderr, "\n"), "\n")
	if len(lines) == 2 && strings.HasPrefix(lines[1], "denmap: hint: ") {
		lines = lines[:1]
	}
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "denmap: ") {
		t.Errorf("%s: want one line that begins with \"denmap: \"\n%v", name, r)
	}
	for _, text := range texts {
		if !strings.Contains(r.Stderr, text) {
			t.Errorf("%s: no %q in the message\n%v", name, text, r)
		}
	}
	if r.Stdout != "" {
		t.Errorf("%s: standard output %q, want none", name, r.Stdout)
	}
}

// snapshot returns the content of every file below a directory.
func snapshot(t *testing.T, h *Host, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(h.Path(dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
