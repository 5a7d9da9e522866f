// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
	"denmap/userspace/lists"
)

func listsCheckCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "look for bad lines, duplicates, and entries that have expired or no effect",
		ArgsUsage: "[" + listUsage + "]",
		Flags:     []cli.Flag{jsonFlag()},
		Action:    func(c *cli.Context) error { return checkLists(env, c) },
	}
}

// listCheck is one list in the JSON of lists check.
type listCheck struct {
	List     string        `json:"list"`
	Path     string        `json:"path"`
	OK       bool          `json:"ok"`
	Entries  int           `json:"entries"`
	Problems []listProblem `json:"problems"` // the file is refused for them
	Warnings []listProblem `json:"warnings"`
}

type listProblem struct {
	Line int    `json:"line"`
	Text string `json:"text"`
}

func checkLists(env *environment, c *cli.Context) error {
	kinds, err := someLists(c)
	if err != nil {
		return err
	}
	cfg, err := env.loadConfig(c)
	if err != nil {
		return err
	}
	var checks []listCheck
	var result error
	for _, kind := range kinds {
		check, err := env.checkList(kind, cfg)
		if err != nil {
			return err
		}
		checks = append(checks, check)
		if !check.OK {
			result = exitCode(exitFailed)
		}
	}
	if c.Bool("json") {
		return errors.Join(env.writeJSON(struct {
			Schema int         `json:"schema"`
			Lists  []listCheck `json:"lists"`
		}{schema, checks}), result)
	}
	return errors.Join(env.tellChecks(checks), result)
}

func (e *environment) checkList(kind lists.Kind, cfg config.Config) (listCheck, error) {
	path := listPath(cfg, kind)
	check := listCheck{List: kind.String(), Path: path, OK: true, Problems: []listProblem{}, Warnings: []listProblem{}}
	list, err := lists.Load(path, kind)
	var refused *lists.RefusedError
	if errors.As(err, &refused) {
		check.OK = false
		for _, line := range refused.Lines {
			check.Problems = append(check.Problems, listProblem{line.Line, line.Err.Error()})
		}
		return check, nil
	}
	if err != nil {
		return check, err
	}
	check.Entries = len(list.Entries)
	warnings := list.Warnings(e.Now())
	if kind == lists.Deny {
		// A refused allow list has its own check to say so.
		if allow, err := lists.Load(cfg.Lists.Allow, lists.Allow); err == nil {
			warnings = append(warnings, lists.Ineffective(list, allow, e.Now())...)
		}
	}
	for _, w := range warnings {
		check.Warnings = append(check.Warnings, listProblem{w.Entry.Line, strings.TrimPrefix(w.String(), fmt.Sprintf("line %d: ", w.Entry.Line))})
	}
	return check, nil
}

// tellChecks writes warnings, which are the result, on standard output and
// the bad lines, which are failures, on standard error.
func (e *environment) tellChecks(checks []listCheck) error {
	var text strings.Builder
	for _, check := range checks {
		for _, p := range check.Problems {
			fmt.Fprintf(e.Stderr, "denmap: error: %s:%d: %s\n", check.Path, p.Line, printable(p.Text))
		}
		for _, w := range check.Warnings {
			fmt.Fprintf(&text, "%s:%d: %s\n", check.Path, w.Line, printable(w.Text))
		}
		if check.OK {
			e.say("the %s list is good: %s, %s", check.List, plural(check.Entries, "entry", "entries"), plural(len(check.Warnings), "warning", "warnings"))
		}
	}
	return e.writeText(text.String())
}
