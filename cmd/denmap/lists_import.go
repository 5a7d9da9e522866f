// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"

	"github.com/urfave/cli/v2"

	"denmap/userspace/lists"
)

func listsImportCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "add a feed of addresses to a list",
		ArgsUsage: listUsage + " FILE|-",
		Description: "The feed has one address or network a line; what follows it on the line is ignored.\n" +
			"Own, protected, private, loopback, multicast and very wide networks are skipped without --force.",
		Flags: append(entryFlags(), confirmFlag(), controlFlag()),
		Action: func(c *cli.Context) error {
			kind, args, err := listArgument(c, "a file, or - for standard input")
			if err != nil {
				return err
			}
			if len(args) > 1 {
				return withHint(usagef("lists import: unexpected argument %q", args[1]), "usage: %s", usageLine(c))
			}
			return importList(env, c, kind, args[0])
		},
	}
}

func importList(env *environment, c *cli.Context, kind lists.Kind, feed string) error {
	// The options make the entries; an entry of its own checks them.
	pattern, err := newEntries(env, c, kind, []string{"192.0.2.1"})
	if err != nil {
		return err
	}
	cfg, state, err := env.open(c, env.loadConfig)
	if err != nil {
		return err
	}
	defer state.Close()
	precious, err := env.vital(state)
	if err != nil {
		return err
	}
	path := listPath(cfg, kind)
	trial, err := env.newTrial(c, cfg, kind.String())
	if err != nil {
		return err
	}
	before, err := lists.Load(path, kind)
	if err != nil {
		return explainEdit(err, precious)
	}
	show := env.progress("read")
	opts := lists.ImportOptions{
		Own: precious.own(), Protected: precious.prefixes(), Force: c.Bool("force"),
		Until: pattern[0].Until, Comment: pattern[0].Comment, Watch: pattern[0].Watch, Now: env.Now(),
	}
	if show != nil {
		opts.Progress = func(lines int) { show(lines, 0) }
	}
	read, err := env.importer(c, kind, path, feed, trial.wait > 0, opts)
	if err != nil {
		return err
	}
	return trial.runFile(path, "an import into the "+kind.String()+" list", func() (bool, error) {
		result, err := read()
		if show != nil {
			show(0, 0)
		}
		if err != nil {
			return false, explainEdit(err, precious)
		}
		env.tellImport(kind, result)
		return result.Added+result.Updated > 0, env.enforceImport(c, kind, path, before)
	})
}

// importer returns what imports the feed into the list at path. A change that
// waits to be confirmed reads the feed at once: a slow one must not use up
// the time for that.
func (e *environment) importer(c *cli.Context, kind lists.Kind, path, feed string, waits bool, opts lists.ImportOptions) (func() (*lists.ImportResult, error), error) {
	if waits {
		data, err := e.wholeFeed(feed)
		if err != nil {
			return nil, err
		}
		return func() (*lists.ImportResult, error) {
			return lists.Import(c.Context, path, kind, bytes.NewReader(data), opts)
		}, nil
	}
	return func() (*lists.ImportResult, error) {
		if feed == "-" {
			return lists.Import(c.Context, path, kind, e.Stdin, opts)
		}
		return lists.ImportFile(c.Context, path, kind, feed, opts)
	}, nil
}

// wholeFeed reads a feed to its end.
func (e *environment) wholeFeed(feed string) ([]byte, error) {
	from := e.Stdin
	if feed != "-" {
		f, err := os.Open(feed)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, lists.MaxFeedSize+1))
	if err != nil {
		return nil, fmt.Errorf("read feed: %w", err)
	}
	return data, nil
}

// tellImport sums up an import, with what was left out and why.
func (e *environment) tellImport(kind lists.Kind, r *lists.ImportResult) {
	skipped := 0
	for _, n := range r.Skipped {
		skipped += n
	}
	e.say("%s list: %d added, %d updated, %d skipped of %s; %s", kind,
		r.Added, r.Updated, skipped, plural(r.Lines, "line", "lines"), plural(r.Total, "entry", "entries"))
	for _, reason := range lists.Reasons() {
		if n := r.Skipped[reason]; n > 0 {
			e.say("skipped %d: %v", n, reason)
		}
	}
	for _, bad := range r.Invalid {
		e.say("%v", bad)
	}
	if r.Masked > 0 {
		e.say("%s had host bits, which were removed", plural(r.Masked, "line", "lines"))
	}
}

// enforceImport waits for what the import added. The state is opened anew:
// a daemon may have come or gone while the feed was read.
func (e *environment) enforceImport(c *cli.Context, kind lists.Kind, path string, before *lists.List) error {
	state, err := e.optionalState()
	if err != nil {
		return errors.Join(errNotEnforced, err)
	}
	defer state.Close()
	after, err := lists.Load(path, kind)
	if err != nil {
		return errors.Join(errNotEnforced, err)
	}
	added, _ := lists.Diff(before.Active(e.Now()), after.Active(e.Now()))
	return e.enforceList(c, state, kind, path, added)
}

// own returns this host's addresses.
func (p preciousAddrs) own() []netip.Prefix {
	var out []netip.Prefix
	for a, what := range p.what {
		if what == ownAddress {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}
