// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
)

// TestBenignTwins runs what honest clients do and wants silence: no log
// line, no ban, no refused connection. A real scan in the same lab then
// shows that the silence meant something.
func TestBenignTwins(t *testing.T) {
	for _, offload := range []bool{true, false} {
		for _, version := range []int{4, 6} {
			t.Run(fmt.Sprintf("offload=%v/ipv%d", offload, version), func(t *testing.T) {
				t.Parallel()
				lab := New(t, Options{NoOffload: !offload})
				v := newVisit(lab, version)
				v.victim.ServeHTTP(80, 443)
				v.victim.Attach()
				for _, twin := range serviceTwins {
					if err := twin.run(v); err != nil {
						t.Errorf("%s: %v", twin.name, err)
					}
					checkSilent(t, v.victim, twin.name, v.from)
				}
				checkStillAwake(t, v)
				checkSilent(t, v.victim, "everything together", v.from)
			})
		}
	}
}

// checkSilent wants nothing in the log about a source, and no ban.
func checkSilent(t *testing.T, victim *Host, who string, source netip.Addr) {
	t.Helper()
	for _, line := range victim.LogAbout(source) {
		t.Errorf("%s caused a log line: %s", who, line.Raw)
	}
	bans := victim.MustDenmap("bans", "show", "--format", "plain").Stdout
	if strings.Contains(bans, source.String()) {
		t.Errorf("%s caused a ban: %s", who, bans)
	}
}

// checkStillAwake scans the same victim from another host.
func checkStillAwake(t *testing.T, v visit) {
	t.Helper()
	attacker := v.lab.Host("attacker")
	args := []string{"-n", "-Pn", "-T4", "-sS", "-p", "1000-1100"}
	source := attacker.IPv4
	if v.from.Is6() {
		args, source = append(args, "-6"), attacker.IPv6
	}
	attacker.MustTool("nmap", append(args, v.to.String())...)
	v.victim.WaitBan(source)
	for _, line := range v.victim.Log() {
		if line.Event.Action != "attached" && !line.About(source) {
			t.Errorf("a line about neither the interface nor the scanner: %s", line.Raw)
		}
	}
}
