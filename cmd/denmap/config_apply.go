// SPDX-License-Identifier: MIT

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/lists"
	"denmap/userspace/pending"
	"denmap/userspace/store/safefile"
)

// maxConfig is what the configuration may hold, in bytes.
const maxConfig = 1 << 20

func configApplyCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "apply",
		Usage:     "put FILE in the place of the configuration and in force",
		ArgsUsage: "FILE|-",
		Description: "A file with problems changes nothing, and neither does one that the daemon refuses.\n" +
			"The files of conf.d stay, and go on being read after it.",
		Flags: []cli.Flag{confirmFlag(), forceFlag(), controlFlag()},
		Action: func(c *cli.Context) error {
			from, err := oneArgument(c, "a file, or - for standard input")
			if err != nil {
				return err
			}
			data, err := env.readNewConfig(from)
			if err != nil {
				return err
			}
			path := env.configPath(c)
			after, err := parseInPlace(path, c.IsSet("config"), from, data)
			if err != nil {
				return err
			}
			before, err := env.configAnyway(c)
			if err != nil {
				return err
			}
			if !c.Bool("force") {
				if err := env.refuseConfig(before, after); err != nil {
					return err
				}
			}
			trial, err := env.newTrial(c, before, whatConfig)
			if err != nil {
				return err
			}
			if trial.wait > 0 && after.StateDir != before.StateDir {
				return usagef("option --confirm: another state_dir takes a restart, and cannot be tried")
			}
			return trial.runFile(path, "the configuration", func() (bool, error) { return trial.apply(path, data) })
		},
	}
}

func (e *environment) readNewConfig(from string) ([]byte, error) {
	if from != "-" {
		return safefile.Read(from, maxConfig)
	}
	data, err := io.ReadAll(io.LimitReader(e.Stdin, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("expected at most %d bytes", maxConfig)
	}
	if err != nil {
		return nil, fmt.Errorf("read standard input: %w", err)
	}
	return data, nil
}

// parseInPlace reads data as if it stood in the file at path. Problems are
// told of from, where it comes from.
func parseInPlace(path string, named bool, from string, data []byte) (config.Config, error) {
	if _, err := os.Lstat(path); err != nil && (named || path != config.DefaultPath) {
		return config.Config{}, fmt.Errorf("replace configuration: %w", err)
	}
	sources, err := config.Read(path, named)
	if err != nil {
		return config.Config{}, err
	}
	if from == "-" {
		from = "standard input"
	}
	fresh := config.Source{Name: from, Data: data}
	if len(sources) > 0 && sources[0].Name == path {
		sources[0] = fresh
	} else {
		sources = append([]config.Source{fresh}, sources...)
	}
	return config.Parse(sources)
}

// apply writes the file and has the daemon read it. If it does not take it
// all, the old one comes back.
func (t *trial) apply(path string, data []byte) (bool, error) {
	file, err := safefile.Lock(background(t.c), path, lockWait, 0o755)
	if err != nil {
		return false, err
	}
	defer file.Close()
	old, existed, err := pending.Load(file.Path())
	if err != nil {
		return false, err
	}
	if existed && bytes.Equal(old, data) {
		t.env.say("the configuration is like that already")
		return false, nil
	}
	if err := file.Replace(data, 0o640); err != nil {
		return false, err
	}
	if err := t.reload(); err != nil {
		back := os.Remove
		if existed {
			back = func(string) error { return file.Replace(old, 0o640) }
		}
		if failed := back(file.Path()); failed != nil {
			return true, fmt.Errorf("%w; and the old configuration could not be restored: %w", err, failed)
		}
		if failed := t.reload(); failed != nil {
			return true, fmt.Errorf("%w; and then the old configuration: %w", err, failed)
		}
		return false, fmt.Errorf("the daemon refuses it, the old configuration is back: %w", err)
	}
	t.env.say("the configuration is replaced")
	return true, nil
}

// refuseConfig refuses a configuration by which somebody would be cut off:
// other list files, or a ban score that the caller has reached already.
func (e *environment) refuseConfig(before, after config.Config) error {
	state, err := e.optionalState()
	if err != nil {
		return err
	}
	defer state.Close()
	if before.Lists != after.Lists {
		old, err := e.loadRules(before, state)
		if err != nil {
			// What cannot be read keeps nobody out, so all of the new counts.
			old = rules{allow: &lists.List{}, deny: &lists.List{}}
		}
		fresh, err := e.loadRules(after, state)
		if err != nil {
			return err
		}
		c, err := e.findCut(state, old, fresh)
		if err != nil {
			return err
		}
		if c != nil {
			return forceable(fmt.Errorf("apply: then %s, %s, is dropped: %s", c.addr, c.what, c.why))
		}
	}
	return e.refuseScore(state, before, after)
}

// refuseScore looks at where this session comes from: unless logind or utmp
// knows of it, nothing protects it from being banned.
func (e *environment) refuseScore(state *loader.State, before, after config.Config) error {
	if state == nil || after.Mode == config.Monitor {
		return nil
	}
	for _, addr := range e.Caller() {
		source, found, err := state.Source(addr)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		protected, err := state.Protected(addr)
		if err != nil {
			return err
		}
		reached := source.Score >= after.Detect.BanScore && source.Score < before.Detect.BanScore ||
			source.UDPScore >= after.Detect.UDPBanScore && source.UDPScore < before.Detect.UDPBanScore
		if reached && !protected {
			return forceable(fmt.Errorf("apply: then the next probe bans %s, where your session comes from: its score is %d", addr, max(source.Score, source.UDPScore)))
		}
	}
	return nil
}
