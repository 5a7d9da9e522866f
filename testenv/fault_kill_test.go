// SPDX-License-Identifier: MIT

package testenv

import (
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// lifeLimit is how long a daemon lives at most until it is killed: it
// starts in about a third of that, so a kill may meet anything.
const lifeLimit = 400 * time.Millisecond

// envCount returns a number of the environment.
func envCount(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: expected a number from 1 on", name, text)
	}
	return n
}

// sender sends packets until it is stopped.
type sender struct {
	stop func()
	sent atomic.Uint64
}

// send sends the packets that next gives, a thousand a second, as frames to
// the victim.
func send(t *testing.T, h, victim *Host, next func(n int) []byte) *sender {
	t.Helper()
	s := new(sender)
	quit, done := make(chan struct{}), make(chan error, 1)
	s.stop = func() {
		close(quit)
		if err := <-done; err != nil {
			t.Errorf("send from %q: %v", h.Name, err)
		}
	}
	index := h.Link(uplink).Attrs().Index
	header := append([]byte(nil), macBytes(victim)...)
	header = append(header, macBytes(h)...)
	header = append(header, unix.ETH_P_IP>>8, unix.ETH_P_IP&0xff)
	go func() {
		done <- h.Inside(func() error {
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			to := &unix.SockaddrLinklayer{Ifindex: index, Halen: 6}
			for n := 0; ; n++ {
				select {
				case <-quit:
					return nil
				case <-tick.C:
				}
				if err := unix.Sendto(fd, append(header[:14:14], next(n)...), 0, to); err != nil && err != unix.ENOBUFS {
					return err
				}
				s.sent.Add(1)
			}
		})
	}()
	return s
}

func macBytes(h *Host) []byte {
	mac := h.MAC(uplink)
	return mac[:]
}

// plainBans returns the sources that bans shows, in order.
func plainBans(victim *Host) []string {
	victim.t.Helper()
	bans := strings.Fields(victim.MustDenmap("bans", "show", "--format", "plain").Stdout)
	slices.Sort(bans)
	return bans
}

// scanFrom is a load of scans: each of 250 sources tries twenty ports.
func scanFrom(target netip.Addr) func(n int) []byte {
	return func(n int) []byte {
		source := netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + n/20%250)})
		return Probe{Source: source, Target: target, From: 40000, To: uint16(2000 + n%20), Flags: FlagSYN}.Packet()
	}
}

// TestKilledAtRandom kills the daemon 200 times, in whatever it does, while
// a banned source and scans of 250 others keep coming: no ban is lost, no
// packet of the banned source passes, every file is whole.
// DENMAP_LAB_KILLS is another number of times.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	s := newScene(t, "scanners")
	scanners := s.Host("scanners")
	first := s.attachAndBan()
	s.victim.MustDenmap("bans", "add", "192.0.2.77", "--for", "1h", "--reason", "by hand")
	first.Kill()

	counter := s.victim.CountTCP(uplink)
	banned := send(t, s.attacker, s.victim, func(n int) []byte {
		return Probe{Source: s.attacker.IPv4, Target: s.victim.IPv4, From: uint16(20000 + n%20000), To: 80, Flags: FlagSYN}.Packet()
	})
	load := send(t, scanners, s.victim, scanFrom(s.victim.IPv4))
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	kills := envCount(t, "DENMAP_LAB_KILLS", 200)
	known := plainBans(s.victim)
	for n := range kills {
		d := s.victim.Launch("attach", uplink)
		died := time.NewTimer(time.Duration(rng.Int64N(int64(lifeLimit))))
		select {
		case <-died.C:
		case <-d.done:
			t.Fatalf("kill %d: the daemon ended by itself: %s", n, d.Stderr())
		}
		d.Kill()
		if program, err := s.victim.XDP(uplink); err != nil || program == 0 {
			t.Fatalf("kill %d: program %d, %v", n, program, err)
		}
		checkBansFile(t, s.victim)
		bans := plainBans(s.victim)
		for _, source := range known {
			if !slices.Contains(bans, source) {
				t.Fatalf("kill %d: the ban of %s is lost; there are %v", n, source, bans)
			}
		}
		known = bans
	}
	banned.stop()
	load.stop()
	if through := counter.From(s.attacker.IPv4); through.Packets != 0 {
		t.Errorf("%d of %d packets of the banned source passed", through.Packets, banned.sent.Load())
	}
	t.Logf("%d kills, %d bans, %d packets of a banned source, %d of scans", kills, len(known), banned.sent.Load(), load.sent.Load())

	s.victim.Attach()
	if bans := plainBans(s.victim); !slices.Equal(bans, known) {
		t.Errorf("bans after the last attach: %v, before: %v", bans, known)
	}
	s.checkCut("after the last attach")
	s.victim.Log() // ends the test at a line that is not JSON
	for _, left := range []string{filepath.Join(pinDir, "new"), filepath.Join(statePath, ".*.new")} {
		if found, err := filepath.Glob(s.victim.Path(left)); err != nil || len(found) > 0 {
			t.Errorf("left behind: %v, %v", found, err)
		}
	}
	waitHealth(s.victim, 5*time.Second, 0)
}

// checkBansFile wants the saved bans to be a whole document.
func checkBansFile(t *testing.T, victim *Host) {
	t.Helper()
	content, err := os.ReadFile(victim.Path(filepath.Join(statePath, "bans.json")))
	if err != nil || !json.Valid(content) {
		t.Errorf("bans.json: %v: %q", err, content)
	}
}

// TestKilledWhileStarting kills daemons that have nothing to adopt: what
// they leave never keeps the next one from protecting.
func TestKilledWhileStarting(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{Hosts: []string{"victim"}})
	victim := lab.Host("victim")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range envCount(t, "DENMAP_LAB_KILLS", 200) / 5 {
		d := victim.Launch("attach", uplink)
		time.Sleep(time.Duration(rng.Int64N(int64(lifeLimit / 2))))
		d.Kill()
		d = victim.Launch("attach", uplink)
		d.waitProtecting(uplink)
		if code := d.Stop(); code != 0 {
			t.Fatalf("the next daemon ended with %d: %s", code, d.Stderr())
		}
		if left, err := filepath.Glob(victim.Path(pinDir + "*")); err != nil || len(left) > 0 {
			t.Fatalf("left behind: %v, %v", left, err)
		}
	}
}
