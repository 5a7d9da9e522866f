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

// savedBan waits until bans.json names a source.
func savedBan(victim, source *Host) {
	victim.t.Helper()
	victim.Eventually(5*time.Second, func() error {
		content, err := os.ReadFile(victim.Path(filepath.Join(statePath, "bans.json")))
		if err == nil && !strings.Contains(string(content), source.IPv4.String()) {
			err = errNotYet("saved ban of " + source.IPv4.String())
		}
		return err
	})
}

// scan makes the victim ban a host, without looking at the log.
func scanClosed(victim, scanner *Host) {
	victim.t.Helper()
	scanner.MustTool("nmap", "-n", "-Pn", "-sS", "-T5", "--max-retries", "0", "-p", "1000-1020", victim.IPv4.String())
}

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
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	log, state := victim.MountDisk(logDir, 4), victim.MountDisk(statePath, 4)
	daemon := victim.Attach()

	roomForLog, roomForState := log.Fill(), state.Fill()
	// The last block of the log may have had room for a line.
	for len(victim.Log()) < 20 {
		before := len(victim.Log())
		victim.MustDenmap("lists", "add", "allow", "192.0.2.1")
		victim.MustDenmap("lists", "remove", "allow", "192.0.2.1")
		if len(victim.Log()) == before && strings.Contains(daemon.Stderr(), "no space left") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	scanClosed(victim, attacker)
	checkCut(t, "with full disks", victim, attacker, client)
	checkListed(t, "with full disks", victim, attacker)
	troubled(victim, "no space left")

	daemon.Kill()
	daemon = victim.Attach()
	checkCut(t, "after a start on full disks", victim, attacker, client)
	checkListed(t, "after a start on full disks", victim, attacker)

	roomForLog()
	roomForState()
	savedBan(victim, attacker)
	scanClosed(victim, client)
	victim.WaitBan(client.IPv4)
	waitProtected(victim, uplink)
	if strings.Contains(daemon.Stderr(), "panic") {
		t.Errorf("the daemon said %s", daemon.Stderr())
	}
}

// TestDiskReadOnly has the disks of log and state refuse every write, as
// ext4 does after an error.
func TestDiskReadOnly(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	disks := []*Disk{victim.MountDisk(logDir, 4), victim.MountDisk(statePath, 4)}
	daemon := victim.Attach()
	for _, d := range disks {
		d.Fail()
	}
	scanClosed(victim, attacker)
	checkCut(t, "with failed disks", victim, attacker, client)
	checkListed(t, "with failed disks", victim, attacker)
	troubled(victim, "read-only file system")
	if code := daemon.Stop(); code < 0 {
		t.Errorf("exit code after SIGTERM = %d", code)
	}
}

// TestLogDiskSlow has the disk of the log hang: nothing waits for it but
// what is to be written there.
func TestLogDiskSlow(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	disk := victim.MountDisk(logDir, 4)
	victim.Attach()
	thaw := disk.Freeze()
	scanClosed(victim, attacker)
	checkCut(t, "with a log that hangs", victim, attacker, client)
	savedBan(victim, attacker)
	// Lists and interfaces are still looked after.
	victim.WriteFile(denyPath, client.IPv4.String()+"\n")
	victim.Eventually(3*time.Second, func() error {
		if client.Reaches(victim.IPv4, 80, 100*time.Millisecond) {
			return errNotYet("end of the client")
		}
		return nil
	})
	if err := victim.Netlink().LinkDel(victim.Link(uplink)); err != nil {
		t.Fatal(err)
	}
	lab.Replug(victim)
	waitProtected(victim, uplink)
	thaw()
	victim.WaitBan(attacker.IPv4)
}

// TestStateDiskSlow has the disk of the state hang. The daemon may then
// hang as well, with its history; the kernel does not, and nothing is
// forgotten.
func TestStateDiskSlow(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	disk := victim.MountDisk(statePath, 4)
	victim.Attach()
	thaw := disk.Freeze()
	scanClosed(victim, attacker)
	checkCut(t, "with a state that hangs", victim, attacker, client)
	checkListed(t, "with a state that hangs", victim, attacker)
	thaw()
	victim.WaitBan(attacker.IPv4)
	savedBan(victim, attacker)
}

// TestLogDirectoryRemoved takes the log's directory away under the daemon.
func TestLogDirectoryRemoved(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.ServeHTTP(80)
	dir := filepath.Join(logDir, "own")
	path := filepath.Join(dir, "events.log")
	victim.Configure("log: {path: " + path + "}\n")
	victim.Attach()
	if err := os.RemoveAll(victim.Path(dir)); err != nil {
		t.Fatal(err)
	}
	scanClosed(victim, attacker)
	checkCut(t, "without the directory", victim, attacker, client)
	victim.Eventually(5*time.Second, func() error {
		content, err := os.ReadFile(victim.Path(path))
		if err == nil && !strings.Contains(string(content), `"source-banned"`) {
			err = errNotYet("ban in the log")
		}
		return err
	})
	info, err := os.Stat(victim.Path(path))
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the new log: %v, %v", info, err)
	}
}
