// SPDX-License-Identifier: MIT

package testenv

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPinsUnmounted takes the BPF file system away under the daemon, pins
// and all. The program stays, held by the daemon; the bans go on, and after
// the daemon's end the next one begins anew with the bans it saved.
func TestPinsUnmounted(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	daemon := s.attachAndBan()
	waitSavedBan(s.victim, s.attacker)
	err := s.victim.Inside(func() error { return unix.Unmount("/sys/fs/bpf", unix.MNT_DETACH) })
	if err != nil {
		t.Fatal(err)
	}
	s.checkCut("without pins")
	if r := s.victim.Denmap("health"); r.Code != 2 {
		t.Errorf("health without pins: %v", r)
	}
	scanClosed(s.victim, s.client)
	s.victim.WaitBan(s.client.IPv4)
	if code := daemon.Stop(); code < 0 {
		t.Errorf("exit code %d", code)
	}
	if program, err := s.victim.XDP(uplink); err != nil || program != 0 {
		t.Errorf("program after the stop = %d, %v; want none", program, err)
	}
	s.victim.Attach()
	if s.attacker.Reaches(s.victim.IPv4, 80, 300*time.Millisecond) {
		t.Error("the ban is lost")
	}
	s.checkListed("after the next attach")
}

// TestTwoDaemons wants the second one refused and the first unharmed.
func TestTwoDaemons(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.attachAndBan()
	checkRefusal(t, "second daemon", refuse(t, s.victim, 0, "attach", uplink), "another denmap attach is running")
	s.checkCut("after the second")
	waitProtected(s.victim, uplink)
}

// TestNoFiles starts the daemon with too few file descriptors: it ends with
// one line, wherever it met the limit, and leaves no table or program.
func TestNoFiles(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim := lab.Host("victim")
	victim.MustDenmap("version") // installs the program
	for _, limit := range []string{"8", "16", "32", "48"} {
		r := victim.Tool("prlimit", "--nofile="+limit, denmapPath, "attach", uplink)
		checkRefusal(t, limit+" files", r)
		if program, err := victim.XDP(uplink); err != nil || program != 0 {
			t.Errorf("%s files: left program %d, %v", limit, program, err)
		}
		if _, err := os.Stat(victim.Path(pinDir)); !os.IsNotExist(err) {
			t.Errorf("%s files: left pins, %v", limit, err)
		}
	}
}
