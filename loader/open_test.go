// SPDX-License-Identifier: MIT

package loader

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"denmap/bpf"
	"denmap/userspace/event"
)

func mustOpen(t *testing.T, dir string) *Kernel {
	t.Helper()
	k, err := Open(Options{Dir: dir, Settings: defaults()})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOpenAdoptsWhatWasKept(t *testing.T) {
	dir := bpfDir(t)
	first := mustOpen(t, dir)
	if first.Adopted() {
		t.Error("fresh state counts as adopted")
	}
	until := time.Now().Add(time.Hour)
	want := netip.MustParsePrefix("203.0.113.7/32")
	if err := first.AddBan(event.Ban{Source: want, Grade: event.Manual, Until: until}); err != nil {
		t.Fatal(err)
	}
	seed := first.seed
	if err := first.Close(true); err != nil {
		t.Fatal(err)
	}
	second := mustOpen(t, dir)
	defer second.Close(false)
	if !second.Adopted() || second.seed != seed {
		t.Errorf("adopted %v, seed %x, want true and %x", second.Adopted(), second.seed, seed)
	}
	bans, err := second.Bans()
	if err != nil || len(bans) != 1 || bans[0].Source != want || bans[0].Until.Sub(until).Abs() > time.Second {
		t.Errorf("bans after adoption: %v, %v", bans, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := bpfDir(t)
	k := mustOpen(t, dir)
	if _, err := Open(Options{Dir: dir, Settings: defaults()}); !errors.Is(err, ErrRunning) {
		t.Errorf("second daemon: %v, want ErrRunning", err)
	}
	if err := Remove(dir); !errors.Is(err, ErrRunning) {
		t.Errorf("remove under a daemon: %v, want ErrRunning", err)
	}
	meta, err := readMeta(k.maps["metas"])
	if err != nil {
		t.Fatal(err)
	}
	meta.Layout++
	if err := k.maps["metas"].Put(uint32(0), meta); err != nil {
		t.Fatal(err)
	}
	if err := k.Close(true); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, Settings: defaults()}); !errors.Is(err, ErrLayout) {
		t.Errorf("newer layout: %v, want ErrLayout", err)
	}
	if _, err := OpenState(dir); !errors.Is(err, ErrLayout) {
		t.Errorf("newer layout for a command: %v, want ErrLayout", err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, Settings: defaults()}); err == nil || !strings.Contains(err.Error(), "others can write") {
		t.Errorf("world-writable pins: %v", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir); err != nil {
		t.Error(err)
	}
	if _, err := OpenState(dir); !errors.Is(err, ErrNotAttached) {
		t.Errorf("after removal: %v, want ErrNotAttached", err)
	}
}

func TestOpenClearsWhatAnAbortedStartLeft(t *testing.T) {
	dir := bpfDir(t)
	left := filepath.Join(dir, newDir)
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenState(dir); !errors.Is(err, ErrNotAttached) {
		t.Errorf("half a start: %v, want ErrNotAttached", err)
	}
	k := mustOpen(t, dir)
	defer k.Close(false)
	if k.Adopted() {
		t.Error("half a start was adopted")
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("leftover is still there: %v", err)
	}
}

// TestOpenAfterAbortedEnd starts where an end was cut off: between links
// and maps, and between maps and the directory.
func TestOpenAfterAbortedEnd(t *testing.T) {
	dir := bpfDir(t)
	for _, gone := range []string{linksDir, mapsDir} {
		k := mustOpen(t, dir)
		if err := k.Close(true); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, gone)); err != nil {
			t.Fatal(err)
		}
		k = mustOpen(t, dir)
		if k.Adopted() != (gone == linksDir) {
			t.Errorf("without %s: adopted is %v", gone, k.Adopted())
		}
		if err := k.Close(false); err != nil {
			t.Errorf("without %s: %v", gone, err)
		}
	}
}

// TestServiceDirectory is what the packaged service has: a directory made
// for it, as a mount of its own, which it cannot remove.
func TestServiceDirectory(t *testing.T) {
	given := bpfDir(t)
	if err := os.Mkdir(given, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "denmap")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(given, dir, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	for _, keep := range []bool{true, false} {
		k := mustOpen(t, dir)
		if k.Adopted() == keep {
			t.Errorf("adopted is %v", k.Adopted())
		}
		if err := k.Close(keep); err != nil {
			t.Fatal(err)
		}
		// Commands see it where the service's mount comes from.
		if s, err := OpenState(given); keep && err != nil || !keep && !errors.Is(err, ErrNotAttached) {
			t.Errorf("kept %v: %v", keep, err)
		} else if err == nil {
			s.Close()
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := Remove(dir); !errors.Is(err, ErrNotAttached) {
		t.Errorf("remove nothing: %v, want ErrNotAttached", err)
	}
	if err := os.Chown(given, someone, someone); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{Dir: dir, Settings: defaults()}); err == nil || !strings.Contains(err.Error(), "belongs to user 64999") {
		t.Errorf("somebody else's directory: %v", err)
	}
}

// someone is a user other than root; no such account need exist.
const someone = 64999

// TestPinsBelongToTheOwnerOfTheDirectory makes, as root, the state in a
// directory that the service has: the service must be able to adopt it.
func TestPinsBelongToTheOwnerOfTheDirectory(t *testing.T) {
	dir := bpfDir(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	spec, err := bpf.LoadScan()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, someone, someone); err != nil {
		t.Fatal(err)
	}
	maps, adopted, err := holdMaps(dir, spec)
	if err != nil || adopted {
		t.Fatalf("adopted %v, %v", adopted, err)
	}
	closeMaps(maps)
	for _, name := range []string{linksDir, mapsDir, mapsDir + "/metas"} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, name), &st); err != nil || st.Uid != someone || st.Gid != someone {
			t.Errorf("%s belongs to %d:%d, %v", name, st.Uid, st.Gid, err)
		}
	}
	if err := removePins(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left in the service's directory: %v, %v", left, err)
	}
}

