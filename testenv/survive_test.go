// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
	"testing"
	"time"
)

// shortBans is a configuration whose bans end while a test watches.
const shortBans = "ban: {duration: 8s}\n"

// TestKilledDaemon kills the daemon: the kernel goes on dropping, the next
// daemon takes the ban over, and the ban ends when it should.
func TestKilledDaemon(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const short = 8 * time.Second // on a slow machine, an attach takes longer
	s.victim.Configure(fmt.Sprintf("ban: {duration: %ds}\n", int((short * slowness()).Seconds())))
	daemon := s.victim.Attach()
	until := ban(s.victim, s.attacker).Denmap.Ban.Until
	program, err := s.victim.XDP(uplink)
	if err != nil || program == 0 {
		t.Fatalf("program on %s = %d, %v", uplink, program, err)
	}

	daemon.Kill()
	if left, err := s.victim.XDP(uplink); left != program {
		t.Errorf("program after the kill = %d, %v; want %d", left, err, program)
	}
	s.checkCut("with the daemon killed")
	s.checkListed("with the daemon killed")

	s.victim.Attach()
	s.checkCut("after the next attach")
	s.checkListed("after the next attach")

	ended := s.victim.WaitLog(15*time.Second*slowness(), "source-unbanned", func(l LogLine) bool {
		return l.Event.Action == "source-unbanned" && l.About(s.attacker.IPv4)
	})
	// The probes above may have prolonged the ban, never shortened it.
	if ended.Time.Before(until.Add(-time.Second)) {
		t.Errorf("ban ended at %v, before %v", ended.Time, until)
	}
	if !s.attacker.Reaches(s.victim.IPv4, 80, 2*time.Second) {
		t.Error("the source is still cut off after its ban ended")
	}
}

// TestStoppedDaemon stops the daemon as systemctl stop does: no program
// stays, and bans outlive it in the state directory.
func TestStoppedDaemon(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	daemon := s.attachAndBan()
	if code := daemon.Stop(); code != 0 {
		t.Errorf("exit code after SIGTERM = %d, want 0; it said:\n%s", code, daemon.Stderr())
	}
	if program, err := s.victim.XDP(uplink); program != 0 || err != nil {
		t.Errorf("program after the stop = %d, %v; want none", program, err)
	}
	if !s.attacker.Reaches(s.victim.IPv4, 80, time.Second) {
		t.Error("the source is cut off without a program")
	}
	s.victim.Attach()
	s.checkCut("after the next attach")
	s.checkListed("after the next attach")
}

// TestKeep stops a daemon that was started with --keep, as a package
// upgrade does: protection goes on without a gap.
func TestKeep(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	daemon := s.attachAndBan(uplink, "--keep")
	if code := daemon.Stop(); code != 0 {
		t.Errorf("exit code after SIGTERM = %d, want 0; it said:\n%s", code, daemon.Stderr())
	}
	s.checkCut("after the stop")
	s.victim.MustDenmap("detach")
	if program, err := s.victim.XDP(uplink); program != 0 || err != nil {
		t.Errorf("program after detach = %d, %v; want none", program, err)
	}
}
