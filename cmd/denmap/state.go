// SPDX-License-Identifier: MIT

package main

import (
	"errors"
	"path/filepath"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"denmap/loader"
	"denmap/userspace/config"
	"denmap/userspace/store"
)

// openState opens the pinned kernel state. The caller closes it. Errors
// are loader's, with what the user can do about them.
func (e *environment) openState() (*loader.State, error) {
	s, err := loader.OpenState(e.PinDir)
	switch {
	case errors.Is(err, loader.ErrNotAttached):
		return nil, withHint(err, "%s", e.whyNotAttached())
	case isOlder(err):
		return nil, withHint(err, "systemctl restart denmap")
	}
	return s, err
}

// isOlder reports whether an earlier denmap pinned the state.
func isOlder(err error) bool {
	var other *loader.LayoutError
	return errors.As(err, &other) && other.Found > 0 && !other.Newer()
}

// whyNotAttached also names the confusing reason: ip netns exec mounts a
// fresh /sys, and the pins are out of sight.
func (e *environment) whyNotAttached() string {
	const usual = "denmap attach IFACE protects an interface"
	var st unix.Statfs_t
	mount := filepath.Dir(e.PinDir)
	err := unix.Statfs(mount, &st)
	if err == nil && uint32(st.Type) != unix.BPF_FS_MAGIC {
		return usual + "; if one is, " + mount + " is hidden here, as by ip netns exec: nsenter --net=/run/netns/NAME hides nothing"
	}
	return usual
}

// optionalState is openState for commands that also work on files alone:
// without pinned state it returns nil.
func (e *environment) optionalState() (*loader.State, error) {
	s, err := e.openState()
	if errors.Is(err, loader.ErrNotAttached) {
		return nil, nil
	}
	return s, err
}

// open reads the configuration in the given way, and the kernel state if
// there is one. The caller closes the state, nil too.
func (e *environment) open(c *cli.Context, load func(*cli.Context) (config.Config, error)) (config.Config, *loader.State, error) {
	cfg, err := load(c)
	if err != nil {
		return cfg, nil, err
	}
	state, err := e.optionalState()
	return cfg, state, err
}

// banFile returns the bans that outlive the kernel.
func (e *environment) banFile(cfg config.Config) *store.Bans {
	return store.NewBans(filepath.Join(cfg.StateDir, "bans.json"), e.Now)
}
