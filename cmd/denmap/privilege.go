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
	missing := missingCapabilities()
	switch {
	case len(missing) == 0:
		return nil
	case unix.Geteuid() == 0:
		return withHint(fmt.Errorf("%s needs %s, which this root does not have", command, strings.Join(missing, ", ")),
			"run it on the host, or in a container with these capabilities")
	}
	var all []string
	for _, c := range needed {
		all = append(all, c.name)
	}
	return withHint(fmt.Errorf("%s needs root (%s)", command, strings.Join(all, ", ")), "run it with sudo")
}

// missingCapabilities names those that this process does not have.
func missingCapabilities() []string {
	have := effectiveCapabilities()
	var missing []string
	for _, c := range needed {
		if have&(1<<c.bit) == 0 {
			missing = append(missing, c.name)
		}
	}
	return missing
}

func effectiveCapabilities() uint64 {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return 0 // a process can always ask for its own, unless a filter forbids it
	}
	return uint64(data[1].Effective)<<32 | uint64(data[0].Effective)
}
