// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
)

// writeHelp describes the command at path, the program if it is empty.
func writeHelp(w io.Writer, app *cli.App, path []*cli.Command) error {
	var text strings.Builder
	name, usage, args, description := app.Name, app.Usage, "COMMAND [ARGUMENTS]", app.Description
	commands, flags := app.Commands, []cli.Flag(nil)
	for _, c := range path {
		name += " " + c.Name
		usage, args, description = c.Usage, c.ArgsUsage, c.Description
		commands = c.Subcommands
		flags = append(flags, c.Flags...)
	}
	if len(commands) > 0 && len(path) > 0 {
		args = "COMMAND [ARGUMENTS]"
	}
	fmt.Fprintf(&text, "%s - %s\n\nUsage: %s [OPTIONS]\n", name, usage, strings.TrimSpace(name+" "+args))
	if description != "" {
		fmt.Fprintf(&text, "\n%s\n", wrap(strings.TrimSpace(description)))
	}
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	if len(commands) > 0 {
		fmt.Fprintf(table, "\nCommands:\n")
		for _, c := range commands {
			if !c.Hidden {
				fmt.Fprintf(table, "  %s\t%s\n", c.Name, c.Usage)
			}
		}
	}
	if len(flags) > 0 {
		fmt.Fprintf(table, "\nOptions:\n")
		writeFlags(table, flags)
	}
	fmt.Fprintf(table, "\nOptions of every command:\n")
	writeFlags(table, app.Flags)
	fmt.Fprintf(table, "  -h, --help\tshow this\n")
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&text, "\nOptions may stand before and after arguments. Exit codes: 0 done, 1 failed, 2 usage.\n")
	_, err := io.WriteString(w, text.String())
	return err
}

func writeFlags(w io.Writer, flags []cli.Flag) {
	for _, f := range flags {
		if names, usage, ok := describeFlag(f); ok {
			fmt.Fprintf(w, "  %s\t%s\n", names, usage)
		}
	}
}

// describeFlag returns how an option is written and what it does; ok is
// false for one that is not for people.
func describeFlag(f cli.Flag) (names, usage string, ok bool) {
	doc, ok := f.(cli.DocGenerationFlag)
	if !ok || hidden(f) {
		return "", "", false
	}
	var all []string
	for _, name := range f.Names() {
		all = append(all, dashed(name))
	}
	placeholder, usage := unquote(doc.GetUsage())
	names = strings.Join(all, ", ")
	if doc.TakesValue() {
		names += " " + placeholder
	}
	if vars := doc.GetEnvVars(); len(vars) > 0 {
		usage += " (or $" + strings.Join(vars, ", $") + ")"
	}
	return names, usage, true
}

// unquote takes the name of the value out of a usage text, where it stands
// in backquotes.
func unquote(usage string) (placeholder, text string) {
	before, rest, found := strings.Cut(usage, "`")
	name, after, closed := strings.Cut(rest, "`")
	if !found || !closed {
		return "VALUE", usage
	}
	return name, before + name + after
}

// hidden reports whether an option is not for people.
func hidden(f cli.Flag) bool {
	v, ok := f.(cli.VisibleFlag)
	return ok && !v.IsVisible()
}

// helpWidth is where lines of help end.
const helpWidth = 80

// wrap breaks lines between words. Lines that fit stay as they are.
func wrap(text string) string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		if len(line) <= helpWidth {
			out = append(out, line)
			continue
		}
		row := ""
		for _, word := range strings.Fields(line) {
			if row != "" && len(row)+1+len(word) > helpWidth {
				out, row = append(out, row), ""
			}
			row = strings.TrimLeft(row+" "+word, " ")
		}
		out = append(out, row)
	}
	return strings.Join(out, "\n")
}
