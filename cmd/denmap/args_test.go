// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func testApp() *cli.App { return newApp(&environment{ConfigPath: "/etc/denmap/denmap.yaml"}) }

func TestArrange(t *testing.T) {
	tests := []struct{ in, want string }{
		{"status", "status"},
		{"status --json", "status --json"},
		{"--json status", "status --json"},
		{"--config /c status", "--config=/c status"},
		{"status --config /c", "--config=/c status"},
		{"status --config=/c --json", "--config=/c status --json"},
		{"lists add deny 192.0.2.1 --for 8h", "lists add --for=8h -- deny 192.0.2.1"},
		{"lists add deny --for 8h 192.0.2.1", "lists add --for=8h -- deny 192.0.2.1"},
		{"lists add --for 8h deny 192.0.2.1", "lists add --for=8h -- deny 192.0.2.1"},
		{"lists --for=8h add deny 192.0.2.1", "lists add --for=8h -- deny 192.0.2.1"},
		{"--for 8h lists add deny 192.0.2.1", "lists add --for=8h -- deny 192.0.2.1"},
		{"lists add deny 192.0.2.1 --force --comment=", "lists add --force --comment= -- deny 192.0.2.1"},
		{"lists add deny -- --for", "lists add -- deny --for"},
		{"lists import deny -", "lists import -- deny -"},
		{"bans add - --reason x", "bans add --reason=x -- -"},
		{"bans", "bans show"},
		{"bans --json", "bans show --json"},
		{"lists", "lists show"},
		{"config", "config show"},
		{"log -n 5", "log --n=5"},
		{"log -n5 -f", "log --n=5 --f"},
		{"log -fn5", "log --f --n=5"},
		{"log -fn 5", "log --f --n=5"},
		{"log -n=5", "log --n=5"},
		{"log -json", "log --json"},
		{"log --kind syn --kind fin", "log --kind=syn --kind=fin"},
		{"log --source=a=b", "log --source=a=b"},
		{"log --json=false", "log --json=false"},
		{"--version", "version"},
		{"bans add --reason -odd 192.0.2.1", "bans add --reason=-odd -- 192.0.2.1"},
	}
	for _, test := range tests {
		line, err := arrange(testApp(), strings.Fields(test.in))
		if err != nil {
			t.Errorf("arrange %q: %v", test.in, err)
			continue
		}
		if got := strings.Join(line.argv, " "); got != test.want {
			t.Errorf("arrange %q = %q, want %q", test.in, got, test.want)
		}
	}
}

func TestArrangeRefuses(t *testing.T) {
	tests := []struct{ in, text, hint string }{
		{"", "no command given", "denmap help lists them"},
		{"--debug", "no command given", "denmap help lists them"},
		{"--frobnicate", `unknown option --frobnicate of "denmap"`, "denmap help lists the commands"},
		{"stats", `unknown command "stats"`, `did you mean "status"?`},
		{"frobnicate", `unknown command "frobnicate"`, "denmap help lists the commands"},
		{"lists ad deny", `unknown command "lists ad"`, `did you mean "lists add"?`},
		{"lists frobnicate", `unknown command "lists frobnicate": expected show, add, remove, import or check`, ""},
		{"status --jsn", `unknown option --jsn of "denmap status"`, "did you mean --json?"},
		{"status --frobnicate", `unknown option --frobnicate of "denmap status"`, "denmap help status lists its options"},
		{"status --for 8h", `unknown option --for of "denmap status"`, "denmap help status lists its options"},
		{"status -x", `unknown option -x of "denmap status"`, "denmap help status lists its options"},
		{"log -fx", `unknown option --fx of "denmap log"`, "denmap help log lists its options"},
		{"status --config", "option --config needs a value", ""},
		{"bans add --for --reason x", "option --for needs a value", ""},
		{"bans add --for -- 192.0.2.1", "option --for needs a value", ""},
		{"log -n", "option -n needs a value", ""},
	}
	for _, test := range tests {
		line, err := arrange(testApp(), strings.Fields(test.in))
		var usage *usageError
		if !errors.As(err, &usage) {
			t.Errorf("arrange %q = %v, %v, want a usage error", test.in, line, err)
			continue
		}
		var hint string
		var hinted *hintError
		if errors.As(err, &hinted) {
			hint = hinted.hint
		}
		if err.Error() != test.text || hint != test.hint {
			t.Errorf("arrange %q: %q, hint %q, want %q, hint %q", test.in, err, hint, test.text, test.hint)
		}
	}
}

