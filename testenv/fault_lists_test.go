// SPDX-License-Identifier: MIT

package testenv

import (
	"os"
	"strings"
	"testing"
	"time"
)

// saidTimes waits until the daemon has said a text so many times.
func saidTimes(victim *Host, d *Daemon, text string, times int) {
	victim.t.Helper()
	victim.Eventually(5*time.Second, func() error {
		if n := strings.Count(d.Stderr(), text); n != times {
			return errNotYet(text)
		}
		return nil
	})
}

// TestListFileFaults does to the deny list what editors, scripts and
// accidents do. What cannot be read leaves the last good list in force, and
// a good one that follows is taken.
func TestListFileFaults(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	good := s.client.IPv4.String() + "\n"
	s.victim.WriteFile(denyPath, good)
	daemon := s.victim.Attach()
	path := s.victim.Path(denyPath)
	cut := func(when string, want bool) {
		t.Helper()
		err := until(t.Context(), 3*time.Second, func() error {
			if s.client.Reaches(s.victim.IPv4, 80, 100*time.Millisecond) == want {
				return errNotYet("change")
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: the denied client is cut off = %v, want %v", when, !want, want)
		}
	}
	cut("at first", true)
	refused := 0
	for _, fault := range []struct {
		name   string
		arrive func() error
	}{
		{"a directory", func() error { return os.Mkdir(path, 0o755) }},
		{"a gigabyte of zeros", func() error {
			f, err := os.Create(path)
			if err == nil {
				err = f.Truncate(1 << 30)
				f.Close()
			}
			return err
		}},
		{"a link to itself", func() error { return os.Symlink(denyPath, path) }},
		{"a device", func() error { return os.Symlink("/dev/zero", path) }},
		{"a bad line", func() error { return os.WriteFile(path, []byte("203.0.113.300\n"), 0o644) }},
	} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := fault.arrive(); err != nil {
			t.Fatal(err)
		}
		refused++
		saidTimes(s.victim, daemon, "the last good list stays in force", refused)
		cut(fault.name, true)
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		s.victim.WriteFile(denyPath, good)
		saidTimes(s.victim, daemon, "is good again", refused)
		cut("after "+fault.name, true)
	}

	// Replaced by a rename, and by a link to another good file.
	s.victim.WriteFile("/etc/denmap/other.list", "# nobody\n")
	if err := os.Rename(s.victim.Path("/etc/denmap/other.list"), path); err != nil {
		t.Fatal(err)
	}
	cut("replaced by an empty list", false)
	s.victim.WriteFile("/etc/denmap/other.list", good)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("other.list", path); err != nil {
		t.Fatal(err)
	}
	cut("replaced by a link", true)
	// Cut to nothing, as a script does that writes it anew.
	if err := os.Truncate(s.victim.Path("/etc/denmap/other.list"), 0); err != nil {
		t.Fatal(err)
	}
	cut("cut to nothing", false)
	if !s.attacker.Reaches(s.victim.IPv4, 80, time.Second) {
		t.Error("somebody else was cut off too")
	}
}
