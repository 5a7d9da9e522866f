// SPDX-License-Identifier: MIT

//go:build ownmachine

package testenv

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These tests set the clock of the whole machine and put it to sleep: they
// are built with the tag ownmachine, for the machines that
// testenv/kernels/run.sh boots.

// banTime is the duration of bans in them, and lateness what a machine that
// is emulated by software may be late.
const (
	banTime  = 60 * time.Second
	lateness = 30 * time.Second
)

func readClock(t *testing.T, clock int32) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// sinceBoot counts the time that the machine sleeps, awake does not.
func sinceBoot(t *testing.T) time.Duration { t.Helper(); return readClock(t, unix.CLOCK_BOOTTIME) }
func awake(t *testing.T) time.Duration     { t.Helper(); return readClock(t, unix.CLOCK_MONOTONIC) }

// stepClock moves the wall clock.
func stepClock(t *testing.T, by time.Duration) {
	t.Helper()
	ts := unix.NsecToTimespec(int64(readClock(t, unix.CLOCK_REALTIME) + by))
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &ts); err != nil {
		t.Fatalf("set the clock: %v", err)
	}
}

// suspend puts the machine to sleep for about d, and returns how long it
// slept.
func suspend(t *testing.T, d time.Duration) time.Duration {
	t.Helper()
	before := sinceBoot(t) - awake(t)
	if err := os.WriteFile("/sys/class/rtc/rtc0/wakealarm", fmt.Appendf(nil, "+%d", int(d.Seconds())), 0); err != nil {
		t.Fatalf("set the alarm: %v", err)
	}
	if err := os.WriteFile("/sys/power/state", []byte("mem"), 0); err != nil {
		t.Fatalf("suspend: %v", err)
	}
	return sinceBoot(t) - awake(t) - before
}

// left returns how long the attacker's ban lasts by denmap's own account.
func (s scene) left() time.Duration {
	s.t.Helper()
	var shown struct {
		Bans []struct {
			Source string    `json:"source"`
			Until  time.Time `json:"until"`
		} `json:"bans"`
	}
	out := s.victim.MustDenmap("bans", "show", "--json").Stdout
	if err := json.Unmarshal([]byte(out), &shown); err != nil {
		s.t.Fatalf("read %q: %v", out, err)
	}
	for _, b := range shown.Bans {
		if strings.HasPrefix(b.Source, s.attacker.IPv4.String()) {
			return time.Until(b.Until.Round(0))
		}
	}
	s.t.Fatalf("no ban of %v: %s", s.attacker.IPv4, out)
	return 0
}

// watchEnd waits for the end of the attacker's ban, which began so long
// after boot, and wants it to come in time.
func (s scene) watchEnd(t *testing.T, began time.Duration) {
	t.Helper()
	s.victim.WaitLog(banTime+lateness, "source-unbanned", func(l LogLine) bool {
		return l.Event.Action == "source-unbanned" && l.About(s.attacker.IPv4)
	})
	if lasted := sinceBoot(t) - began; lasted < banTime-lateness/6 || lasted > banTime+lateness {
		t.Errorf("the ban of %v lasted %v since boot", banTime, lasted)
	}
	bans := 0
	for _, l := range s.victim.LogAbout(s.attacker.IPv4) {
		if l.Event.Action == "source-banned" {
			bans++
		}
	}
	if bans != 1 {
		t.Errorf("%d bans in the log, want 1", bans)
	}
	waitServed(s.victim, s.attacker, lateness)
}

// TestClockStepped sets the wall clock to tomorrow and to yesterday: the ban
// goes on, and ends when it should.
func TestClockStepped(t *testing.T) {
	s := newScene(t)
	s.victim.Configure("ban: {duration: 60s}\n")
	s.attachAndBan()
	began := sinceBoot(t)
	for _, step := range []time.Duration{36 * time.Hour, -72 * time.Hour, 36 * time.Hour} {
		stepClock(t, step)
		s.checkCut(fmt.Sprintf("with the clock set by %v", step))
		want := banTime - (sinceBoot(t) - began)
		if left := s.left(); (left - want).Abs() > lateness/3 {
			t.Errorf("clock set by %v: %v left, want %v", step, left, want)
		}
	}
	s.watchEnd(t, began)
	waitHealth(s.victim, lateness, 0)
}

// TestSuspended puts the machine to sleep for longer than the dead man's
// switch allows the daemon to be silent: the banned source stays cut off,
// and the time asleep counts for the ban.
func TestSuspended(t *testing.T) {
	s := newScene(t)
	s.victim.Configure("ban: {duration: 60s}\ndead_man: 10s\n")
	s.attachAndBan()
	began := sinceBoot(t)
	slept := suspend(t, 25*time.Second)
	if slept < 15*time.Second {
		t.Fatalf("the machine slept %v, want some 25s", slept)
	}
	s.checkCut("after the sleep")
	want := banTime - (sinceBoot(t) - began)
	if left := s.left(); (left - want).Abs() > lateness/3 {
		t.Errorf("after %v of sleep: %v left, want %v", slept, left, want)
	}
	waitHealth(s.victim, lateness, 0)
	s.watchEnd(t, began)
	t.Logf("slept %v", slept)
}
