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

// Where denmap keeps its state, and where it pins what is in the kernel; a
// reboot leaves nothing of the latter.
const (
	statePath = "/var/lib/denmap"
	pinDir    = "/sys/fs/bpf/denmap"
)

// protectLimit is how long an interface that came back may be without a
// program, beside another lab on the same two processors: half a second of
// that is the verifier's. A machine that does nothing else needs one.
const protectLimit = 2 * time.Second

// scene is the lab that most tests start from: the victim serves HTTP on
// port 80, the attacker is to be banned and the client is not.
type scene struct {
	*Lab
	victim, attacker, client *Host
}

// newScene builds one, with other hosts besides the three if they are named.
func newScene(t *testing.T, others ...string) scene {
	t.Helper()
	lab := New(t, Options{Hosts: append([]string{"victim", "attacker", "client"}, others...)})
	s := scene{lab, lab.Host("victim"), lab.Host("attacker"), lab.Host("client")}
	s.victim.ServeHTTP(80)
	return s
}

// attachAndBan protects the victim, by these arguments of attach, and has
// it ban the attacker.
func (s scene) attachAndBan(args ...string) *Daemon {
	s.t.Helper()
	daemon := s.victim.Attach(args...)
	ban(s.victim, s.attacker)
	return daemon
}

// checkCut wants the attacker cut off and the client served.
func (s scene) checkCut(when string) {
	s.t.Helper()
	checkCut(s.victim, when, s.attacker, s.client)
}

// checkListed wants the attacker among the bans that are shown.
func (s scene) checkListed(when string) {
	s.t.Helper()
	bans := s.victim.MustDenmap("bans", "show", "--format", "plain").Stdout
	if !strings.Contains(bans, s.attacker.IPv4.String()) {
		s.t.Errorf("%s: bans do not show %v: %q", when, s.attacker.IPv4, bans)
	}
}

// checkCut wants a banned host cut off from the victim and another one
// served.
func checkCut(victim *Host, when string, banned, other *Host) {
	victim.t.Helper()
	if banned.Reaches(victim.IPv4, 80, 300*time.Millisecond) {
		victim.t.Errorf("%s: the banned source reaches the victim", when)
	}
	if !other.Reaches(victim.IPv4, 80, time.Second) {
		victim.t.Errorf("%s: another source does not reach the victim", when)
	}
}

// ban makes the victim ban a host for a scan, and returns the log line.
func ban(victim, scanner *Host) LogLine {
	victim.t.Helper()
	scanClosed(victim, scanner)
	return victim.WaitBan(scanner.IPv4)
}

// scanClosed makes the victim ban a host, without looking at the log.
func scanClosed(victim, scanner *Host) {
	victim.t.Helper()
	scanner.MustTool("nmap", "-n", "-Pn", "-sS", "-T5", "--max-retries", "0", "-p", "1000-1020", victim.IPv4.String())
}

// waitSavedBan waits until bans.json names a source.
func waitSavedBan(victim, source *Host) {
	victim.t.Helper()
	victim.Eventually(5*time.Second, func() error {
		content, err := os.ReadFile(victim.Path(filepath.Join(statePath, "bans.json")))
		if err == nil && !strings.Contains(string(content), source.IPv4.String()) {
			err = errNotYet("saved ban of " + source.IPv4.String())
		}
		return err
	})
}

// waitProtected waits until an interface has a program and health agrees.
func waitProtected(victim *Host, iface string) {
	victim.t.Helper()
	waitProgram(victim, iface)
	waitHealth(victim, 2*time.Second, 0)
}

// waitProgram waits until an interface has a program.
func waitProgram(victim *Host, iface string) {
	victim.t.Helper()
	victim.Eventually(protectLimit, func() error {
		program, err := victim.XDP(iface)
		if err == nil && program == 0 {
			err = errNotYet("program on " + iface)
		}
		return err
	})
}

// waitHealth waits until health ends with that exit code.
func waitHealth(victim *Host, limit time.Duration, code int) {
	victim.t.Helper()
	victim.Eventually(limit, func() error {
		if r := victim.Denmap("health"); r.Code != code {
			return fmt.Errorf("want exit code %d of %v", code, r)
		}
		return nil
	})
}

// waitServed waits until a host reaches the victim's port 80: a link that
// came up needs a moment.
func waitServed(victim, client *Host, limit time.Duration) {
	victim.t.Helper()
	victim.Eventually(limit, func() error {
		if !client.Reaches(victim.IPv4, 80, 200*time.Millisecond) {
			return errNotYet("connection from " + client.Name)
		}
		return nil
	})
}
