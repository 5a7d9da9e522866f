// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"
)

// commandLine is a command line in the order that the library reads.
type commandLine struct {
	path    []*cli.Command // from the first word on
	argv    []string       // without the program's name
	options []option
	help    bool // wants to know about path, not to run it
}

// option is one option as it was given.
type option struct {
	name  string
	value string
	given bool // a value was given, perhaps an empty one
}

// name returns the words of the command.
func (l *commandLine) name() string {
	words := make([]string, len(l.path))
	for i, c := range l.path {
		words[i] = c.Name
	}
	return strings.Join(words, " ")
}

func (l *commandLine) has(name string) bool {
	return slices.ContainsFunc(l.options, func(o option) bool { return o.name == name && o.value != "false" })
}

// arrange puts options, which may stand anywhere, behind the command that
// declares them, and everything else, be it "-" or behind "--", at the end.
// A noun alone, such as "bans", means its "show". It finds out about
// unknown commands and options, so that the library meets none; errors are
// usage errors.
func arrange(app *cli.App, args []string) (*commandLine, error) {
	kinds := optionKinds(app)
	line := &commandLine{}
	words, rest, err := line.split(kinds, args)
	if err != nil {
		return nil, err
	}
	if len(words) > 0 && words[0] == "help" {
		line.help, words = true, words[1:]
	}
	words, err = line.descend(app, words)
	if err != nil {
		return nil, err
	}
	if line.help {
		return line, nil
	}
	levels := [][]cli.Flag{app.Flags}
	for _, c := range line.path {
		levels = append(levels, c.Flags)
	}
	placed, err := line.place(levels)
	if err != nil {
		return nil, err
	}
	line.argv = placed[0]
	for i, c := range line.path {
		line.argv = append(append(line.argv, c.Name), placed[i+1]...)
	}
	if operands := append(words, rest...); len(operands) > 0 {
		line.argv = append(append(line.argv, "--"), operands...)
	}
	return line, nil
}

// split separates options from words. rest is what stands behind "--".
func (l *commandLine) split(kinds map[string]bool, args []string) (words, rest []string, err error) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		switch {
		case arg == "--":
			return words, args, nil
		case arg == "--help" || arg == "-h":
			l.help = true
		case arg == "--version" && len(words) == 0:
			words = append(words, "version")
		case len(arg) < 2 || arg[0] != '-' || arg[1] >= '0' && arg[1] <= '9':
			// A number below zero is for whoever expects one to refuse.
			words = append(words, arg)
		default:
			for _, o := range readOption(kinds, arg) {
				if kinds[o.name] && !o.given {
					if len(args) == 0 || isOption(kinds, args[0]) {
						return nil, nil, usagef("option %s needs a value", dashed(o.name))
					}
					o.value, o.given, args = args[0], true, args[1:]
				}
				l.options = append(l.options, o)
			}
		}
	}
	return words, nil, nil
}

// readOption reads one argument: "--name", "--name=value", and of the
// options of one letter "-n5" and several at once, "-fn5".
func readOption(kinds map[string]bool, arg string) []option {
	name, value, given := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	if _, known := kinds[name]; known || strings.HasPrefix(arg, "--") {
		return []option{{name, value, given}}
	}
	var out []option
	letters := arg[1:]
	for i := range len(letters) {
		letter := letters[i : i+1]
		takesValue, known := kinds[letter]
		switch {
		case !known:
			return []option{{name, value, given}}
		case takesValue && i+1 < len(letters):
			return append(out, option{letter, strings.TrimPrefix(letters[i+1:], "="), true})
		}
		out = append(out, option{name: letter})
	}
	return out
}

// isOption tells an option of some command from a value that only begins
// with a dash.
func isOption(kinds map[string]bool, arg string) bool {
	if arg == "--" || arg == "--help" || arg == "-h" {
		return true
	}
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	_, known := kinds[name]
	return known && strings.HasPrefix(arg, "-")
}

