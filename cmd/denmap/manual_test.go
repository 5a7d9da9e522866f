// SPDX-License-Identifier: MIT

package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
)

// manual prints a page and wants every line that begins like a request to
// be one that was meant.
func manual(t *testing.T, c *console, name string) string {
	t.Helper()
	got := c.run("manual", name)
	if got.code != 0 {
		t.Fatalf("manual %s: %+v", name, got)
	}
	requests := regexp.MustCompile(`^\.(TH|SH|SS|PP|TP|B|br)( |\n)`)
	for line := range strings.Lines(got.stdout) {
		if (line[0] == '.' || line[0] == '\'') && !requests.MatchString(line) {
			t.Errorf("manual %s: line %q is taken for a request", name, line)
		}
	}
	return got.stdout
}

func TestManualHasEveryCommandAndOption(t *testing.T) {
	c := newConsole(t)
	page := manual(t, c, "denmap.8")
	var walk func(name string, commands []*cli.Command)
	walk = func(name string, commands []*cli.Command) {
		for _, cmd := range commands {
			full := name + " " + cmd.Name
			heading := strings.Contains(page, `.SS "`+escape(full))
			if len(cmd.Subcommands) == 0 && heading == cmd.Hidden {
				t.Errorf("%q: in the manual %v, hidden %v", full, heading, cmd.Hidden)
			}
			for _, f := range cmd.Flags {
				names, _, ok := describeFlag(f)
				if ok && !cmd.Hidden && !strings.Contains(page, ".B "+quoted(names)) {
					t.Errorf("%q: option %q is missing", full, names)
				}
			}
			walk(full, cmd.Subcommands)
		}
	}
	walk("denmap", newApp(c.env).Commands)
}

func TestManualHasEveryKey(t *testing.T) {
	page := manual(t, newConsole(t), "denmap.yaml.5")
	for _, k := range config.Reference() {
		if !strings.Contains(page, ".B "+quoted(k.Path)+"\n") {
			t.Errorf("key %q is missing", k.Path)
		}
	}
}

func TestRoffEscapes(t *testing.T) {
	var r roff
	r.text(".not a request.\n'nor this\nC:\\path \"x\" --option")
	want := "\\&.not a request.\n.br\n\\&'nor this C:\\epath \"x\" \\-\\-option\n"
	if got := r.String(); got != want {
		t.Errorf("text = %q, want %q", got, want)
	}
	if got, want := quoted(`say "a-b"`), `"say \(dqa\-b\(dq"`; got != want {
		t.Errorf("quoted = %s, want %s", got, want)
	}
}
