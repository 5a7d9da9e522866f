// SPDX-License-Identifier: MIT

package testenv

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
)

// Masscan scans the victim's ports from the host by IPv4, at the highest
// rate the link takes, until all probes are sent.
func (h *Host) Masscan(victim *Host, ports string) Result {
	h.t.Helper()
	return h.MasscanFrom(victim, h.IPv4, 1_000_000, ports, victim.IPv4.String())
}

// MasscanFrom is Masscan from one address of the host to targets behind
// the victim's link, of the same IP version, at a rate in packets a second.
func (h *Host) MasscanFrom(victim *Host, source netip.Addr, rate int, ports, targets string) Result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), commandLimit)
	defer cancel()
	// masscan does not use the kernel's routes and neighbours and must be
	// told them.
	cmd := h.Command(ctx, mustTool(h.t, "masscan"),
		"--interface", uplink,
		"--source-ip", source.String(),
		"--adapter-port", "40000",
		"--router-mac", macString(victim),
		"--router-mac-ipv6", macString(victim),
		"--rate", fmt.Sprint(rate),
		"--wait", "0",
		"-p", ports,
		targets)
	// Having sent everything, masscan waits for one more packet, which
	// never comes from a host that drops.
	said := &watcher{text: "waiting -", found: cancel}
	cmd.Stdout, cmd.Stderr = said, said
	r := cmd.Result()
	r.Stderr = said.seen.String()
	return r
}

// watcher keeps what is written to it and calls found when text is in it.
type watcher struct {
	text  string
	found func()
	seen  bytes.Buffer
}

func (w *watcher) Write(p []byte) (int, error) {
	w.seen.Write(p) // a bytes.Buffer never fails
	if bytes.Contains(w.seen.Bytes(), []byte(w.text)) {
		w.found()
	}
	return len(p), nil
}

// ZmapArgs returns zmap's arguments for a sweep of targets for one port.
func ZmapArgs(attacker, victim *Host, port uint16, targets netip.Prefix) []string {
	return []string{
		"--interface", uplink,
		"--source-ip", attacker.IPv4.String(),
		"--gateway-mac", macString(victim),
		// zmap leaves documentation addresses out unless told otherwise.
		"--blacklist-file", "/dev/null",
		"--rate", "1000",
		"--cooldown-time", "1",
		"--quiet",
		"--target-port", fmt.Sprint(port),
		targets.String(),
	}
}

func macString(h *Host) string {
	mac := h.MAC(uplink)
	return net.HardwareAddr(mac[:]).String()
}
