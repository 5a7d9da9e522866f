// SPDX-License-Identifier: MIT

package testenv

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestRingOverrun holds the daemon while 9,000 sources are banned, an
// event each: more than the ring buffer takes. Every ban is in force, and
// once the daemon goes on, every one is saved and in the log, and what was
// lost is counted.
func TestRingOverrun(t *testing.T) {
	t.Parallel()
	const sources = 9000
	lab := New(t, Options{Hosts: []string{"victim", "attacker", "forger"}})
	victim, forger := lab.Host("victim"), lab.Host("forger")
	victim.Configure("detect: {alert_score: 1, ban_score: 2, drop_crafted: false}\n")
	daemon := victim.Attach()
	daemon.Signal(syscall.SIGSTOP)
	forger.flood(t, victim, forgedFlood{sources: sources, ports: []uint16{2001, 2002}})
	count := func() int { return len(plainBans(victim)) }
	if n := count(); n != sources {
		t.Errorf("%d bans while the daemon is held, want %d", n, sources)
	}
	if r := victim.Denmap("health"); r.Code != 1 || !strings.Contains(r.Stdout, "lost") {
		t.Errorf("health while events are lost: %v", r)
	}
	daemon.Signal(syscall.SIGCONT)
	victim.Eventually(60*time.Second, func() error {
		// All of it is read only when there may be enough.
		if bytes.Count(victim.rawLog(), []byte(`"source-banned"`)) < sources {
			time.Sleep(200 * time.Millisecond)
			return errNotYet("line about every ban")
		}
		lost, banned := false, make(map[string]int)
		for _, l := range victim.Log() {
			lost = lost || l.Event.Action == "events-lost"
			if l.Event.Action == "source-banned" {
				banned[l.Source.IP]++
				if banned[l.Source.IP] > 1 {
					t.Fatalf("two lines about the ban of %s", l.Source.IP)
				}
			}
		}
		if !lost || len(banned) < sources {
			return errNotYet("line about every ban and the loss")
		}
		return nil
	})
	if n := count(); n != sources {
		t.Errorf("%d bans afterwards, want %d", n, sources)
	}
	victim.Eventually(10*time.Second, func() error {
		if n := strings.Count(victim.ReadFile(statePath+"/bans.json"), `"source"`); n != sources {
			return errNotYet("all bans in the file")
		}
		return nil
	})
}
