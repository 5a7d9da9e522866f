// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/daemon/control"
)

func manualNames() []string { return []string{"denmap.8", "denmap.yaml.5"} }

// manualCommand writes the manual pages for the packages.
func manualCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "manual",
		Usage:     "print a manual page, for man(1); $SOURCE_DATE_EPOCH dates it",
		ArgsUsage: strings.Join(manualNames(), "|"),
		Hidden:    true,
		Action: func(c *cli.Context) error {
			name, err := oneArgument(c, choices(manualNames()))
			if err != nil {
				return err
			}
			var page roff
			date := ""
			if epoch, err := strconv.ParseInt(env.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
				date = time.Unix(epoch, 0).UTC().Format(time.DateOnly)
			}
			switch name {
			case "denmap.8":
				page.head("denmap", 8, date, "denmap "+version())
				writeProgramManual(&page, newApp(env))
			case "denmap.yaml.5":
				page.head("denmap.yaml", 5, date, "denmap "+version())
				writeConfigManual(&page)
			default:
				return usagef("manual: page %q: expected %s", name, choices(manualNames()))
			}
			return env.writeText(page.String())
		},
	}
}

func writeProgramManual(r *roff, app *cli.App) {
	r.section("Name")
	r.lines(app.Name + " - " + app.Usage)
	r.section("Synopsis")
	r.lines(app.Name + " COMMAND [ARGUMENTS] [OPTIONS]")
	r.section("Description")
	r.text("denmap attach loads a program into the kernel that recognises port scans and bans their sources on the packet that crosses the threshold. The other commands read and edit what that program knows, with or without a running daemon.")
	r.text("Data goes to standard output, everything else to standard error. Options may stand before and after arguments. Durations take s, m, h, d and w, such as 90s or 8h.")
	r.section("Commands")
	writeCommands(r, app.Name, app.Commands)
	r.section("Options of every command")
	writeOptions(r, app.Flags)
	r.item("-h, --help", "Say what a command does.")
	r.section("Exit status")
	r.item("0", "Done.")
	r.item("1", "Failed.")
	r.item("2", "Wrong usage.")
	r.text("denmap health follows the custom of monitoring plugins: 0 good, 1 warning, 2 critical, 3 unknown.")
	r.section("Files")
	c := config.Default()
	for _, file := range [][2]string{
		{config.DefaultPath, "Configuration, see denmap.yaml(5)."},
		{c.Lists.Allow, "Addresses that are never banned, one a line."},
		{c.Lists.Deny, "Addresses that are always dropped."},
		{c.Log.Path, "Event log."},
		{c.StateDir, "History and bans, which outlive a reboot."},
		{"/sys/fs/bpf/denmap", "Tables and links of the kernel program."},
		{control.DefaultPath, "Where the daemon takes requests."},
	} {
		r.item(file[0], file[1])
	}
	r.section("See also")
	r.lines("denmap.yaml(5), systemctl(1), bpftool(8)")
}

func writeCommands(r *roff, name string, commands []*cli.Command) {
	for _, c := range commands {
		if c.Hidden {
			continue
		}
		full := name + " " + c.Name
		if len(c.Subcommands) > 0 {
			writeCommands(r, full, c.Subcommands)
			continue
		}
		r.subsection(strings.TrimSpace(full + " " + c.ArgsUsage))
		about := sentence(c.Usage)
		if len(c.Aliases) > 0 {
			about += " Also: " + strings.Join(c.Aliases, ", ") + "."
		}
		r.text(about)
		if c.Description != "" {
			r.text(c.Description)
		}
		writeOptions(r, c.Flags)
	}
}

func writeOptions(r *roff, flags []cli.Flag) {
	for _, f := range flags {
		if names, usage, ok := describeFlag(f); ok {
			r.item(names, sentence(usage))
		}
	}
}

func writeConfigManual(r *roff) {
	r.section("Name")
	r.lines("denmap.yaml - configuration of denmap(8)")
	r.section("Description")
	r.text("Every key is optional; a missing file is an empty one. Files conf.d/*.yaml beside it are merged over it, in the order of their names. Unknown keys and bad values are refused with file and line: denmap config check looks for them, denmap config show prints what is in force, and systemctl reload denmap has the daemon take a change over.")
	r.section("Keys")
	for _, k := range config.Reference() {
		def := k.Default
		if def == "" {
			def = `""`
		}
		r.item(k.Path, fmt.Sprintf("%s\nTakes %s. Default: %s", k.Description, k.Range, def))
	}
	r.section("Example")
	r.text("interfaces: [eth0]\nmode: monitor\nlog: {format: text}\nmail: {host: mail.example.org, to: [admin@example.org]}")
	r.section("See also")
	r.lines("denmap(8)")
}

// sentence makes one of a usage text.
func sentence(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".") + "."
}
