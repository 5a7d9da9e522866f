// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

// TestTwinGroups wants silence about everything that resembles a scan,
// with a real scan in the same lab afterwards.
func TestTwinGroups(t *testing.T) { testGroups(t, twinGroups) }

func testGroups(t *testing.T, groups []twinGroup) {
	for _, group := range groups {
		for _, version := range []int{4, 6} {
			t.Run(fmt.Sprintf("%s/ipv%d", group.name, version), func(t *testing.T) {
				t.Parallel()
				v := newVisit(New(t, Options{}), version)
				v.victim.ServeHTTP(80, 443)
				if group.prepare != nil {
					if err := group.prepare(v); err != nil {
						t.Fatal(err)
					}
				}
				v.victim.Attach()
				quiet := newQuiet(v)
				for _, twin := range group.twins {
					if err := twin.run(v); err != nil {
						t.Errorf("%s: %v", twin.name, err)
					}
					quiet.check(t, twin.name)
				}
				quiet.end(t)
			})
		}
	}
}

// quiet watches a victim that nobody should be flagged on.
type quiet struct {
	visit
	logged int // lines about sources that are known
}

func newQuiet(v visit) *quiet { return &quiet{visit: v, logged: len(v.victim.sourceLog())} }

// sourceLog returns the lines about sources, whoever they are.
func (h *Host) sourceLog() []LogLine {
	h.t.Helper()
	return slices.DeleteFunc(h.Log(), func(l LogLine) bool { return l.Source.IP == "" })
}

// check wants no new line, tells the highest score that was reached, and
// forgets it, so that each twin speaks for itself.
func (q *quiet) check(t *testing.T, who string) {
	t.Helper()
	var scored struct {
		Sources []struct {
			Source   string `json:"source"`
			Score    int    `json:"score"`
			UDPScore int    `json:"udp_score"`
		} `json:"sources"`
	}
	out := q.victim.MustDenmap("sources", "--json").Stdout
	if err := json.Unmarshal([]byte(out), &scored); err != nil {
		t.Fatalf("read %q: %v", out, err)
	}
	tcp, udp := 0, 0
	for _, s := range scored.Sources {
		tcp, udp = max(tcp, s.Score), max(udp, s.UDPScore)
	}
	t.Logf("%s: highest score %d, UDP %d", who, tcp, udp)
	if tcp >= 4 || udp >= 8 {
		t.Errorf("%s reached score %d, UDP %d: an alert", who, tcp, udp)
		// The line about it is on its way, and belongs to this twin.
		q.victim.WaitLog(2*time.Second, "alert", func(l LogLine) bool { return l.Event.Action == "scan-detected" })
	}
	q.victim.Denmap("unban", "--all")
	lines := q.victim.sourceLog()
	if caused := lines[q.logged:]; len(caused) > 0 {
		t.Errorf("%s caused %d log lines, the last: %s", who, len(caused), caused[len(caused)-1].Raw)
	}
	q.logged = len(lines)
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
