// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"denmap/userspace/account"
	"denmap/userspace/config"
	"denmap/userspace/confine"
)

// confineFlag is for the packaged service.
func confineFlag() cli.Flag {
	return &cli.BoolFlag{Name: "confine", Usage: "give up all files but those of the configuration (Landlock); other paths take a restart"}
}

// confineDaemon takes from this process the files that a daemon with this
// configuration has no business with. The directories of state and log are
// made if they are missing: afterwards they cannot be.
func (e *environment) confineDaemon(c *cli.Context, cfg config.Config) error {
	if !confine.Available() {
		e.say("warning: this kernel has no Landlock: --confine does nothing")
		return nil
	}
	for _, dir := range []string{cfg.StateDir, filepath.Dir(cfg.Log.Path)} {
		if err := account.MkdirAll(dir, 0o750); err != nil {
			return fmt.Errorf("confine: %w", err)
		}
	}
	configPath := e.ConfigPath
	if c.IsSet("config") {
		configPath = c.String("config")
	}
	write := []string{cfg.StateDir, e.PinDir, filepath.Dir(c.String("control")), os.TempDir()}
	write = append(write, directories(configPath, cfg.Log.Path, cfg.Lists.Allow, cfg.Lists.Deny)...)
	// Host names, certificates and time zones; routes, sessions and the
	// credentials that systemd passes.
	read := []string{"/etc", "/usr", "/proc", "/sys", "/run", "/dev", "/var/lib/ca-certificates"}
	read = append(read, directories(cfg.Geo.Databases...)...)
	for _, file := range []string{cfg.Geo.IPStackKeyFile, cfg.Mail.PasswordFile} {
		if filepath.IsAbs(file) {
			read = append(read, directories(file)...)
		}
	}
	return confine.Files(write, read)
}

// directories returns those of the files, and where a file is a link also
// that of its target: files are replaced by renaming, so that a right to
// the file alone would be lost.
func directories(files ...string) []string {
	var dirs []string
	for _, file := range files {
		dirs = append(dirs, filepath.Dir(file))
		// A file that does not exist yet has no target.
		if target, err := filepath.EvalSymlinks(file); err == nil && target != file {
			dirs = append(dirs, filepath.Dir(target))
		}
	}
	return dirs
}
