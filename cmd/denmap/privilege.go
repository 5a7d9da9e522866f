// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// needed are the capabilities that loading and attaching takes.
var needed = []struct {
	bit  int
	name string
}{
	{unix.CAP_BPF, "CAP_BPF"},
	{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN"},
	{unix.CAP_PERFMON, "CAP_PERFMON"},
}

// needCapabilities refuses a command that would fail half-way.
func needCapabilities(command string) error {
	have, err := effectiveCapabilities()
	if err != nil {
		return err
	}
	var missing, all []string
	for _, c := range needed {
		all = append(all, c.name)
		if have&(1<<c.bit) == 0 {
			missing = append(missing, c.name)
		}
	}
	switch {
	case len(missing) == 0:
		return nil
	case unix.Geteuid() == 0:
		return withHint(fmt.Errorf("%s needs %s, which this root does not have", command, strings.Join(missing, ", ")),
			"run it on the host, or in a container with these capabilities")
	}
	return withHint(fmt.Errorf("%s needs root (%s)", command, strings.Join(all, ", ")), "run it with sudo")
}

func effectiveCapabilities() (uint64, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective), nil
}
