// SPDX-License-Identifier: MIT

package testenv

import (
	"syscall"
	"testing"
	"time"
)

// TestDeadMan stops the daemon in its tracks: once it has been silent for
// dead_man the banned source passes, and no longer when it goes on.
func TestDeadMan(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.victim.Configure("dead_man: 10s\n")
	daemon := s.victim.Attach()
	s.victim.MustDenmap("bans", "add", s.attacker.IPv4.String())
	reaches := func() bool { return s.attacker.Reaches(s.victim.IPv4, 80, 300*time.Millisecond) }
	if reaches() {
		t.Fatal("the banned source passes while the daemon runs")
	}
	stopped := time.Now()
	daemon.Signal(syscall.SIGSTOP)
	defer daemon.Signal(syscall.SIGCONT)
	s.victim.Eventually(20*time.Second, func() error {
		if !reaches() {
			return errNotYet("the banned source to pass")
		}
		return nil
	})
	// The last heartbeat was a second before the stop, or more on a machine
	// that is busy.
	if after := time.Since(stopped); after < 5*time.Second {
		t.Errorf("everything passed %v after the daemon fell silent, want some 10s", after)
	}
	if r := s.victim.Denmap("health"); r.Code != 2 {
		t.Errorf("health: %v, want 2", r)
	}
	daemon.Signal(syscall.SIGCONT)
	s.victim.Eventually(5*time.Second, func() error {
		if reaches() {
			return errNotYet("the ban to be in force again")
		}
		return nil
	})
}
