// SPDX-License-Identifier: MIT

package testenv

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// confirmWait is how long the changes here wait, and confirmLimit how long
// they may take to be gone after that.
const (
	confirmWait  = "3s"
	confirmLimit = 10 * time.Second
)

// startChange runs a denmap command that waits to be confirmed, until its
// change is in force: the client is cut off.
func startChange(t *testing.T, victim, client *Host, args ...string) *Cmd {
	t.Helper()
	cmd := victim.DenmapCommand(t.Context(), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	victim.Eventually(confirmLimit, func() error {
		if client.Reaches(victim.IPv4, 80, 300*time.Millisecond) {
			return errNotYet("the client to be cut off")
		}
		return nil
	})
	awaitMade(victim)
	return cmd
}

// awaitMade waits until the command has noted that its change is made, from
// when on it waits to be confirmed.
func awaitMade(victim *Host) {
	victim.t.Helper()
	victim.Eventually(confirmLimit, func() error {
		if r := victim.Command(victim.t.Context(), "grep", `waiting.*"made":true`, statePath+"/pending.json").Result(); r.Code != 0 {
			return errNotYet("the change to be noted")
		}
		return nil
	})
}

// kill ends a command as nobody can prevent.
func kill(t *testing.T, cmd *Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // by a signal, as it was told
}

func checkServed(t *testing.T, when string, victim, client *Host) {
	t.Helper()
	victim.Eventually(confirmLimit, func() error {
		if !client.Reaches(victim.IPv4, 80, time.Second) {
			return errNotYet(when + ": the client to be served")
		}
		return nil
	})
}

// TestUnconfirmed: who cuts himself off with --confirm is let in again, also
// if the command is killed, or the daemon with it.
func TestUnconfirmed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	daemon := s.victim.Attach()
	deny := []string{"lists", "add", "deny", s.client.IPv4.String(), "--confirm", confirmWait}
	ban := []string{"bans", "add", s.client.IPv4.String(), "--confirm", confirmWait}

	for _, args := range [][]string{deny, ban} {
		kill(t, startChange(t, s.victim, s.client, args...))
		checkServed(t, "command killed: "+args[0], s.victim, s.client)
		daemon.WaitStderr(time.Second, "not confirmed in time, taken back: ")
	}

	for _, args := range [][]string{deny, ban} {
		cmd := startChange(t, s.victim, s.client, args...)
		daemon.Kill()
		kill(t, cmd)
		if s.client.Reaches(s.victim.IPv4, 80, 300*time.Millisecond) {
			t.Errorf("%s: the kernel no longer drops", args[0])
		}
		time.Sleep(4 * time.Second) // the wait is over, and nobody is there
		daemon = s.victim.Attach()
		checkServed(t, "both killed: "+args[0], s.victim, s.client)
		if text := s.victim.MustDenmap("check", s.client.IPv4.String()).Stdout; strings.Contains(text, "dropped") {
			t.Errorf("%s: %s", args[0], text)
		}
	}

	// Alone, without a daemon, the command does it: the terminal that it
	// was started from may go away.
	daemon.Kill()
	cmd := startChange(t, s.victim, s.client, deny...)
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	checkServed(t, "no daemon", s.victim, s.client)
	if err := cmd.Wait(); err == nil {
		t.Error("the command succeeded")
	}
}

// TestConfigApply: a configuration is in force at once, and the old one
// again if nobody confirms it, although the command was killed.
func TestConfigApply(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim := lab.Host("victim")
	victim.Configure("detect: {ban_score: 9}\n")
	victim.Attach()
	scored := func(want string) error {
		if !strings.Contains(victim.MustDenmap("status", "--json").Stdout, `"ban_score": `+want) {
			return errNotYet("a ban score of " + want)
		}
		return nil
	}
	apply := func(yaml string, more ...string) *Cmd {
		cmd := victim.DenmapCommand(t.Context(), append([]string{"config", "apply", "-"}, more...)...)
		cmd.Stdin = strings.NewReader(yaml)
		return cmd
	}
	if r := apply("detect: {ban_score: 11}\n").Result(); r.Code != 0 {
		t.Fatal(r)
	}
	if err := scored("11"); err != nil {
		t.Errorf("after the command: %v", err)
	}
	cmd := apply("detect: {ban_score: 13}\n", "--confirm", confirmWait)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	victim.Eventually(confirmLimit, func() error { return scored("13") })
	awaitMade(victim)
	kill(t, cmd)
	victim.Eventually(confirmLimit, func() error { return scored("11") })
	if r := apply("detect: {ban_score: x}\n").Result(); r.Code == 0 || scored("11") != nil {
		t.Errorf("a bad configuration: %v", r)
	}
}
