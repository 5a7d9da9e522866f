// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"denmap/userspace/event"
	"denmap/userspace/scans"
	"denmap/userspace/store"
)

func (w *world) ban(source string, grade event.Grade, length time.Duration) event.Ban {
	w.t.Helper()
	b := event.Ban{Source: netip.MustParsePrefix(source), Grade: grade, Since: w.clock.Now()}
	if length > 0 {
		b.Until = w.clock.Now().Add(length)
	}
	if err := w.kernel.AddBan(b); err != nil {
		w.t.Fatal(err)
	}
	return b
}

func TestBansSaved(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.ban("198.51.100.1/32", event.Blind, time.Hour)
	w.ticking("the ban in the file", func() bool { return len(w.savedBans()) == 1 })
	w.kernel.lift("198.51.100.1/32")
	w.ticking("the ban out of the file", func() bool { return len(w.savedBans()) == 0 })

	// What happens last is saved at the end.
	w.ban("198.51.100.2/32", event.Proven, time.Hour)
	if err := w.stop(); err != nil {
		t.Fatal(err)
	}
	if got := w.savedBans(); len(got) != 1 || got[0].Grade != event.Proven {
		t.Errorf("saved at the end: %+v", got)
	}
}

// TestOperatorBan bans and unbans as the commands do, beside the daemon.
func TestOperatorBan(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	ban := event.Ban{Source: netip.MustParsePrefix("198.51.100.1/32"), Grade: event.Manual, Since: w.clock.Now(), Reason: "rude"}
	err := w.opts.Bans(w.config.StateDir).Update(t.Context(), func(old []event.Ban) []event.Ban {
		if err := w.kernel.AddBan(ban); err != nil {
			t.Error(err)
		}
		// The daemon sees the ban before the reason is in the file.
		w.clock.advance(time.Second)
		return append(old, ban)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.ticking("ban in the log", func() bool { return strings.Contains(w.rawLog(), "source-banned") })
	e := w.logged(event.SourceBanned, nil)
	if e.Reason != "rude" || e.Scan.Grade != event.Manual {
		t.Errorf("event %q %+v", e.Reason, e.Scan)
	}
	if got := w.savedBans(); len(got) != 1 || got[0].Reason != "rude" {
		t.Errorf("saved %+v, want the reason kept", got)
	}
	w.kernel.lift("198.51.100.1/32")
	w.ticking("unban in the log", func() bool { return strings.Contains(w.rawLog(), "source-unbanned") })
	if e := w.logged(event.SourceUnbanned, nil); e.Reason != "by operator" {
		t.Errorf("event %q", e.Reason)
	}
}

// TestAdoptedEnd wants the end of a ban that an earlier daemon left told.
func TestAdoptedEnd(t *testing.T) {
	w := newWorld(t, "eth0")
	w.kernel.adopted = true
	w.ban("198.51.100.1/32", event.Blind, 50*time.Millisecond)
	w.run()
	w.clock.advance(time.Second)
	// The tracker's timer runs on the real clock.
	e := w.logged(event.SourceUnbanned, nil)
	if e.Reason != "expired" {
		t.Errorf("reason %q", e.Reason)
	}
}

// TestFinalCounts hands the counts of an ended ban to the tracker after
// the kernel has let go of it, once.
func TestFinalCounts(t *testing.T) {
	w := newWorld(t, "eth0")
	b := newBanKeeper(w.kernel, w.opts.Bans(w.dir), w.clock, newTeller(w.report))
	b.follow(discard{})
	ban := w.ban("198.51.100.1/32", event.Blind, time.Second)
	ban.Dropped = 77
	w.kernel.with(func() { w.kernel.bans[banKey{ban.Source, ban.Grade}] = ban })
	b.sweep(t.Context(), w.clock.Now())
	w.clock.advance(2 * time.Second)
	b.sweep(t.Context(), w.clock.Now())
	if len(w.kernel.bans) != 0 {
		t.Fatal("the ended ban is still in the kernel")
	}
	if got, ok, err := b.Ban(ban.Source); !ok || err != nil || got.Dropped != 77 {
		t.Errorf("Ban = %+v, %v, %v, want the final counts", got, ok, err)
	}
	if _, ok, _ := b.Ban(ban.Source); ok {
		t.Error("the ended ban is told of twice")
	}
	// Nobody asks for these: they are forgotten.
	w.ban("198.51.100.2/32", event.Blind, time.Second)
	b.sweep(t.Context(), w.clock.Now())
	w.clock.advance(2 * time.Second)
	b.sweep(t.Context(), w.clock.Now())
	w.clock.advance(remember + time.Second)
	b.sweep(t.Context(), w.clock.Now())
	if len(b.ended) != 0 {
		t.Errorf("remembered for ever: %v", b.ended)
	}
}

// lifted notes which bans were lifted and given by hand.
type lifted struct {
	discard
	unbanned, banned []event.Ban
}

func (l *lifted) Banned(b event.Ban)   { l.banned = append(l.banned, b) }
func (l *lifted) Unbanned(b event.Ban) { l.unbanned = append(l.unbanned, b) }

// TestBanAgainBetweenSweeps lifts a ban and gives it again while nobody
// looks.
func TestBanAgainBetweenSweeps(t *testing.T) {
	for _, grade := range []event.Grade{event.Blind, event.Manual} {
		w := newWorld(t, "eth0")
		b := newBanKeeper(w.kernel, w.opts.Bans(w.dir), w.clock, newTeller(w.report))
		var told lifted
		b.follow(&told)
		first := w.ban("198.51.100.1/32", grade, time.Hour)
		b.sweep(t.Context(), w.clock.Now())
		given := len(told.banned)
		w.clock.advance(3 * time.Second)
		w.ban("198.51.100.1/32", grade, time.Hour)
		b.sweep(t.Context(), w.clock.Now())
		b.sweep(t.Context(), w.clock.Now())
		if len(told.unbanned) != 1 || !told.unbanned[0].Since.Equal(first.Since) {
			t.Errorf("%s: lifted %+v, want the first ban once", grade, told.unbanned)
		}
		if grade == event.Manual && len(told.banned) != given+1 {
			t.Errorf("%d bans by hand told, want %d", len(told.banned), given+1)
		}
	}
}

// TestClockSet tells a clock that was set from one that runs.
func TestClockSet(t *testing.T) {
	now := time.Now()
	if !steady(now, now.Add(time.Hour)) {
		t.Error("an hour that passed counts as a clock that was set")
	}
	wall := now.Round(0) // without a monotonic reading
	if !steady(wall, wall.Add(time.Second)) {
		t.Error("a clock without a monotonic reading counts as set")
	}
	if steady(time.Time{}, now) {
		t.Error("the first look counts as a comparison")
	}
}

// discard follows no bans.
type discard struct{}

func (discard) Adopt(event.Ban, string) {}
func (discard) Banned(event.Ban)        {}
func (discard) Found(event.Ban)         {}
func (discard) Unbanned(event.Ban)      {}

// countingFile counts how often bans are saved.
type countingFile struct {
	BanFile
	saves int
}

func (f *countingFile) Update(ctx context.Context, change func([]event.Ban) []event.Ban) error {
	f.saves++
	return f.BanFile.Update(ctx, change)
}

// TestLostDetection logs a ban whose event never came, once, and says so.
func TestLostDetection(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	w.ban("198.51.100.1/32", event.Blind, time.Hour)
	var found event.Event
	w.ticking("line about the ban", func() bool {
		for _, e := range w.log() {
			if e.Action == event.SourceBanned {
				found = e
				return true
			}
		}
		return false
	})
	if found.Reason != scans.ReasonFound {
		t.Errorf("reason %q, want %q", found.Reason, scans.ReasonFound)
	}
	w.ban("198.51.100.2/32", event.Blind, time.Hour)
	w.detect("198.51.100.2/32", event.VerdictBan)
	w.logged(event.SourceBanned, func(e event.Event) bool { return e.Scan.Source.String() == "198.51.100.2/32" })
	for range 5 {
		w.clock.advance(time.Second)
	}
	w.detect("198.51.100.3/32", event.VerdictBan)
	w.logged(event.SourceBanned, func(e event.Event) bool { return e.Scan.Source.String() == "198.51.100.3/32" })
	for _, source := range []string{"198.51.100.1/32", "198.51.100.2/32"} {
		n := 0
		for _, e := range w.log() {
			if e.Action == event.SourceBanned && e.Scan.Source.String() == source {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d source-banned lines of %s, want 1", n, source)
		}
	}
}

// TestProlonged saves rarely when only ends move.
func TestProlonged(t *testing.T) {
	w := newWorld(t, "eth0")
	file := &countingFile{BanFile: w.opts.Bans(w.dir)}
	b := newBanKeeper(w.kernel, file, w.clock, newTeller(w.report))
	b.follow(discard{})
	for range 60 {
		w.ban("198.51.100.1/32", event.Blind, time.Hour)
		w.clock.advance(2 * time.Second)
		b.sweep(t.Context(), w.clock.Now())
	}
	if file.saves < 5 || file.saves > 10 {
		t.Errorf("%d saves in 2 minutes, want one every 15 s", file.saves)
	}
	before := file.saves
	for range 60 {
		w.clock.advance(time.Second)
		b.sweep(t.Context(), w.clock.Now())
	}
	if file.saves > before+1 {
		t.Errorf("%d saves with nothing new", file.saves-before)
	}
}

// TestBansUnsaved cannot write for a while, says so once and catches up.
func TestBansUnsaved(t *testing.T) {
	w := newWorld(t, "eth0")
	w.run()
	path := filepath.Join(w.config.StateDir, "bans.json")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o755); err != nil { // cannot be replaced by a file
		t.Fatal(err)
	}
	w.ban("198.51.100.1/32", event.Blind, time.Hour)
	w.ticking("complaint", func() bool { return w.count("bans would not outlive a reboot") == 1 })
	for range 5 {
		w.clock.advance(time.Second)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	w.ticking("end of the trouble", func() bool { return w.count("bans are saved again") == 1 })
	if n := w.count("bans would not outlive"); n != 1 {
		t.Errorf("said %d times", n)
	}
}

// TestOverlookedBans: that a ban stops nothing is said as long as it is
// there.
func TestOverlookedBans(t *testing.T) {
	w := newWorld(t, "eth0")
	w.kernel.overlooked = []int{40, 48}
	b := newBanKeeper(w.kernel, w.opts.Bans(w.dir), w.clock, newTeller(w.report))
	b.follow(discard{})
	sweep := func() {
		w.clock.advance(2 * time.Second)
		b.sweep(t.Context(), w.clock.Now())
	}
	w.ban("2001:db8:1::/64", event.Manual, time.Hour)
	w.ban("198.51.100.1/32", event.Blind, time.Hour)
	sweep()
	if got := b.tell.troubles(); len(got) != 0 {
		t.Errorf("troubles %+v with no such ban", got)
	}
	w.ban("2001:db8::/40", event.Manual, time.Minute)
	sweep()
	sweep()
	if n := w.count("bans of IPv6 /40 stop nothing"); n != 1 || len(b.tell.troubles()) != 1 {
		t.Errorf("said %d times; troubles %+v", n, b.tell.troubles())
	}
	w.clock.advance(time.Minute)
	sweep()
	if got := b.tell.troubles(); len(got) != 0 || w.count("every ban stops packets again") != 1 {
		t.Errorf("after its end: %+v", got)
	}
}

func TestCorruptBans(t *testing.T) {
	w := newWorld(t, "eth0")
	w.write(filepath.Join(w.config.StateDir, "bans.json"), "{")
	w.run()
	w.says("no bans are restored")
}

func TestNewerBans(t *testing.T) {
	w := newWorld(t, "eth0")
	w.write(filepath.Join(w.config.StateDir, "bans.json"), `{"schema":99,"bans":[]}`)
	if err := w.fail(); !errors.Is(err, store.ErrNewerSchema) {
		t.Errorf("error %v", err)
	}
}

// TestUnrestorable goes on without a ban that the kernel does not take.
func TestUnrestorable(t *testing.T) {
	w := newWorld(t, "eth0")
	bans := []event.Ban{
		{Source: netip.MustParsePrefix("fe80::1/128"), Grade: event.Manual},
		{Source: netip.MustParsePrefix("198.51.100.1/32"), Grade: event.Manual},
	}
	if err := w.opts.Bans(w.config.StateDir).Update(t.Context(), func([]event.Ban) []event.Ban { return bans }); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.says("restored 1 of 2 bans: ban of a link-local address")
}

// TestBansOfOtherLayout starts on a kernel that could take over some bans
// only: the file has the rest, and is not believed about those.
func TestBansOfOtherLayout(t *testing.T) {
	w := newWorld(t, "eth0")
	now := w.clock.Now()
	taken := event.Ban{Source: netip.MustParsePrefix("198.51.100.1/32"), Since: now, Until: now.Add(time.Hour), Grade: event.Proven}
	stale, other := taken, taken
	stale.Until = now.Add(time.Minute)
	other.Source = netip.MustParsePrefix("198.51.100.2/32")
	bans := []event.Ban{stale, other}
	if err := w.opts.Bans(w.config.StateDir).Update(t.Context(), func([]event.Ban) []event.Ban { return bans }); err != nil {
		t.Fatal(err)
	}
	if err := w.kernel.AddBan(taken); err != nil {
		t.Fatal(err)
	}
	w.run()
	w.says("restored 1 of 1 bans")
	ban, ok, err := w.kernel.Ban(taken.Source)
	if err != nil || !ok || !ban.Until.Equal(taken.Until) {
		t.Errorf("the ban that was taken over: %+v, %v, %v", ban, ok, err)
	}
}
