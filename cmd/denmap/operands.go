// SPDX-License-Identifier: MIT

package main

import (
	"net/netip"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/lists"
	"denmap/userspace/units"
)

// noArguments refuses arguments of a command that takes none.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return withHint(usagef("%s: unexpected argument %q", words(c), c.Args().First()), "usage: %s", usageLine(c))
	}
	return nil
}

// oneArgument returns the only argument.
func oneArgument(c *cli.Context, what string) (string, error) {
	if c.NArg() != 1 {
		return "", withHint(usagef("%s: expected %s, got %s", words(c), what, plural(c.NArg(), "argument", "arguments")), "usage: %s", usageLine(c))
	}
	return c.Args().First(), nil
}

// oneAddress returns the only argument, an IP address.
func oneAddress(c *cli.Context) (netip.Addr, error) {
	arg, err := oneArgument(c, "one address")
	if err != nil {
		return netip.Addr{}, err
	}
	addr, err := lists.ParseAddr(arg)
	if err != nil {
		return netip.Addr{}, badValue(err)
	}
	return addr, nil
}

// withoutArguments loads the configuration for a command that takes no
// arguments.
func withoutArguments(c *cli.Context, load func(*cli.Context) (config.Config, error)) (config.Config, error) {
	if err := noArguments(c); err != nil {
		return config.Config{}, err
	}
	return load(c)
}

// listArgument splits allow or deny from the arguments behind it, of which
// there must be at least one.
func listArgument(c *cli.Context, what string) (lists.Kind, []string, error) {
	if c.NArg() == 0 {
		return 0, nil, withHint(usagef("%s: expected allow or deny, and %s", words(c), what), "usage: %s", usageLine(c))
	}
	kind, err := lists.ParseKind(c.Args().First())
	if err != nil {
		return 0, nil, badValue(err)
	}
	if c.NArg() == 1 {
		return 0, nil, withHint(usagef("%s %s: expected %s", words(c), kind, what), "usage: %s", usageLine(c))
	}
	return kind, c.Args().Tail(), nil
}

// words returns the command's words, without the program's name.
func words(c *cli.Context) string {
	const program = "denmap "
	return c.Command.HelpName[min(len(program), len(c.Command.HelpName)):]
}

func usageLine(c *cli.Context) string {
	return strings.TrimSpace(c.Command.HelpName + " " + c.Command.ArgsUsage)
}

// prefixes reads addresses and networks, all or none.
func prefixes(args []string) ([]netip.Prefix, error) {
	out := make([]netip.Prefix, len(args))
	for i, arg := range args {
		p, err := lists.ParsePrefix(arg)
		if err != nil {
			return nil, badValue(err)
		}
		out[i] = p
	}
	return out, nil
}

// duration reads an option that is a duration; zero if it is not given.
func duration(c *cli.Context, name string) (time.Duration, error) {
	if !c.IsSet(name) {
		return 0, nil
	}
	d, err := units.ParseDuration(c.String(name))
	if err != nil {
		return 0, usagef("option %s: %v", dashed(name), err)
	}
	return d, nil
}
