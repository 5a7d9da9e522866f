// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestUsageErrors(t *testing.T) {
	c := newConsole(t)
	tests := []struct {
		line string
		want outcome
	}{
		{"", refused(2, "no command given", "denmap help lists them")},
		{"frobnicate", refused(2, `unknown command "frobnicate"`, "denmap help lists the commands")},
		{"status now", refused(2, `status: unexpected argument "now"`, "usage: denmap status")},
		{"status --json=maybe", refused(2, `option --json: "maybe": it takes no value`)},
		{"log -n x", refused(2, `option -n: "x": expected a number`)},
		{"check", refused(2, "check: expected one address, got 0 arguments", "usage: denmap check ADDR")},
		{"check 192.0.2.1 192.0.2.2", refused(2, "check: expected one address, got 2 arguments", "usage: denmap check ADDR")},
		{"pause", refused(2, "pause: expected a duration such as 10m, got 0 arguments", "usage: denmap pause DURATION")},
		{"resume now", refused(2, `resume: unexpected argument "now"`, "usage: denmap resume")},
		{"unban", refused(2, "unban: expected an address or --all", "usage: denmap unban ADDR...|--all")},
		{"unban --all 192.0.2.1", refused(2, "unban: expected an address or --all", "usage: denmap unban ADDR...|--all")},
		{"bans add", refused(2, "bans add: expected an address", "usage: denmap bans add ADDR...|-")},
		{"bans remove", refused(2, "bans remove: expected an address", "usage: denmap bans remove ADDR...")},
		{"lists add", refused(2, "lists add: expected allow or deny, and an address or a network", "usage: denmap lists add allow|deny ADDR...")},
		{"lists add deny", refused(2, "lists add deny: expected an address or a network", "usage: denmap lists add allow|deny ADDR...")},
		{"lists add grey 192.0.2.9", refused(2, `list "grey": expected allow or deny`)},
		{"lists show allow deny", refused(2, `lists show: unexpected argument "deny"`, "usage: denmap lists show [allow|deny]")},
		{"completion tcsh", refused(2, `completion: shell "tcsh": expected bash, zsh or fish`)},
	}
	for _, test := range tests {
		c.expect(test.line, test.want)
	}
}

// TestHelp asks for help about every command there is.
func TestHelp(t *testing.T) {
	c := newConsole(t)
	got := c.run("help")
	if got.code != 0 || got.stderr != "" || !strings.Contains(got.stdout, "lists") || strings.Contains(got.stdout, completeName) {
		t.Errorf("help: %+v", got)
	}
	app := newApp(c.env)
	visit(nil, app.Commands, func(path []*cli.Command) {
		line := commandLine{path: path}
		got := c.run(strings.Fields(line.name() + " --help")...)
		if got.code != 0 || got.stderr != "" {
			t.Errorf("%s --help: %+v", line.name(), got)
		}
		for _, text := range []string{"denmap " + line.name(), path[len(path)-1].Usage, "--config FILE"} {
			if !strings.Contains(got.stdout, text) {
				t.Errorf("%s --help says nothing of %q:\n%s", line.name(), text, got.stdout)
			}
		}
	})
	if got := c.run("help", "lists", "add"); !strings.Contains(got.stdout, "--for DURATION") {
		t.Errorf("help lists add:\n%s", got.stdout)
	}
}

// TestCommandSet sees to it that what the design names exists.
func TestCommandSet(t *testing.T) {
	want := []string{
		"attach", "detach", "status", "health", "lists show", "lists add", "lists remove", "lists check", "lists import",
		"bans show", "bans add", "bans remove", "unban", "check", "pause", "resume", "sources", "log", "report", "why",
		"mail test", "geo", "config check", "config show", "version", "completion",
	}
	var got []string
	visit(nil, testApp().Commands, func(path []*cli.Command) {
		line := commandLine{path: path}
		if c := path[len(path)-1]; len(c.Subcommands) == 0 && !c.Hidden {
			got = append(got, line.name())
		}
	})
	for _, name := range want {
		if !slices.Contains(got, name) {
			t.Errorf("no command %q", name)
		}
	}
}

func TestReport(t *testing.T) {
	denied := fmt.Errorf("open list: %w", fs.ErrPermission)
	tests := []struct {
		err  error
		root bool
		want outcome
	}{
		{nil, true, outcome{}},
		{errors.New("plain"), true, refused(1, "plain")},
		{errors.Join(errors.New("one"), errors.New("two")), true, refused(1, "one; two")},
		{withHint(errors.New("plain"), "do %s", "that"), true, refused(1, "plain", "do that")},
		{usagef("odd %d", 1), true, refused(2, "odd 1")},
		{withHint(usagef("odd"), "even"), true, refused(2, "odd", "even")},
		{denied, true, refused(1, "open list: permission denied")},
		{denied, false, refused(1, "lists add needs root", "run it with sudo")},
		{exitCode(3), true, outcome{code: 3}},
	}
	for _, test := range tests {
		c := newConsole(t)
		var stderr strings.Builder
		env := *c.env
		env.Stderr, env.Root = &stderr, test.root
		code := env.report(test.err, "lists add", false)
		c.compare("report", outcome{code: code, stderr: stderr.String()}, test.want)
		// Scripts get one line.
		stderr.Reset()
		env.Hints = false
		code = env.report(test.err, "lists add", false)
		want := test.want
		if line, _, ok := strings.Cut(want.stderr, "\n"); ok {
			want.stderr = line + "\n"
		}
		c.compare("report without a terminal", outcome{code: code, stderr: stderr.String()}, want)
	}
}

func TestConfigErrors(t *testing.T) {
	c := newConsole(t)
	c.write("bad.yaml", "mode: enforce\ndetect:\n  ban_skore: 8\nmail: {port: x}\n")
	for _, line := range []string{"lists show", "bans", "check 198.51.100.7"} {
		got := c.run(append(strings.Fields(line), "--config", c.path("bad.yaml"))...)
		if got.code != 0 || !strings.HasPrefix(got.stderr, "denmap: warning: $DIR/bad.yaml:3: ") {
			t.Errorf("%s: %+v, want a warning and the result", line, got)
		}
	}
	for _, line := range []string{"lists add deny 198.51.100.7", "config show"} {
		got := c.run(append(strings.Fields(line), "--config", c.path("bad.yaml"))...)
		want := `$DIR/bad.yaml:3: `
		if got.code != 1 || got.stdout != "" || strings.Count(got.stderr, "\n") != 1 ||
			!strings.HasPrefix(got.stderr, "denmap: error: "+want) || !strings.Contains(got.stderr, "(1 more: denmap config check)") {
			t.Errorf("%s: %+v, want one line about %s", line, got, want)
		}
	}
	got := c.run("status", "--config", c.path("none.yaml"))
	if got.code != 1 || !strings.Contains(got.stderr, "$DIR/none.yaml") {
		t.Errorf("missing file: %+v", got)
	}
}
