// SPDX-License-Identifier: MIT

package netstate

import (
	"errors"
	"fmt"
	"io/fs"
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
	for _, family := range []string{"ip", "ip6"} {
		if hasTable("/proc/net/"+family+"_tables_names", "/proc/modules", family) {
			return true, nil
		}
	}
	// Three lines of head come before the first service.
	if services, err := os.ReadFile("/proc/net/ip_vs"); err == nil && strings.Count(string(services), "\n") > 3 {
		return true, nil
	}
	return translates()
}

// hasTable reports whether the older iptables or ip6tables has a nat table.
// Only root may read the tables' names; anybody else learns whether the
// module that makes the table is loaded, which is enough of a reason to
// wait for answers.
func hasTable(names, modules, family string) bool {
	text, err := os.ReadFile(names)
	line := "nat"
	if errors.Is(err, fs.ErrPermission) {
		text, err = os.ReadFile(modules)
		line = family + "table_nat"
	}
	if err != nil {
		return false
	}
	for l := range strings.Lines(string(text)) {
		if name, _, _ := strings.Cut(strings.TrimSpace(l), " "); name == line {
			return true
		}
	}
	return false
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
