// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"testing"
)

// TestTwinGroups wants silence about everything that resembles a scan,
// with a real scan in the same lab afterwards.
func TestTwinGroups(t *testing.T) { testGroups(t, twinGroups) }

func testGroups(t *testing.T, groups []twinGroup) {
	for _, group := range groups {
		for _, version := range []int{4, 6} {
			t.Run(fmt.Sprintf("%s/ipv%d", group.name, version), func(t *testing.T) {
				t.Parallel()
				quiet, err := group.start(t, version)
				if err != nil {
					t.Fatal(err)
				}
				for _, twin := range group.twins {
					if err := twin.run(quiet.visit); err != nil {
						t.Errorf("%s: %v", twin.name, err)
					}
					quiet.check(t, twin.name)
				}
				quiet.end(t)
			})
		}
	}
}

// check wants no new line, tells the highest score that was reached, and
// forgets it, so that each twin speaks for itself.
func (q *quiet) check(t *testing.T, who string) {
	t.Helper()
	o := q.ask()
	t.Logf("%s: highest score %d, UDP %d", who, o.Score, o.UDPScore)
	if o.Score >= alertScore || o.UDPScore >= udpAlertScore {
		t.Errorf("%s reached score %d, UDP %d: an alert", who, o.Score, o.UDPScore)
	}
	if o.Lines > 0 {
		t.Errorf("%s caused %d log lines, the last: %s", who, o.Lines, q.lines[len(q.lines)-1].Raw)
	}
}

// end scans the victim from another host, which must not stay unnoticed.
func (q *quiet) end(t *testing.T) {
	t.Helper()
	attacker := q.lab.Host("attacker")
	args, source := []string{"-n", "-Pn", "-T4", "-sS", "-p", "1000-1100"}, attacker.IPv4
	if q.from.Is6() {
		args, source = append(args, "-6"), attacker.IPv6
	}
	attacker.MustTool("nmap", append(args, q.to.String())...)
	q.victim.WaitBan(source)
}
