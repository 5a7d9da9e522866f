// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"denmap/bpf"
	"denmap/userspace/event"
)

// mustProtectOlder leaves eth0 protected by a state that calls itself an
// older one, with a ban of scanner4, and returns its program.
func mustProtectOlder(t *testing.T, dir string, layout uint32) (program uint32) {
	t.Helper()
	enterNetns(t)
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "eth0"}, PeerName: "peer0"}); err != nil {
		t.Fatal(err)
	}
	k := mustOpen(t, dir)
	if _, err := k.Attach("eth0", AttachOptions{Hook: HookGeneric, Monitor: true}); err != nil {
		t.Fatal(err)
	}
	mustBan(t, k.State, "203.0.113.7/32", time.Hour)
	setLayout(t, k.State, layout)
	if err := k.Close(true); err != nil {
		t.Fatal(err)
	}
	return attachedProgram(t)
}

func mustBan(t *testing.T, s *State, source string, d time.Duration) {
	t.Helper()
	if err := s.AddBan(event.Ban{Source: netip.MustParsePrefix(source), Grade: event.Proven, Until: time.Now().Add(d)}); err != nil {
		t.Fatal(err)
	}
}

func setLayout(t *testing.T, s *State, layout uint32) {
	t.Helper()
	meta, err := readMeta(s.maps["metas"])
	if err != nil {
		t.Fatal(err)
	}
	meta.Layout = layout
	if err := s.maps["metas"].Put(uint32(0), meta); err != nil {
		t.Fatal(err)
	}
}

func attachedProgram(t *testing.T) uint32 {
	t.Helper()
	dev, err := netlink.LinkByName("eth0")
	if err != nil {
		t.Fatal(err)
	}
	if xdp := dev.Attrs().Xdp; xdp != nil && xdp.Attached {
		return xdp.ProgId
	}
	t.Fatal("eth0 runs no program")
	return 0
}

// wantBans compares the sources of all bans in force.
func wantBans(t *testing.T, s *State, want ...string) {
	t.Helper()
	bans, err := s.Bans()
	got := make(map[string]bool)
	for _, b := range bans {
		got[b.Source.String()] = true
	}
	if err != nil || len(got) != len(want) {
		t.Errorf("bans %v, %v, want %v", bans, err, want)
	}
	for _, source := range want {
		if !got[source] {
			t.Errorf("no ban of %s: %v", source, bans)
		}
	}
}

func wantPins(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if err != nil || strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("pinned: %v, %v, want %v", got, err, want)
	}
}

const older = uint32(layoutVersion) - 1

// TestTakeOver replaces the program of an older layout: the ban is there
// before the program is, and one that the old program gives until then is
// taken over too. One that was lifted meanwhile stays so.
func TestTakeOver(t *testing.T) {
	dir := bpfDir(t)
	program := mustProtectOlder(t, dir, older)
	if _, err := OpenState(dir); !errors.Is(err, ErrLayout) || !strings.Contains(err.Error(), fmt.Sprintf("has layout %d, and this denmap has layout %d", older, layoutVersion)) {
		t.Errorf("a command on older state: %v", err)
	}
	k := mustOpen(t, dir)
	defer k.Close(false)
	layout, bans, ok := k.TookOver()
	if layout != int(older) || bans != 1 || !ok || k.Adopted() {
		t.Errorf("took over layout %d with %d bans, %v; adopted %v", layout, bans, ok, k.Adopted())
	}
	wantBans(t, k.State, "203.0.113.7/32")
	wantPins(t, dir, linksDir, mapsDir, priorDir)
	if held := k.Attached(); len(held) != 1 || held[0].Name != "eth0" || !held[0].Monitor {
		t.Errorf("holds %+v", held)
	}
	if now := attachedProgram(t); now != program {
		t.Errorf("program %d before Attach, want %d", now, program)
	}

	if _, err := k.RemoveBan(netip.MustParsePrefix("203.0.113.7/32")); err != nil {
		t.Fatal(err)
	}
	late := &State{maps: k.prior.bans}
	value := bpf.ScanBan{Since: readClock().boot, Until: readClock().boot + uint64(time.Hour), Grade: bpf.ScanBanGradeGRADE_BLIND}
	if err := late.maps["blind_bans"].Put(addrKey(netip.MustParseAddr("203.0.113.8"), 0), value); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Attach("eth0", AttachOptions{Hook: HookGeneric}); err != nil {
		t.Fatal(err)
	}
	if now := attachedProgram(t); now == program {
		t.Error("the old program is still attached")
	}
	wantBans(t, k.State, "203.0.113.8/32")
	wantPins(t, dir, linksDir, mapsDir)
	if n, err := k.hintOf(addrKey(netip.MustParseAddr("203.0.113.8"), 0)); err != nil || n == 0 {
		t.Errorf("the program is not told to look for the ban: %b, %v", n, err)
	}
}

