// SPDX-License-Identifier: MIT

package netstate

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/google/nftables"
	"golang.org/x/sys/unix"
)

// publishes reports whether this host gives ports to others by address
// translation: rules in a nat chain that incoming packets pass (nftables,
// and iptables on top of it), a loaded nat table of the older iptables, or
// IPVS services. Such ports have no socket of this host.
func publishes() (bool, error) {
	for _, path := range []string{"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"} {
		if names, err := os.ReadFile(path); err == nil && strings.Contains("\n"+string(names), "\nnat\n") {
			return true, nil
		}
	}
	// Three lines of head come before the first service.
	if services, err := os.ReadFile("/proc/net/ip_vs"); err == nil && strings.Count(string(services), "\n") > 3 {
		return true, nil
	}
	return translates()
}

// isAbsent reports whether an error says that the kernel has no nftables.
func isAbsent(err error) bool {
	return errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EOPNOTSUPP) ||
		errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT)
}

func translates() (bool, error) {
	conn, err := nftables.New()
	if err != nil {
		return false, fmt.Errorf("open nftables: %w", err)
	}
	chains, err := conn.ListChains()
	if isAbsent(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("list nftables chains: %w", err)
	}
	for _, c := range chains {
		if c.Type != nftables.ChainTypeNAT || c.Hooknum == nil || *c.Hooknum != *nftables.ChainHookPrerouting {
			continue
		}
		rules, err := conn.GetRules(c.Table, c)
		if err != nil {
			return false, fmt.Errorf("list rules of nftables chain %q: %w", c.Name, err)
		}
		if len(rules) > 0 {
			return true, nil
		}
	}
	return false, nil
}