// TestNoMemoryForATable has the kernel refuse one table after others were
// made and pinned: nothing of them is left.
func TestNoMemoryForATable(t *testing.T) {
	dir := bpfDir(t)
	spec, err := bpf.LoadScan()
	if err != nil {
		t.Fatal(err)
	}
	spec.Maps["sources"].MaxEntries = 1 << 30 // hundreds of gigabytes
	lock, err := holdDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := holdMaps(dir, spec); err == nil || !strings.Contains(err.Error(), `create map "sources"`) {
		t.Errorf("error %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(dir + "*"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	k := mustOpen(t, dir)
	if err := k.Close(false); err != nil {
		t.Error(err)
	}
}

func TestCloseTwiceLeavesNothing(t *testing.T) {
	dir := bpfDir(t)
	k := mustOpen(t, dir)
	for range 2 {
		if err := k.Close(false); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := filepath.Glob(dir + "*"); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// The numbers of kinds, tools, grades and verdicts stand in C and in
// package event; only this test sees both.
func TestNamesMatchC(t *testing.T) {
	kinds := map[event.Kind]bpf.ScanScanKind{
		event.SYN: bpf.ScanScanKindKIND_SYN, event.Connect: bpf.ScanScanKindKIND_CONNECT,
		event.FIN: bpf.ScanScanKindKIND_FIN, event.Xmas: bpf.ScanScanKindKIND_XMAS,
		event.Null: bpf.ScanScanKindKIND_NULL, event.ACK: bpf.ScanScanKindKIND_ACK,
		event.Maimon: bpf.ScanScanKindKIND_MAIMON, event.OddFlags: bpf.ScanScanKindKIND_ODD_FLAGS,
		event.UDP: bpf.ScanScanKindKIND_UDP, event.SCTP: bpf.ScanScanKindKIND_SCTP,
		event.IPProtocol: bpf.ScanScanKindKIND_IP_PROTOCOL, event.OSFingerprint: bpf.ScanScanKindKIND_OS_FINGERPRINT,
		event.Fragment: bpf.ScanScanKindKIND_FRAGMENT, event.Sweep: bpf.ScanScanKindKIND_SWEEP,
	}
	if len(kinds) != len(event.KindNames()) {
		t.Errorf("%d kinds compared of %d", len(kinds), len(event.KindNames()))
	}
	for k, c := range kinds {
		if uint32(k) != uint32(c) {
			t.Errorf("kind %v is %d, in C %d", k, k, c)
		}
	}
	tools := map[event.Tool]bpf.ScanScanTool{
		event.ToolUnknown: bpf.ScanScanToolTOOL_UNKNOWN, event.ToolKernel: bpf.ScanScanToolTOOL_KERNEL,
		event.ToolRaw: bpf.ScanScanToolTOOL_RAW, event.ToolNmap: bpf.ScanScanToolTOOL_NMAP,
		event.ToolMasscan: bpf.ScanScanToolTOOL_MASSCAN, event.ToolZmap: bpf.ScanScanToolTOOL_ZMAP,
		event.ToolHping3: bpf.ScanScanToolTOOL_HPING3,
		event.ToolNping:  bpf.ScanScanToolTOOL_NPING, event.ToolScapy: bpf.ScanScanToolTOOL_SCAPY,
		event.ToolMirai: bpf.ScanScanToolTOOL_MIRAI,
	}
	for g, c := range tools {
		if uint32(g) != uint32(c) {
			t.Errorf("tool %v is %d, in C %d", g, g, c)
		}
	}
	for g, c := range map[event.Grade]bpf.ScanBanGrade{
		event.Blind: bpf.ScanBanGradeGRADE_BLIND, event.Proven: bpf.ScanBanGradeGRADE_PROVEN, event.Manual: bpf.ScanBanGradeGRADE_MANUAL,
	} {
		if uint32(g) != uint32(c) {
			t.Errorf("grade %v is %d, in C %d", g, g, c)
		}
	}
	for v, c := range map[event.Verdict]bpf.ScanEventType{
		event.VerdictAlert: bpf.ScanEventTypeEVENT_ALERT, event.VerdictBan: bpf.ScanEventTypeEVENT_BAN, event.VerdictWouldBan: bpf.ScanEventTypeEVENT_WOULD_BAN,
	} {
		if uint32(v) != uint32(c) {
			t.Errorf("verdict %v in C %d", v, c)
		}
	}
	if reasonNames[bpf.ScanReasonDROP_DENIED] != [2]string{"drop", "denied"} || reasonNames[bpf.ScanReasonLOST_BAN] != [2]string{"lost", "ban"} {
		t.Error("reasonNames is out of step with enum reason")
	}
}

func TestLimitsSizeTheTables(t *testing.T) {
	k, err := Open(Options{Dir: bpfDir(t), Settings: defaults(), Limits: Limits{Sources: 2048, Bans: 4096, BlindBans: 1024}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := k.Close(false); err != nil {
			t.Error(err)
		}
	}()
	for name, want := range map[string]uint32{"sources": 2048, "bans": 4096, "blind_bans": 1024} {
		if got := k.maps[name].MaxEntries(); got != want {
			t.Errorf("%s: %d entries, want %d", name, got, want)
		}
	}
	small, err := k.Memory()
	if err != nil || small == 0 || small > 64<<20 {
		t.Errorf("the tables take %d bytes, %v", small, err)
	}
}
