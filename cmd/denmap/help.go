// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// exitCodes begins what is said of them.
const exitCodes = "Exit codes:"

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
	if !allHidden(flags) {
		fmt.Fprintf(table, "\nOptions:\n")
		writeFlags(table, flags)
	}
	fmt.Fprintf(table, "\nOptions of every command:\n")
	writeFlags(table, app.Flags)
	fmt.Fprintf(table, "  -h, --help\tshow this\n")
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(&text, "\nOptions may stand before and after arguments.")
	if !strings.Contains(description, exitCodes) { // health has others
		fmt.Fprintf(&text, " %s 0 done, 1 failed, 2 usage.", exitCodes)
	}
	fmt.Fprintln(&text)
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
	if text := defaultText(f); text != "" {
		usage += " (default: " + text + ")"
	}
	if vars := doc.GetEnvVars(); len(vars) > 0 {
		usage += " (or $" + strings.Join(vars, ", $") + ")"
	}
	return names, usage, true
}

// defaultText returns what stands for an option that is not given, where
// the option says so.
func defaultText(f cli.Flag) string {
	switch f := f.(type) {
	case *cli.StringFlag:
		return f.DefaultText
	case *cli.IntFlag:
		return f.DefaultText
	default:
		return ""
	}
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

// allHidden reports whether none of the options is for people.
func allHidden(flags []cli.Flag) bool {
	return !slices.ContainsFunc(flags, func(f cli.Flag) bool { return !hidden(f) })
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
	for _, line := range unfold(text) {
		if utf8.RuneCountInString(line) <= helpWidth {
			out = append(out, line)
			continue
		}
		row := ""
		for _, word := range strings.Fields(line) {
			if row != "" && utf8.RuneCountInString(row)+1+utf8.RuneCountInString(word) > helpWidth {
				out, row = append(out, row), ""
			}
			row = strings.TrimLeft(row+" "+word, " ")
		}
		out = append(out, row)
	}
	return strings.Join(out, "\n")
}

// unfold joins the lines of a description that were broken only to keep the
// source narrow. A break stays where a sentence ends or a labelled line
// begins.
func unfold(text string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if n := len(out); n > 0 && !strings.HasSuffix(out[n-1], ".") && !labelled.MatchString(line) {
			out[n-1] += " " + line
			continue
		}
		out = append(out, line)
	}
	return out
}

// labelled is a line such as "zsh: ...".
var labelled = regexp.MustCompile(`^\w+: `)