// hintOf returns what the program would find in the hints of a key.
func (s *State) hintOf(key bpf.ScanPrefix) (uint64, error) {
	h, err := s.tableHints()
	if err != nil {
		return 0, err
	}
	sum := hashWords(key.Addr, s.seed^uint64(key.Len))
	return h[sum>>49] >> (sum >> 43 & 60) & 15, nil
}

// TestTakeOverInVain has the start fail before a program is replaced: the
// older denmap finds everything as it left it.
func TestTakeOverInVain(t *testing.T) {
	dir := bpfDir(t)
	program := mustProtectOlder(t, dir, older)
	k := mustOpen(t, dir)
	if err := k.Abandon(); err != nil {
		t.Fatal(err)
	}
	wantPins(t, dir, linksDir, mapsDir)
	if layout, _, err := readLayout(filepath.Join(dir, mapsDir)); layout != int(older) || err != nil {
		t.Errorf("layout %d, %v, want %d", layout, err, older)
	}
	if now := attachedProgram(t); now != program {
		t.Errorf("program %d, want %d", now, program)
	}
	if bans, err := StrandedBans(dir); err != nil || len(bans) != 1 {
		t.Errorf("bans for detach: %v, %v", bans, err)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
}

// TestTakeOverCutShort kills the process between the steps, as far as the
// next one can tell: it begins anew or goes on, and loses no ban.
func TestTakeOverCutShort(t *testing.T) {
	for name, cut := range map[string]func(k *Kernel) error{
		"before the tables": func(k *Kernel) error {
			return os.Rename(filepath.Join(k.dir, mapsDir), filepath.Join(k.dir, newDir))
		},
		"before the programs": func(*Kernel) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := bpfDir(t)
			program := mustProtectOlder(t, dir, older)
			k := mustOpen(t, dir)
			if err := cut(k); err != nil {
				t.Fatal(err)
			}
			k.prior.begun = false // a killed process gives nothing back
			if err := k.release(true); err != nil {
				t.Fatal(err)
			}
			k = mustOpen(t, dir)
			defer k.Close(false)
			if k.Adopted() || attachedProgram(t) != program {
				t.Errorf("adopted %v, program %d, want %d", k.Adopted(), attachedProgram(t), program)
			}
			wantBans(t, k.State, "203.0.113.7/32")
			if _, err := k.Attach("eth0", AttachOptions{Hook: HookGeneric}); err != nil {
				t.Fatal(err)
			}
			wantPins(t, dir, linksDir, mapsDir)
		})
	}
}

