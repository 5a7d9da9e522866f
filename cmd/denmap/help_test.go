// SPDX-License-Identifier: MIT

package main

import (
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func TestWrap(t *testing.T) {
	long := strings.Repeat("word ", 17) + "end."
	for _, row := range []struct{ name, text, want string }{
		{"broken for the source", "one\ntwo.", "one two."},
		{"sentences", "One.\nTwo.", "One.\nTwo."},
		{"labelled lines", "a: x\nb:  y", "a: x\nb:  y"},
		{"too long", long, strings.TrimSpace(strings.Repeat("word ", 16)) + "\nword end."},
		{"too long once it is joined", strings.Replace(long, " ", "\n", 3), strings.TrimSpace(strings.Repeat("word ", 16)) + "\nword end."},
	} {
		if got := wrap(row.text); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

// A title with nothing under it, a line that is broken in its middle and two
// accounts of the exit codes are what a reader of the help stumbles over.
func TestHelpReads(t *testing.T) {
	app := testApp()
	var visit func(path []*cli.Command)
	visit = func(path []*cli.Command) {
		var text strings.Builder
		if err := writeHelp(&text, app, path); err != nil {
			t.Fatal(err)
		}
		help := text.String()
		if strings.Contains(help, "\nOptions:\n\n") {
			t.Errorf("options without any:\n%s", help)
		}
		if n := strings.Count(help, exitCodes); n != 1 {
			t.Errorf("exit codes %d times:\n%s", n, help)
		}
		commands := app.Commands
		if n := len(path); n > 0 {
			commands = path[n-1].Subcommands
		}
		for _, c := range commands {
			visit(append(path[:len(path):len(path)], c))
		}
	}
	visit(nil)
}

func TestHelpNamesDefaults(t *testing.T) {
	var text strings.Builder
	app := testApp()
	if err := writeHelp(&text, app, []*cli.Command{app.Command("attach")}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"(default: auto)", "(default: /etc/denmap/denmap.yaml)"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in:\n%s", want, text.String())
		}
	}
}