// descend follows the words that name commands and returns the others.
func (l *commandLine) descend(app *cli.App, words []string) ([]string, error) {
	below := app.Commands
	for len(below) > 0 {
		if len(words) == 0 {
			show := find(below, "show")
			if show == nil || l.help {
				break
			}
			l.path, below = append(l.path, show), show.Subcommands
			continue
		}
		c := find(below, words[0])
		if c == nil {
			return nil, l.unknownCommand(app, words[0], below)
		}
		l.path, below, words = append(l.path, c), c.Subcommands, words[1:]
	}
	switch {
	case l.help || len(below) == 0:
		return words, nil
	case len(l.path) == 0:
		for _, o := range l.options {
			if !slices.ContainsFunc(app.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), o.name) }) {
				return nil, l.unknownOption(o, app.Flags)
			}
		}
		return nil, withHint(usagef("no command given"), "denmap help lists them")
	}
	return nil, usagef("%s: expected %s", l.name(), choices(visibleNames(below)))
}

func find(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

func (l *commandLine) unknownCommand(app *cli.App, word string, below []*cli.Command) error {
	names := visibleNames(below)
	err := usagef("unknown command %q", strings.TrimSpace(l.name()+" "+word))
	if near := nearest(word, names); near != "" {
		return withHint(err, "did you mean %q?", strings.TrimSpace(l.name()+" "+near))
	}
	if len(l.path) > 0 {
		return usagef("%v: expected %s", err, choices(names))
	}
	return withHint(err, "%s help lists the commands", app.Name)
}

func visibleNames(commands []*cli.Command) []string {
	var names []string
	for _, c := range commands {
		if !c.Hidden {
			names = append(names, c.Name)
		}
	}
	return names
}

// place sorts the options to the deepest levels that declare them.
func (l *commandLine) place(levels [][]cli.Flag) ([][]string, error) {
	placed := make([][]string, len(levels))
	for _, o := range l.options {
		at, flag := -1, cli.Flag(nil)
		for i, flags := range levels {
			if j := slices.IndexFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), o.name) }); j >= 0 {
				at, flag = i, flags[j]
			}
		}
		if at < 0 {
			return nil, l.unknownOption(o, slices.Concat(levels...))
		}
		if err := o.check(flag); err != nil {
			return nil, err
		}
		text := "--" + o.name
		if o.given {
			text += "=" + o.value
		}
		placed[at] = append(placed[at], text)
	}
	return placed, nil
}

// check refuses a value that the library would refuse in words of its own.
func (o option) check(flag cli.Flag) error {
	switch flag.(type) {
	case *cli.IntFlag:
		if _, err := strconv.Atoi(o.value); err != nil {
			return usagef("option %s: %q: expected a number", dashed(o.name), o.value)
		}
	case *cli.BoolFlag:
		if _, err := strconv.ParseBool(o.value); o.given && err != nil {
			return usagef("option %s: %q: it takes no value", dashed(o.name), o.value)
		}
	}
	return nil
}

func (l *commandLine) unknownOption(o option, flags []cli.Flag) error {
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()...)
	}
	listed := "its options"
	if len(l.path) == 0 {
		listed = "the commands"
	}
	err := usagef("unknown option %s of %q", dashed(o.name), strings.TrimSpace("denmap "+l.name()))
	if near := nearest(o.name, names); near != "" {
		return withHint(err, "did you mean %s?", dashed(near))
	}
	return withHint(err, "%s lists %s", strings.TrimSpace("denmap help "+l.name()), listed)
}

func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// optionKinds says for the name of every option in the tree whether it
// takes a value. One name is the same kind everywhere, so that an option
// can be read before it is known which command it belongs to.
func optionKinds(app *cli.App) map[string]bool {
	kinds := make(map[string]bool)
	addKinds(kinds, app.Flags)
	var walk func([]*cli.Command)
	walk = func(commands []*cli.Command) {
		for _, c := range commands {
			addKinds(kinds, c.Flags)
			walk(c.Subcommands)
		}
	}
	walk(app.Commands)
	return kinds
}

func addKinds(kinds map[string]bool, flags []cli.Flag) {
	for _, f := range flags {
		doc, ok := f.(cli.DocGenerationFlag)
		for _, name := range f.Names() {
			kinds[name] = ok && doc.TakesValue()
		}
	}
}

// choices writes names as "a, b or c".
func choices(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return fmt.Sprintf("%s or %s", strings.Join(names[:last], ", "), names[last])
}