func TestArrangeHelp(t *testing.T) {
	tests := []struct{ in, path string }{
		{"help", ""}, {"--help", ""}, {"-h", ""},
		{"help lists", "lists"}, {"lists -h", "lists"}, {"lists --help", "lists"},
		{"help lists add", "lists add"}, {"lists add deny --help", "lists add"}, {"--help lists add", "lists add"},
		{"status --json -h", "status"},
	}
	for _, test := range tests {
		line, err := arrange(testApp(), strings.Fields(test.in))
		if err != nil || !line.help || line.name() != test.path {
			t.Errorf("arrange %q = %+v, %v, want help about %q", test.in, line, err, test.path)
		}
	}
}

// visit calls see for every command of the tree with the commands above it.
func visit(path, commands []*cli.Command, see func(path []*cli.Command)) {
	for _, c := range commands {
		below := append(slices.Clone(path), c)
		see(below)
		visit(below, c.Subcommands, see)
	}
}

// TestOptions holds every declared option to what arrange relies on.
func TestOptions(t *testing.T) {
	app := testApp()
	kinds := optionKinds(app)
	visit(nil, app.Commands, func(path []*cli.Command) {
		line := commandLine{path: path}
		seen := make(map[string]bool)
		flags := slices.Clone(app.Flags)
		for _, c := range path {
			flags = append(flags, c.Flags...)
		}
		for _, f := range flags {
			doc, ok := f.(cli.DocGenerationFlag)
			if !ok || doc.GetUsage() == "" {
				t.Errorf("%s: option %v has no usage text", line.name(), f.Names())
				continue
			}
			for _, name := range f.Names() {
				if kinds[name] != doc.TakesValue() {
					t.Errorf("%s: option %s takes a value here and not elsewhere, or the reverse", line.name(), name)
				}
				if seen[name] {
					t.Errorf("%s: option %s is declared twice", line.name(), name)
				}
				seen[name] = true
			}
		}
		if c := path[len(path)-1]; c.Usage == "" && !c.Hidden {
			t.Errorf("%s has no usage text", line.name())
		}
	})
}

func TestNearest(t *testing.T) {
	names := []string{"status", "lists", "bans", "f"}
	tests := []struct{ word, want string }{
		{"status", "status"}, {"sttaus", "status"}, {"list", "lists"}, {"ban", "bans"},
		{"x", ""}, {"", ""}, {"zzzzzz", ""}, {strings.Repeat("status", 50), ""}, {"\xff\xfe", ""},
	}
	for _, test := range tests {
		if got := nearest(test.word, names); got != test.want {
			t.Errorf("nearest(%.20q) = %q, want %q", test.word, got, test.want)
		}
	}
}

func FuzzArrange(f *testing.F) {
	f.Add("lists add deny 192.0.2.1 --for 8h")
	f.Add("-fn5 -- log = -= --= -")
	app := testApp()
	f.Fuzz(func(t *testing.T, text string) {
		args := strings.Split(text, " ")
		line, err := arrange(app, args)
		if err != nil || line.help {
			return
		}
		// What is in order stays in order.
		again, err := arrange(app, line.argv)
		if err != nil || !slices.Equal(again.argv, line.argv) {
			t.Errorf("arrange %q = %q, and that becomes %+v, %v", args, line.argv, again, err)
		}
	})
}
