// SPDX-License-Identifier: MIT

package main

import (
	"context"
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	"denmap/userspace/config"
)

// newApp builds the command tree. Arguments must have gone through arrange
// first: the library stops reading options at the first argument.
func newApp(env *environment) *cli.App {
	return &cli.App{
		Name:      "denmap",
		HelpName:  "denmap",
		Usage:     "protect this host from port scans, in the kernel",
		Writer:    env.Stdout,
		ErrWriter: env.Stderr,
		Flags: []cli.Flag{
			&cli.StringFlag{
				Name: "config", Usage: "read the configuration from `FILE`", EnvVars: []string{"DENMAP_CONFIG"},
				DefaultText: env.ConfigPath,
			},
			&cli.BoolFlag{Name: "debug", Usage: "with an error, show the kernel verifier's whole log"},
		},
		Commands: []*cli.Command{
			attachCommand(env),
			detachCommand(env),
			statusCommand(env),
			healthCommand(env),
			listsCommand(env),
			bansCommand(env),
			unbanCommand(env),
			checkCommand(env),
			confirmCommand(env),
			pauseCommand(env),
			resumeCommand(env),
			sourcesCommand(env),
			logCommand(env),
			historyCommand(env),
			dashboardCommand(env),
			reportCommand(env),
			whyCommand(env),
			replayCommand(env),
			doctorCommand(env),
			mailCommand(env),
			geoCommand(env),
			configCommand(env),
			completionCommand(env),
			versionCommand(env),
			completeCommand(env),
			manualCommand(env),
		},
		// Help and its options are help.go's: the library's are package
		// variables that every app in the process changes.
		HideHelp:                  true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		OnUsageError:              onUsageError,
		ExitErrHandler:            func(*cli.Context, error) {},
	}
}

// onUsageError keeps the library from printing usage: run reports errors.
func onUsageError(_ *cli.Context, err error, _ bool) error { return badValue(err) }

// run executes one command line, without the program's name, and returns
// the exit code.
func run(ctx context.Context, env *environment, args []string) int {
	app := newApp(env)
	finish(app.Commands)
	line, err := arrange(app, args)
	if err != nil {
		return env.report(err, "", false)
	}
	if line.help {
		return env.report(writeHelp(env.Stdout, app, line.path), line.name(), false)
	}
	err = app.RunContext(ctx, append([]string{app.Name}, line.argv...))
	return env.report(err, line.name(), line.has("debug"))
}

// finish sets on every command what is the same for all.
func finish(commands []*cli.Command) {
	for _, c := range commands {
		c.HideHelp = true
		c.OnUsageError = onUsageError
		finish(c.Subcommands)
	}
}

// loadConfig reads the configuration that the command line names.
func (e *environment) loadConfig(c *cli.Context) (config.Config, error) {
	if c.IsSet("config") {
		return config.Load(c.String("config"), true)
	}
	return config.Load(e.ConfigPath, false)
}

// salvageConfig is loadConfig for commands that must work when the
// configuration does not: bad is what is wrong with it, and the values are
// those that are good, over the defaults. Files that cannot be read are an
// error.
func (e *environment) salvageConfig(c *cli.Context) (cfg config.Config, bad *config.Error, err error) {
	path, named := e.ConfigPath, c.IsSet("config")
	if named {
		path = c.String("config")
	}
	sources, err := config.Read(path, named)
	if err != nil {
		return config.Config{}, nil, err
	}
	cfg, err = config.Salvage(sources)
	if errors.As(err, &bad) {
		err = nil
	}
	return cfg, bad, err
}

// configAnyway is salvageConfig that warns of what is wrong.
func (e *environment) configAnyway(c *cli.Context) (config.Config, error) {
	cfg, bad, err := e.salvageConfig(c)
	if bad != nil {
		e.say("warning: %s; going on without the bad values", oneLine(bad))
	}
	return cfg, err
}

// jsonFlag is that of every reading command.
func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON document"}
}

// writeText writes a command's result.
func (e *environment) writeText(text string) error {
	_, err := io.WriteString(e.Stdout, text)
	return err
}
