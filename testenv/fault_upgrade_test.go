// SPDX-License-Identifier: MIT

package testenv

import (
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// launchOlder starts a daemon of the layout before and waits until it
// protects.
func (h *Host) launchOlder() *Daemon {
	h.t.Helper()
	d := h.launch(h.OlderCommand(h.t.Context(), "attach", uplink))
	d.waitProtecting(uplink)
	return d
}

// mustOlder runs a command of the layout before that must succeed.
func (h *Host) mustOlder(args ...string) {
	h.t.Helper()
	if r := h.OlderCommand(h.t.Context(), args...).Result(); r.Code != 0 {
		h.t.Fatalf("%v", r)
	}
}

// besieged is a victim under floods that must not get through: of a scanner
// that was banned, of a ban by hand, and of a source on the deny list.
type besieged struct {
	scene
	counter *Counter
	sources []netip.Addr
	flow    *sender
}

func besiege(t *testing.T) *besieged {
	t.Helper()
	b := &besieged{scene: newScene(t)}
	b.sources = []netip.Addr{b.attacker.IPv4, netip.MustParseAddr("192.0.2.77"), netip.MustParseAddr("203.0.113.200")}
	b.victim.MustDenmap("lists", "add", "deny", "203.0.113.200")
	return b
}

// flood begins, once everything is in force.
func (b *besieged) flood(t *testing.T) {
	t.Helper()
	b.counter = b.victim.CountTCP(uplink)
	b.flow = send(t, b.attacker, b.victim, func(n int) []byte {
		source := b.sources[n%len(b.sources)]
		return Probe{Source: source, Target: b.victim.IPv4, From: uint16(20000 + n%20000), To: 80, Flags: FlagSYN}.Packet()
	})
}

// through returns how many packets of the floods reached the victim.
func (b *besieged) through() (n int) {
	for _, source := range b.sources {
		n += b.counter.From(source).Packets
	}
	return n
}

// TestUpgradeFromOlderLayout upgrades under floods, after a hand-over as the
// service does one and with the saved bans gone: every ban comes from the
// old program's own tables.
func TestUpgradeFromOlderLayout(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	victim := b.victim
	old := victim.launchOlder()
	ban(victim, b.attacker)
	victim.mustOlder("bans", "add", "192.0.2.77", "--for", "1h")
	b.flood(t)
	program, err := victim.XDP(uplink)
	if err != nil {
		t.Fatal(err)
	}
	if code := old.end(syscall.SIGUSR1); code != 0 {
		t.Fatalf("the older daemon ended with %d: %s", code, old.Stderr())
	}
	if err := os.Remove(victim.Path(filepath.Join(statePath, "bans.json"))); err != nil {
		t.Fatal(err)
	}
	if r := victim.Denmap("status"); r.Code != 1 || !strings.HasPrefix(r.Stderr, "denmap: error: pinned state has layout ") {
		t.Errorf("status of the newer program before the upgrade: %v", r)
	}
	// The old program is no stranger's.
	if r := victim.Denmap("doctor", uplink); !strings.Contains(r.Stdout, uplink+": attach would use ") || !strings.Contains(r.Stdout, "(attached so at present)") {
		t.Errorf("doctor before the upgrade: %v", r)
	}

	d := victim.Attach()
	d.WaitStderr(time.Second, "denmap: taking over from layout ")
	d.WaitStderr(time.Second, ": 2 bans are kept, scores and counters start anew")
	if now, err := victim.XDP(uplink); err != nil || now == program || now == 0 {
		t.Errorf("program %d, %v; the older one is %d", now, err, program)
	}
	b.checkCut("after the upgrade")
	if bans := plainBans(victim); !slices.Equal(bans, []string{"192.0.2.77", b.attacker.IPv4.String()}) {
		t.Errorf("bans after the upgrade: %v", bans)
	}
	checkPins(t, victim)
	checkBansFile(t, victim)
	if n := b.through(); n > 0 {
		t.Errorf("%d of %d packets passed", n, b.flow.sent.Load())
	}

	// And back: the newer state is refused, and goes on dropping.
	if code := d.end(syscall.SIGUSR1); code != 0 {
		t.Fatalf("the daemon ended with %d: %s", code, d.Stderr())
	}
	r := victim.OlderCommand(t.Context(), "attach", uplink).Result()
	if r.Code != 1 || !strings.HasPrefix(r.Stderr, "denmap: error: pinned state has ") || strings.Count(r.Stderr, "\n") != 1 {
		t.Errorf("downgrade: %v", r)
	}
	b.checkCut("after the downgrade was refused")
	victim.mustOlder("detach")
	b.flow.stop()
	if n := b.counter.From(b.sources[2]).Packets; n == 0 {
		t.Error("nothing passes without protection: the test shows nothing")
	}
	t.Logf("%d packets sent", b.flow.sent.Load())
	victim.launchOlder().Stop()
}

// checkPins wants nothing of a take-over left.
func checkPins(t *testing.T, victim *Host) {
	t.Helper()
	pins, err := filepath.Glob(victim.Path(filepath.Join(pinDir, "*")))
	for i := range pins {
		pins[i] = filepath.Base(pins[i])
	}
	if err != nil || !slices.Equal(pins, []string{"links", "maps"}) {
		t.Errorf("pinned: %v, %v", pins, err)
	}
}

// TestUpgradeFails has the newer daemon fail after it took over: the older
// one finds everything as it was.
func TestUpgradeFails(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	old := b.victim.launchOlder()
	b.victim.mustOlder("bans", "add", "192.0.2.77", "--for", "1h")
	b.sources = b.sources[1:]
	b.flood(t)
	old.Kill()
	b.victim.Configure("log: {path: /etc}\n") // a directory
	if r := b.victim.Denmap("attach", uplink); r.Code != 1 || !strings.Contains(r.Stderr, "/etc") {
		t.Fatalf("attach: %v", r)
	}
	checkPins(t, b.victim)
	b.victim.Configure("")
	old = b.victim.launchOlder()
	if n := b.through(); n > 0 {
		t.Errorf("%d packets passed", n)
	}
	b.flow.stop()
	old.Stop()
}

// TestUpgradeKilled kills the newer daemon at random moments of the upgrade:
// no packet of a banned source passes, and the next one ends it.
// DENMAP_LAB_KILLS is ten times the number of kills.
func TestUpgradeKilled(t *testing.T) {
	t.Parallel()
	b := besiege(t)
	victim := b.victim
	b.sources = b.sources[1:]
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	kills := max(envCount(t, "DENMAP_LAB_KILLS", 200)/10, 1)
	during := 0
	for n := range kills {
		old := victim.launchOlder()
		victim.mustOlder("bans", "add", "192.0.2.77", "--for", "1h")
		if b.counter == nil {
			b.flood(t)
		}
		old.Kill()
		before := b.through()
		d := victim.Launch("attach", uplink)
		time.Sleep(time.Duration(rng.Int64N(int64(lifeLimit))))
		d.Kill()
		if left, _ := filepath.Glob(victim.Path(pinDir + "/old")); len(left) > 0 {
			during++
		}
		d = victim.Launch("attach", uplink)
		d.waitProtecting(uplink)
		if passed := b.through() - before; passed > 0 {
			t.Fatalf("kill %d: %d packets passed", n, passed)
		}
		if bans := plainBans(victim); !slices.Equal(bans, []string{"192.0.2.77"}) {
			t.Fatalf("kill %d: bans %v", n, bans)
		}
		checkPins(t, victim)
		if code := d.Stop(); code != 0 {
			t.Fatalf("kill %d: the next daemon ended with %d: %s", n, code, d.Stderr())
		}
	}
	b.flow.stop()
	t.Logf("%d kills, %d of them between the tables and the programs; %d packets", kills, during, b.flow.sent.Load())
}
