// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestReboot ends the daemon and everything in the kernel during a ban: the
// next one puts the ban in force again, for the rest of its time, and the
// history goes on.
func TestReboot(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.victim.WriteMMDB(Net4)
	s.victim.Configure("geo: {databases: [" + MMDBPath + "]}\n")
	daemon := s.victim.Attach()
	banned := ban(s.victim, s.attacker)
	until := banned.Denmap.Ban.Until
	waitSavedBan(s.victim, s.attacker)
	daemon.Kill()
	if err := os.RemoveAll(s.victim.Path(pinDir)); err != nil {
		t.Fatal(err)
	}
	s.victim.Eventually(5*time.Second, func() error { // links are freed a moment later
		if program, err := s.victim.XDP(uplink); err != nil || program != 0 {
			return fmt.Errorf("program %d is still there, %v", program, err)
		}
		return nil
	})
	if !s.attacker.Reaches(s.victim.IPv4, 80, time.Second) {
		t.Fatal("without a program, the attacker does not get through")
	}

	next := s.victim.Attach()
	next.WaitStderr(5*time.Second, "restored 1 of 1 bans")
	s.checkCut("after the reboot")
	var bans struct {
		Bans []struct {
			Source string    `json:"source"`
			Until  time.Time `json:"until"`
		} `json:"bans"`
	}
	out := s.victim.MustDenmap("bans", "--json").Stdout
	if err := json.Unmarshal([]byte(out), &bans); err != nil || len(bans.Bans) != 1 {
		t.Fatalf("bans %v: %s", err, out)
	}
	if late := bans.Bans[0].Until.Sub(until); late.Abs() > 2*time.Second {
		t.Errorf("the ban ends at %v, want %v", bans.Bans[0].Until, until)
	}
	scans := s.victim.scansOf(s.attacker.IPv4)
	if len(scans) != 1 || scans[0].ID != banned.Event.ID || scans[0].Action != "banned" {
		t.Errorf("history %+v, want the scan of before", scans)
	}
	checkFilters(t, s.victim, s.attacker.IPv4.String())
}

// checkFilters asks the history for one scan from Germany in every way.
func checkFilters(t *testing.T, victim *Host, source string) {
	t.Helper()
	for line, want := range map[string]int{
		"--since 1h": 1, "--source " + source: 1, "--source 203.0.113.0/24": 0, "--country DE": 1, "--country FR": 0,
		"--kind syn": 1, "--kind udp": 0, "--since 1h --source " + source + " --country de --kind syn": 1, "--until 1h": 0,
	} {
		out := victim.MustDenmap(append([]string{"history", "--csv"}, strings.Fields(line)...)...).Stdout
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(rows) != want+1 || want == 1 && !strings.Contains(out, source) {
			t.Errorf("history --csv %s: %v, %d rows, want %d:\n%s", line, err, len(rows)-1, want, out)
		}
	}
}

// TestHistoryTrouble gives the daemon a history that is garbage, and then a
// full disk: it says so in a line, protects all the same, and has a history
// again as soon as it can.
func TestHistoryTrouble(t *testing.T) {
	t.Parallel()
	s := newScene(t, "third")
	third := s.Host("third")
	s.victim.WriteFile(historyPath, strings.Repeat("garbage ", 4096))
	daemon := s.victim.Attach()
	daemon.WaitStderr(5*time.Second, "set aside")
	ban(s.victim, s.attacker)
	s.victim.Eventually(10*time.Second, func() error { return stored(s.victim, s.attacker) })
	if aside, err := filepath.Glob(s.victim.Path(historyPath + ".corrupt-*")); err != nil || len(aside) != 1 {
		t.Errorf("set aside %q, %v", aside, err)
	}
	daemon.Stop()

	// A state directory on a file system of its own, with hardly any room.
	s.victim.MustTool("mount", "-t", "tmpfs", "-o", "size=1m,mode=750", "tmpfs", statePath)
	daemon = s.victim.Attach()
	fill := statePath + "/fill"
	if r := s.victim.Tool("dd", "if=/dev/zero", "of="+fill, "bs=4096", "status=none"); r.Code == 0 {
		t.Fatal("the disk does not fill up")
	}
	ban(s.victim, s.client)
	checkCut(s.victim, "with a full disk", s.client, third)
	daemon.WaitStderr(20*time.Second, "no room on the disk; events wait, protection goes on")
	if err := os.Remove(s.victim.Path(fill)); err != nil {
		t.Fatal(err)
	}
	ban(s.victim, third)
	s.victim.Eventually(90*time.Second, func() error { return stored(s.victim, third) })
	if lines := strings.Count(daemon.Stderr(), "\n"); lines > 20 {
		t.Errorf("%d lines about it:\n%s", lines, daemon.Stderr())
	}
}

// stored wants a ban of the host in the history.
func stored(victim, scanner *Host) error {
	r := victim.Denmap("history", "--source", scanner.IPv4.String(), "--csv")
	if r.Code != 0 || strings.Count(r.Stdout, "\n") != 2 || !strings.Contains(r.Stdout, "banned") {
		return fmt.Errorf("not in the history: %v", r)
	}
	return nil
}
