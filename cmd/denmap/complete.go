// SPDX-License-Identifier: MIT

package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/event"
)

// completeName is the hidden command that the completion scripts call.
const completeName = "__complete"

// completeCommand prints, one a line, what the last of its arguments, the
// word under the cursor, may become.
func completeCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:   completeName,
		Hidden: true,
		Action: func(c *cli.Context) error {
			app := newApp(env)
			for _, word := range candidates(env, app, c.Args().Slice()) {
				if err := env.writeText(word + "\n"); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// candidates completes the last of words.
func candidates(env *environment, app *cli.App, words []string) []string {
	if len(words) == 0 {
		words = []string{""}
	}
	current, before := words[len(words)-1], words[:len(words)-1]
	kinds := optionKinds(app)
	if n := len(before); n > 0 && strings.HasPrefix(before[n-1], "-") {
		if name := strings.TrimLeft(before[n-1], "-"); kinds[name] {
			return matching(valuesOf(name), current)
		}
	}
	command, operands := walk(app, kinds, before)
	if strings.HasPrefix(current, "-") {
		return matching(flagNames(app, command), current)
	}
	if below := subcommands(app, command); len(below) > 0 {
		if operands > 0 {
			return nil
		}
		return matching(visibleNames(below), current)
	}
	return matching(operandsOf(env, command, operands), current)
}

// walk returns the commands that the words name, and how many operands
// follow them.
func walk(app *cli.App, kinds map[string]bool, words []string) (path []*cli.Command, operands int) {
	for i := 0; i < len(words); i++ {
		word := words[i]
		if strings.HasPrefix(word, "-") && len(word) > 1 {
			if kinds[strings.TrimLeft(word, "-")] {
				i++
			}
			continue
		}
		if i == 0 && word == "help" {
			continue
		}
		if c := find(subcommands(app, path), word); c != nil && operands == 0 {
			path = append(path, c)
		} else {
			operands++
		}
	}
	return path, operands
}

func subcommands(app *cli.App, path []*cli.Command) []*cli.Command {
	if len(path) == 0 {
		return app.Commands
	}
	return path[len(path)-1].Subcommands
}

func flagNames(app *cli.App, path []*cli.Command) []string {
	names := []string{"--help"}
	flags := slices.Clone(app.Flags)
	for _, c := range path {
		flags = append(flags, c.Flags...)
	}
	for _, f := range flags {
		if hidden(f) {
			continue
		}
		for _, name := range f.Names() {
			names = append(names, dashed(name))
		}
	}
	return names
}

// operandsOf returns what may stand at the given place behind a command.
func operandsOf(env *environment, path []*cli.Command, place int) []string {
	line := commandLine{path: path}
	switch name := line.name(); {
	case name == "attach" || name == "detach" || name == "doctor":
		return interfaceNames(env)
	case strings.HasPrefix(name, "lists ") && place == 0:
		return []string{"allow", "deny"}
	case name == "completion" && place == 0:
		return shellNames()
	}
	return nil
}

// interfaceNames lists the host's interfaces but lo, which is rarely meant.
// A host that cannot be looked at completes to nothing.
func interfaceNames(env *environment) []string {
	host, err := env.Network()
	if err != nil {
		return nil
	}
	var names []string
	for _, i := range host.Interfaces {
		if i.LinkLayer != "loopback" {
			names = append(names, i.Name)
		}
	}
	return names
}

// valuesOf returns the values of an option that has only a few.
func valuesOf(name string) []string {
	switch name {
	case "format":
		return banFormatNames()
	case "kind":
		return event.KindNames()
	case "action":
		return actionNames()
	case "mode":
		return []string{string(config.XDPAuto), string(config.XDPNative), string(config.XDPGeneric)}
	}
	return nil
}

func matching(words []string, begin string) []string {
	var out []string
	for _, w := range words {
		if strings.HasPrefix(w, begin) {
			out = append(out, w)
		}
	}
	return out
}
