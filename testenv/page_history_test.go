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

// pins is where the kernel state is; a reboot leaves nothing of it.
const pins = "/sys/fs/bpf/denmap"

// TestReboot ends the daemon and everything in the kernel during a ban: the
// next one puts the ban in force again, for the rest of its time, and the
// history goes on.
func TestReboot(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	victim.WriteMMDB(Net4)
	victim.Configure("geo: {databases: [" + MMDBPath + "]}\n")
	victim.ServeHTTP(80)
	daemon := victim.Attach()
	banned := ban(victim, attacker)
	until := banned.Denmap.Ban.Until
	victim.Eventually(10*time.Second, func() error {
		saved, err := os.ReadFile(victim.Path("/var/lib/denmap/bans.json"))
		if err == nil && !strings.Contains(string(saved), attacker.IPv4.String()) {
			err = errNotYet("saved ban")
		}
		return err
	})
	daemon.Kill()
	if err := os.RemoveAll(victim.Path(pins)); err != nil {
		t.Fatal(err)
	}
	victim.Eventually(5*time.Second, func() error { // links are freed a moment later
		if program, err := victim.XDP(uplink); err != nil || program != 0 {
			return fmt.Errorf("program %d is still there, %v", program, err)
		}
		return nil
	})
	if !attacker.Reaches(victim.IPv4, 80, time.Second) {
		t.Fatal("without a program, the attacker does not get through")
	}

	next := victim.Attach()
	next.WaitStderr(5*time.Second, "restored 1 of 1 bans")
	checkCut(t, "after the reboot", victim, attacker, client)
	var bans struct {
		Bans []struct {
			Source string    `json:"source"`
			Until  time.Time `json:"until"`
		} `json:"bans"`
	}
	out := victim.MustDenmap("bans", "--json").Stdout
	if err := json.Unmarshal([]byte(out), &bans); err != nil || len(bans.Bans) != 1 {
		t.Fatalf("bans %v: %s", err, out)
	}
	if late := bans.Bans[0].Until.Sub(until); late.Abs() > 2*time.Second {
		t.Errorf("the ban ends at %v, want %v", bans.Bans[0].Until, until)
	}
	scans := victim.scansOf(attacker.IPv4)
	if len(scans) != 1 || scans[0].ID != banned.Event.ID || scans[0].Action != "banned" {
		t.Errorf("history %+v, want the scan of before", scans)
	}
	checkFilters(t, victim, attacker.IPv4.String())
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
	lab := New(t, Options{Hosts: []string{"victim", "attacker", "client", "third"}})
	victim, attacker, client, third := lab.Host("victim"), lab.Host("attacker"), lab.Host("client"), lab.Host("third")
	victim.ServeHTTP(80)
	victim.WriteFile(historyPath, strings.Repeat("garbage ", 4096))
	daemon := victim.Attach()
	daemon.WaitStderr(5*time.Second, "set aside")
	ban(victim, attacker)
	victim.Eventually(10*time.Second, func() error { return stored(victim, attacker) })
	if aside, err := filepath.Glob(victim.Path(historyPath + ".corrupt-*")); err != nil || len(aside) != 1 {
		t.Errorf("set aside %q, %v", aside, err)
	}
	daemon.Stop()

	// A state directory on a file system of its own, with hardly any room.
	victim.MustTool("mount", "-t", "tmpfs", "-o", "size=1m,mode=750", "tmpfs", "/var/lib/denmap")
	daemon = victim.Attach()
	fill := "/var/lib/denmap/fill"
	if r := victim.Tool("dd", "if=/dev/zero", "of="+fill, "bs=4096", "status=none"); r.Code == 0 {
		t.Fatal("the disk does not fill up")
	}
	ban(victim, client)
	checkCut(t, "with a full disk", victim, client, third)
	daemon.WaitStderr(20*time.Second, "no room on the disk; events wait, protection goes on")
	if err := os.Remove(victim.Path(fill)); err != nil {
		t.Fatal(err)
	}
	ban(victim, third)
	victim.Eventually(90*time.Second, func() error { return stored(victim, third) })
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
