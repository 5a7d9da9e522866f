// SPDX-License-Identifier: MIT

package main

import (
	_ "embed"
	"slices"

	"github.com/urfave/cli/v2"
)

// The scripts only ask the program itself, so they need no change when a
// command is added.
var (
	//go:embed completion/denmap.bash
	bashCompletion string
	//go:embed completion/denmap.zsh
	zshCompletion string
	//go:embed completion/denmap.fish
	fishCompletion string
)

func shellNames() []string { return []string{"bash", "zsh", "fish"} }

func completionCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print the completion script of a shell",
		ArgsUsage: "bash|zsh|fish",
		Description: "bash: denmap completion bash >/etc/bash_completion.d/denmap\n" +
			"zsh:  denmap completion zsh >/usr/local/share/zsh/site-functions/_denmap\n" +
			"fish: denmap completion fish >/etc/fish/completions/denmap.fish",
		Action: func(c *cli.Context) error {
			shell, err := oneArgument(c, choices(shellNames()))
			if err != nil {
				return err
			}
			scripts := []string{bashCompletion, zshCompletion, fishCompletion}
			i := slices.Index(shellNames(), shell)
			if i < 0 {
				return usagef("completion: shell %q: expected %s", shell, choices(shellNames()))
			}
			return env.writeText(scripts[i])
		},
	}
}