// TestLiftedWhileTakenOver lifts a ban after a take-over was cut short: the
// old program lets the source pass at once, and the next start does not
// bring the ban back.
func TestLiftedWhileTakenOver(t *testing.T) {
	dir := bpfDir(t)
	mustProtectOlder(t, dir, older)
	k := mustOpen(t, dir)
	mustBan(t, k.State, "203.0.113.9/32", time.Hour)
	k.prior.begun = false // a killed process gives nothing back
	if err := k.release(true); err != nil {
		t.Fatal(err)
	}
	s, err := OpenState(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if found, err := s.RemoveBan(netip.MustParsePrefix("203.0.113.7/32")); !found || err != nil {
		t.Errorf("lift: %v, %v", found, err)
	}
	old, err := openPrior(filepath.Join(dir, priorDir))
	if err != nil {
		t.Fatal(err)
	}
	defer old.close()
	for table, m := range old.bans {
		if err := walk(m, func(key bpf.ScanPrefix, _ *bpf.ScanBan) {
			t.Errorf("%v is still in the old %s", prefixFrom(key), table)
		}); err != nil {
			t.Error(err)
		}
	}
	k = mustOpen(t, dir)
	defer k.Close(false)
	if _, err := k.Attach("eth0", AttachOptions{Hook: HookGeneric}); err != nil {
		t.Fatal(err)
	}
	wantBans(t, k.State, "203.0.113.9/32")
}

// TestTakeOverKeepsPause: the end of a pause is read from a gate of any
// size.
func TestTakeOverKeepsPause(t *testing.T) {
	var gate bpf.ScanGate
	if unsafe.Offsetof(gate.PauseUntil)+pauseSize != unsafe.Sizeof(gate) {
		t.Error("the gate does not end with the pause: bpf/scan.h")
	}
	for _, size := range []uint32{0, pauseSize, 24} { // 0: as it is
		dir := bpfDir(t)
		mustProtectOlder(t, dir, older)
		until := readClock().boot + uint64(time.Hour)
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, mapsDir, "gates"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if size != 0 {
			if m, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: size, MaxEntries: 1}); err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			pin := filepath.Join(dir, mapsDir, "gates")
			if err := errors.Join(os.Remove(pin), m.Pin(pin)); err != nil {
				t.Fatal(err)
			}
		}
		value := make([]byte, m.ValueSize())
		binary.NativeEndian.PutUint64(value[len(value)-pauseSize:], until)
		if err := m.Put(uint32(0), value); err != nil {
			t.Fatal(err)
		}
		k := mustOpen(t, dir)
		if gate, err := k.gate(); err != nil || gate.PauseUntil != until {
			t.Errorf("gate of %d bytes: paused until %d, %v, want %d", m.ValueSize(), gate.PauseUntil, err, until)
		}
		if err := k.Close(false); err != nil {
			t.Error(err)
		}
	}
}

// TestTakeOverReadsOnlyWhatItKnows meets bans of another size: they are
// left to the file, and detach is told so.
func TestTakeOverReadsOnlyWhatItKnows(t *testing.T) {
	dir := bpfDir(t)
	mustProtectOlder(t, dir, older)
	spec, err := bpf.LoadScan()
	if err != nil {
		t.Fatal(err)
	}
	strange := spec.Maps["bans"]
	strange.ValueSize, strange.Key, strange.Value = 48, nil, nil
	m, err := ebpf.NewMap(strange)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	pin := filepath.Join(dir, mapsDir, "bans")
	if err := errors.Join(os.Remove(pin), m.Pin(pin)); err != nil {
		t.Fatal(err)
	}
	if _, err := StrandedBans(dir); err == nil {
		t.Error("bans of another size were read")
	}
	k := mustOpen(t, dir)
	defer k.Close(false)
	if _, bans, ok := k.TookOver(); bans != 0 || !ok {
		t.Errorf("took over %d bans, %v", bans, ok)
	}
}

// TestDowngradeRefused meets state of a later denmap.
func TestDowngradeRefused(t *testing.T) {
	dir := bpfDir(t)
	program := mustProtectOlder(t, dir, uint32(layoutVersion)+1)
	_, err := Open(Options{Dir: dir, Settings: defaults()})
	want := fmt.Sprintf("pinned state has layout %d, and this denmap knows layouts up to %d: start the newer denmap again, or end its protection with denmap detach",
		layoutVersion+1, layoutVersion)
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %q", err, want)
	}
	wantPins(t, dir, linksDir, mapsDir)
	if now := attachedProgram(t); now != program {
		t.Errorf("program %d, want %d", now, program)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
}

// TestNoLayout meets tables that do not say what they are.
func TestNoLayout(t *testing.T) {
	dir := bpfDir(t)
	program := mustProtectOlder(t, dir, 0)
	_, err := Open(Options{Dir: dir, Settings: defaults()})
	if !errors.Is(err, ErrLayout) || !strings.Contains(err.Error(), "no layout version: denmap detach removes it") {
		t.Errorf("error %v", err)
	}
	if now := attachedProgram(t); now != program {
		t.Errorf("program %d, want %d", now, program)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
}
