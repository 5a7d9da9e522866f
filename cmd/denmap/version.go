// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"denmap/userspace/geo"
)

// release is set by the linker in packages: -X main.release=1.2.3.
var release string

// version returns the release, or what the Go tool noted of the tree.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}

// revision returns the commit that this was built from, as the Go tool
// noted it; empty if it did not.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

func versionCommand(env *environment) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version",
		Flags: []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			if c.Bool("json") {
				return env.writeJSON(struct {
					Schema       int      `json:"schema"`
					Version      string   `json:"version"`
					Attributions []string `json:"attributions"`
				}{schema, version(), []string{geo.Attribution}})
			}
			return env.writeText(fmt.Sprintf("denmap %s\n%s\n", version(), geo.Attribution))
		},
	}
}
