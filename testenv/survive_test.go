// SPDX-License-Identifier: MIT

package testenv

import (
	"strings"
	"testing"
	"time"
)

// shortBans is a configuration whose bans end while a test watches.
const shortBans = "ban: {duration: 8s}\n"

// checkCut wants a banned host cut off and another one served.
func checkCut(t *testing.T, when string, victim, banned, other *Host) {
	t.Helper()
	if banned.Reaches(victim.IPv4, 80, 300*time.Millisecond) {
		t.Errorf("%s: the banned source reaches the victim", when)
	}
	if !other.Reaches(victim.IPv4, 80, time.Second) {
		t.Errorf("%s: another source does not reach the victim", when)
	}
}

func checkListed(t *testing.T, when string, victim, banned *Host) {
	t.Helper()
	bans := victim.MustDenmap("bans", "show", "--format", "plain").Stdout
	if !strings.Contains(bans, banned.IPv4.String()) {
		t.Errorf("%s: bans do not show %v: %q", when, banned.IPv4, bans)
	}
}

// ban makes the victim ban a host for a scan, and returns the log line.
func ban(victim, scanner *Host) LogLine {
	victim.t.Helper()
	scanner.MustTool("nmap", "-n", "-Pn", "-sS", "-T5", "--max-retries", "0", "-p", "1000-1020", victim.IPv4.String())
	return victim.WaitBan(scanner.IPv4)
}

// TestKilledDaemon kills the daemon: the kernel goes on dropping, the next
// daemon takes the ban over, and the ban ends when it should.
func TestKilledDaemon(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	victim.Configure(shortBans)
	daemon := victim.Attach()
	until := ban(victim, attacker).Denmap.Ban.Until
	program, err := victim.XDP(uplink)
	if err != nil || program == 0 {
		t.Fatalf("program on %s = %d, %v", uplink, program, err)
	}

	daemon.Kill()
	if left, err := victim.XDP(uplink); left != program {
		t.Errorf("program after the kill = %d, %v; want %d", left, err, program)
	}
	checkCut(t, "with the daemon killed", victim, attacker, client)
	checkListed(t, "with the daemon killed", victim, attacker)

	victim.Attach()
	checkCut(t, "after the next attach", victim, attacker, client)
	checkListed(t, "after the next attach", victim, attacker)

	ended := victim.WaitLog(15*time.Second, "source-unbanned", func(l LogLine) bool {
		return l.Event.Action == "source-unbanned" && l.About(attacker.IPv4)
	})
	// The probes above may have prolonged the ban, never shortened it.
	if ended.Time.Before(until.Add(-time.Second)) {
		t.Errorf("ban ended at %v, before %v", ended.Time, until)
	}
	if !attacker.Reaches(victim.IPv4, 80, 2*time.Second) {
		t.Error("the source is still cut off after its ban ended")
	}
}

// TestStoppedDaemon stops the daemon as systemctl stop does: no program
// stays, and bans outlive it in the state directory.
func TestStoppedDaemon(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	daemon := victim.Attach()
	ban(victim, attacker)
	if code := daemon.Stop(); code != 0 {
		t.Errorf("exit code after SIGTERM = %d, want 0; it said:\n%s", code, daemon.Stderr())
	}
	if program, err := victim.XDP(uplink); program != 0 || err != nil {
		t.Errorf("program after the stop = %d, %v; want none", program, err)
	}
	if !attacker.Reaches(victim.IPv4, 80, time.Second) {
		t.Error("the source is cut off without a program")
	}
	victim.Attach()
	checkCut(t, "after the next attach", victim, attacker, client)
	checkListed(t, "after the next attach", victim, attacker)
}

// TestKeep stops a daemon that was started with --keep, as a package
// upgrade does: protection goes on without a gap.
func TestKeep(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	daemon := victim.Attach(uplink, "--keep")
	ban(victim, attacker)
	if code := daemon.Stop(); code != 0 {
		t.Errorf("exit code after SIGTERM = %d, want 0; it said:\n%s", code, daemon.Stderr())
	}
	checkCut(t, "after the stop", victim, attacker, client)
	victim.MustDenmap("detach")
	if program, err := victim.XDP(uplink); program != 0 || err != nil {
		t.Errorf("program after detach = %d, %v; want none", program, err)
	}
}
