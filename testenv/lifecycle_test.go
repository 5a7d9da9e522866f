// SPDX-License-Identifier: MIT

package testenv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// actions counts the log lines of an action about an interface.
func actions(victim *Host, action, iface string) (n int) {
	victim.t.Helper()
	for _, l := range victim.Log() {
		if l.Event.Action == action && l.Observer.Ingress.Interface.Name == iface {
			n++
		}
	}
	return n
}

func TestInterfaceReplaced(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.attachAndBan()

	if err := s.victim.Netlink().LinkDel(s.victim.Link(uplink)); err != nil {
		t.Fatal(err)
	}
	waitHealth(s.victim, 5*time.Second, 2)
	s.victim.WaitLog(5*time.Second, "detached", func(l LogLine) bool {
		return l.Event.Action == "detached" && l.Observer.Ingress.Interface.Name == uplink
	})
	s.Replug(s.victim)
	waitProtected(s.victim, uplink)
	s.checkCut("on the new interface")
	s.checkListed("on the new interface")
	s.victim.Eventually(5*time.Second, func() error {
		if actions(s.victim, "attached", uplink) < 2 {
			return errNotYet("second attached line")
		}
		return nil
	})
}

func TestInterfaceRenamed(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.attachAndBan()
	for _, name := range []string{"wan0", uplink} {
		current := uplink
		if name == uplink {
			current = "wan0"
		}
		if err := s.victim.Netlink().LinkSetName(s.victim.Link(current), name); err != nil {
			t.Fatal(err)
		}
		s.checkCut("named " + name)
	}
	waitProtected(s.victim, uplink)
	s.checkListed("renamed and back")
}

func TestInterfaceDownUp(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.attachAndBan()
	link := s.victim.Link(uplink)
	if err := s.victim.Netlink().LinkSetDown(link); err != nil {
		t.Fatal(err)
	}
	if err := s.victim.Netlink().LinkSetUp(link); err != nil {
		t.Fatal(err)
	}
	waitProtected(s.victim, uplink)
	waitServed(s.victim, s.client, 3*time.Second)
	s.checkCut("up again")
}

// TestEventPathIsPreferred: the threads that an event passes through to the
// log run before all others of the daemon, and of the host.
func TestEventPathIsPreferred(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	d := s.victim.Attach()
	s.victim.Eventually(5*time.Second, func() error {
		if n := d.preferredThreads(); n != 4 {
			return fmt.Errorf("%d threads are preferred, want 4: reader, tracker, its output, log", n)
		}
		return nil
	})
}

// preferredThreads is how many threads of the daemon have a nice value below
// 0.
func (d *Daemon) preferredThreads() (n int) {
	d.host.t.Helper()
	tasks := fmt.Sprintf("/proc/%d/task", d.PID())
	entries, err := os.ReadDir(tasks)
	if err != nil {
		d.host.t.Fatalf("read threads of denmap: %v", err)
	}
	for _, e := range entries {
		stat, err := os.ReadFile(filepath.Join(tasks, e.Name(), "stat"))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			d.host.t.Fatalf("read thread of denmap: %v", err)
		}
		if d.statField(stat, 19) < 0 {
			n++
		}
	}
	return n
}
