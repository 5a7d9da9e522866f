// SPDX-License-Identifier: MIT

package loader

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"

	"denmap/bpf"
	"denmap/userspace/event"
)

// TestWalksEndInAFlood reads tables that are turned over meanwhile.
func TestWalksEndInAFlood(t *testing.T) {
	r := newRig(t, enforcing())
	stays := netip.MustParsePrefix("192.0.2.7/32")
	if err := r.AddBan(event.Ban{Source: stays, Grade: event.Manual}); err != nil {
		t.Fatal(err)
	}
	ban := func(i uint32) event.Ban {
		return event.Ban{Source: netip.PrefixFrom(forgedAddr(i), 32), Grade: event.Blind, Until: time.Now().Add(time.Hour)}
	}
	size := r.maps["blind_bans"].MaxEntries()
	for i := range size {
		if err := r.AddBan(ban(i)); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var flood sync.WaitGroup
	flood.Go(func() {
		for i := size; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := r.AddBan(ban(i)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	for range 5 {
		bans, err := r.Bans()
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, b := range bans {
			found = found || b.Source == stays
		}
		if !found || len(bans) < int(size)/2 {
			t.Errorf("%d of %d bans, the one that stays among them: %v", len(bans), size, found)
		}
		if _, err := r.Fills(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	flood.Wait()
}

// TestWalkVisitsEachEntryOnce reads tables of as many entries as no read
// takes, one and a few reads.
func TestWalkVisitsEachEntryOnce(t *testing.T) {
	r := newRig(t, enforcing())
	filled := 0
	for _, n := range []int{0, 1, firstBatch, firstBatch + 1, mostBatch, 5 * mostBatch} {
		for ; filled < n; filled++ {
			if err := r.maps["protected"].Put(addrKey(forgedAddr(uint32(filled)), 0), uint32(1)); err != nil {
				t.Fatal(err)
			}
		}
		visits := make(map[bpf.ScanPrefix]int)
		if err := r.walkKeys("protected", func(key bpf.ScanPrefix) { visits[key]++ }); err != nil {
			t.Fatal(err)
		}
		for key, times := range visits {
			if times != 1 {
				t.Errorf("of %d entries %v was visited %d times", n, key, times)
			}
		}
		if len(visits) != n {
			t.Errorf("%d of %d entries were visited", len(visits), n)
		}
	}
}

// TestRestCostsLittleMemory: what a daemon reads every second while there are
// no bans.
func TestRestCostsLittleMemory(t *testing.T) {
	const limit = 16 << 10 // bytes a second; 370 KiB once
	const seconds = 20
	r := newRig(t, enforcing())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range seconds {
		if _, err := r.DropExpired(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Bans(); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	each := (after.TotalAlloc - before.TotalAlloc) / seconds
	t.Logf("%d bytes a second", each)
	if each > limit {
		t.Errorf("%d bytes a second, at most %d expected", each, limit)
	}
}

func forgedAddr(i uint32) netip.Addr {
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000000+i)))
}

// TestReconfigureWithoutAnInterface: one that is gone stops nothing.
func TestReconfigureWithoutAnInterface(t *testing.T) {
	k, iface := protect(t)
	if got := k.nameOf(iface.Index); got != "eth0" {
		t.Errorf("it is called %q", got)
	}
	link, err := netlink.LinkByIndex(iface.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkDel(link); err != nil {
		t.Fatal(err)
	}
	other := defaults()
	other.BanScore = 9
	if err := k.Reconfigure(other); err != nil {
		t.Errorf("without the interface: %v", err)
	}
	if rules, err := k.Rules(); err != nil || rules.BanScore != 9 {
		t.Errorf("rules %+v, %v", rules, err)
	}
}

func TestReconfigureLeavesAdoptedProgramsToAttach(t *testing.T) {
	k, iface := protect(t)
	dir := k.dir
	if err := k.Close(true); err != nil {
		t.Fatal(err)
	}
	second := mustOpen(t, dir)
	defer second.Close(false)
	before := runningProgram(t, iface.Index)
	if err := second.Reconfigure(defaults()); err != nil {
		t.Fatal(err)
	}
	if err := second.Tend(); err != nil {
		t.Fatal(err)
	}
	if got := runningProgram(t, iface.Index); got != before {
		t.Error("the program was replaced by one that knows nothing of its interface")
	}
	if _, err := second.Attach("eth0", AttachOptions{Hook: HookGeneric}); err != nil {
		t.Fatal(err)
	}
	if got := runningProgram(t, iface.Index); got == before {
		t.Error("the program was not replaced")
	}
	if err := second.Tend(); err != nil {
		t.Fatal(err)
	}
}

func runningProgram(t *testing.T, index int) ebpf.ProgramID {
	t.Helper()
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		t.Fatal(err)
	}
	if link.Attrs().Xdp == nil {
		t.Fatal("no XDP program")
	}
	return ebpf.ProgramID(link.Attrs().Xdp.ProgId)
}

// TestTendLoadsWhatSettles: an interface is protected before the program that
// settles waiting probes is loaded; the next Tend loads it, with the present
// settings.
func TestTendLoadsWhatSettles(t *testing.T) {
	k, iface := protect(t)
	programs := &k.attached[iface.Index].progs
	loaded := make(map[ebpf.ProgramID]bool)
	for _, decay := range []time.Duration{time.Minute, time.Hour} {
		settings := defaults()
		settings.Decay = decay
		if err := k.Reconfigure(settings); err != nil {
			t.Fatal(err)
		}
		if programs.settle != nil {
			t.Errorf("decay %v: loaded before it is needed", decay)
		}
		for range 2 {
			if err := k.Tend(); err != nil {
				t.Fatal(err)
			}
			info, err := programs.settle.Info()
			if err != nil {
				t.Fatal(err)
			}
			id, _ := info.ID()
			loaded[id] = true
		}
	}
	if len(loaded) != 2 {
		t.Errorf("%d programs were loaded, want one for each settings", len(loaded))
	}
	if k.types != nil {
		t.Error("the kernel's types are kept")
	}
}
