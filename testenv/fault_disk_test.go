// SPDX-License-Identifier: MIT

package testenv

import (
	"fmt"
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
	waitCut(s.victim, s.client, 3*time.Second)
	s.replug()
	thaw()
	s.victim.WaitBan(s.attacker.IPv4)
}

// TestStateDiskSlow has the disk of the state hang: what is to be written
// there waits, and health says so; all else goes on. The long list makes
// the garbage collector run, which a goroutine that is stuck in the memory
// of a mapped file would hold up, and all others with it.
func TestStateDiskSlow(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	disk := s.victim.MountDisk(statePath, 4)
	s.victim.Attach()
	// The history believes for 0.2 s that a disk answers.
	s.victim.Eventually(10*time.Second, func() error {
		info, err := os.Stat(s.victim.Path(statePath + "/.history.alive"))
		if err == nil && time.Since(info.ModTime()) < time.Second {
			err = errNotYet("a history at rest")
		}
		return err
	})
	thaw := disk.Freeze()
	ban(s.victim, s.attacker)
	s.checkCut("with a state that hangs")
	s.checkListed("with a state that hangs")
	var list strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&list, "2001:db8:%x:%x::/64\n", i>>16, i&0xffff)
	}
	s.victim.WriteFile(denyPath, list.String()+s.client.IPv4.String()+"\n")
	waitCut(s.victim, s.client, 10*time.Second)
	s.replug()
	s.victim.Eventually(time.Minute, func() error {
		if r := s.victim.Denmap("health"); r.Code != 1 || !strings.Contains(r.Stdout, "saved bans: not looked after") {
			return errNotYet("a warning: " + r.String())
		}
		return nil
	})
	thaw()
	waitSavedBan(s.victim, s.attacker)
	waitHealth(s.victim, 20*time.Second, 0)
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

// waitCut waits until a host is cut off from the victim.
func waitCut(victim, from *Host, limit time.Duration) {
	victim.t.Helper()
	victim.Eventually(limit, func() error {
		if from.Reaches(victim.IPv4, 80, 100*time.Millisecond) {
			return errNotYet("end of " + from.Name)
		}
		return nil
	})
}

// replug deletes the victim's interface, makes it again, and waits until it
// is protected.
func (s scene) replug() {
	s.t.Helper()
	if err := s.victim.Netlink().LinkDel(s.victim.Link(uplink)); err != nil {
		s.t.Fatalf("delete %q: %v", uplink, err)
	}
	s.Replug(s.victim)
	waitProgram(s.victim, uplink)
}
