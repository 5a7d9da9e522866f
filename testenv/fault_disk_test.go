// SPDX-License-Identifier: MIT

package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// logDir is the directory of the event log.
var logDir = filepath.Dir(LogPath)

// troubled waits until health tells of a text, with a warning.
func troubled(victim *Host, text string) {
	victim.t.Helper()
	victim.Eventually(5*time.Second, func() error {
		if r := victim.Denmap("health"); r.Code != 1 || !strings.Contains(strings.ToLower(r.Stdout), text) {
			return errNotYet("warning of " + text + ": " + r.String())
		}
		return nil
	})
}

// TestDiskFull fills the disks of the log and of the state: the kernel bans
// all the same, health tells, and with room again everything is written,
// with a line that says what is not in the log.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	log, state := s.victim.MountDisk(logDir, 4), s.victim.MountDisk(statePath, 4)
	daemon := s.victim.Attach()

	roomForLog, roomForState := log.Fill(), state.Fill()
	// The last block of the log may have had room for a line.
	for len(s.victim.Log()) < 20 {
		before := len(s.victim.Log())
		s.victim.MustDenmap("lists", "add", "allow", "192.0.2.1")
		s.victim.MustDenmap("lists", "remove", "allow", "192.0.2.1")
		if len(s.victim.Log()) == before && strings.Contains(daemon.Stderr(), "no space left") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	scanClosed(s.victim, s.attacker)
	s.checkCut("with full disks")
	s.checkListed("with full disks")
	troubled(s.victim, "no space left")

	daemon.Kill()
	daemon = s.victim.Attach()
	s.checkCut("after a start on full disks")
	s.checkListed("after a start on full disks")

	roomForLog()
	roomForState()
	waitSavedBan(s.victim, s.attacker)
	scanClosed(s.victim, s.client)
	s.victim.WaitBan(s.client.IPv4)
	waitProtected(s.victim, uplink)
	if strings.Contains(daemon.Stderr(), "panic") {
		t.Errorf("the daemon said %s", daemon.Stderr())
	}
}

// TestDiskReadOnly has the disks of log and state refuse every write, as
// ext4 does after an error.
func TestDiskReadOnly(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	disks := []*Disk{s.victim.MountDisk(logDir, 4), s.victim.MountDisk(statePath, 4)}
	daemon := s.victim.Attach()
	for _, d := range disks {
		d.Fail()
	}
	scanClosed(s.victim, s.attacker)
	s.checkCut("with failed disks")
	s.checkListed("with failed disks")
	troubled(s.victim, "read-only file system")
	if code := daemon.Stop(); code < 0 {
		t.Errorf("exit code after SIGTERM = %d", code)
	}
}

// TestLogDiskSlow has the disk of the log hang: nothing waits for it but
// what is to be written there.
func TestLogDiskSlow(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	disk := s.victim.MountDisk(logDir, 4)
	s.victim.Attach()
	thaw := disk.Freeze()
	scanClosed(s.victim, s.attacker)
	s.checkCut("with a log that hangs")
	waitSavedBan(s.victim, s.attacker)
	// Lists and interfaces are still looked after.
	s.victim.WriteFile(denyPath, s.client.IPv4.String()+"\n")
	s.victim.Eventually(3*time.Second, func() error {
		if s.client.Reaches(s.victim.IPv4, 80, 100*time.Millisecond) {
			return errNotYet("end of the client")
		}
		return nil
	})
	if err := s.victim.Netlink().LinkDel(s.victim.Link(uplink)); err != nil {
		t.Fatal(err)
	}
	s.Replug(s.victim)
	waitProtected(s.victim, uplink)
	thaw()
	s.victim.WaitBan(s.attacker.IPv4)
}

// TestStateDiskSlow has the disk of the state hang. The daemon may then
// hang as well, with its history; the kernel does not, and nothing is
// forgotten.
func TestStateDiskSlow(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	disk := s.victim.MountDisk(statePath, 4)
	s.victim.Attach()
	thaw := disk.Freeze()
	scanClosed(s.victim, s.attacker)
	s.checkCut("with a state that hangs")
	s.checkListed("with a state that hangs")
	thaw()
	s.victim.WaitBan(s.attacker.IPv4)
	waitSavedBan(s.victim, s.attacker)
}

// TestLogDirectoryRemoved takes the log's directory away under the daemon.
func TestLogDirectoryRemoved(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	dir := filepath.Join(logDir, "own")
	path := filepath.Join(dir, "events.log")
	s.victim.Configure("log: {path: " + path + "}\n")
	s.victim.Attach()
	if err := os.RemoveAll(s.victim.Path(dir)); err != nil {
		t.Fatal(err)
	}
	scanClosed(s.victim, s.attacker)
	s.checkCut("without the directory")
	s.victim.Eventually(5*time.Second, func() error {
		content, err := os.ReadFile(s.victim.Path(path))
		if err == nil && !strings.Contains(string(content), `"source-banned"`) {
			err = errNotYet("ban in the log")
		}
		return err
	})
	info, err := os.Stat(s.victim.Path(path))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the new log: %v, %v", info, err)
	}
}
