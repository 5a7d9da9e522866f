// SPDX-License-Identifier: MIT

package main

import (
	"os"
	"runtime"
	"testing"
)

func TestForgetStart(t *testing.T) {
	if err := forgetStart(); err != nil {
		t.Fatal(err)
	}
	// The program goes on: its pages are read again.
	if _, err := os.ReadFile("/proc/self/status"); err != nil {
		t.Error(err)
	}
}

// TestTrim: a small heap gives back what it does not use, a big one keeps it.
func TestTrim(t *testing.T) {
	unused := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapIdle - m.HeapReleased
	}
	leave := func() {
		garbage := make([]byte, 16<<20)
		for i := range garbage {
			garbage[i] = 1
		}
		runtime.KeepAlive(garbage)
	}
	big := make([]byte, leanHeap)
	leave()
	runtime.GC()
	trim()
	if got := unused(); got < 8<<20 {
		t.Errorf("a big heap has %d KiB left that it does not use", got>>10)
	}
	runtime.KeepAlive(big)
	big = nil
	leave()
	runtime.GC()
	trim()
	if got := unused(); got > 4<<20 {
		t.Errorf("a small heap still has %d KiB that it does not use", got>>10)
	}
}

func TestReadOnlyRange(t *testing.T) {
	const file = "/usr/bin/denmap"
	for line, want := range map[string][2]uintptr{
		"00400000-01a3c000 r-xp 00000000 08:01 1234    /usr/bin/denmap":  {0x400000, 0x1a3c000},
		"01a3c000-02d00000 r--p 0163c000 08:01 1234    /usr/bin/denmap":  {0x1a3c000, 0x2d00000},
		"02d00000-02e00000 rw-p 02900000 08:01 1234    /usr/bin/denmap":  {},
		"00400000-01a3c000 r-xp 00000000 08:01 1234    /usr/bin/another": {},
		"c000000000-c000400000 rw-p 00000000 00:00 0":                    {},
		"nonsense r--p 0 08:01 1 /usr/bin/denmap":                        {},
	} {
		start, end, ok := readOnlyRange(line, file)
		if ok != (want[1] > 0) || ok && (start != want[0] || end != want[1]) {
			t.Errorf("%q: %x to %x, %v; want %x", line, start, end, ok, want)
		}
	}
}

// TestUnchangedRanges: a mapping that the dynamic linker wrote to is kept,
// although it can only be read by now.
func TestUnchangedRanges(t *testing.T) {
	for line, want := range map[string][2]bool{ // begins a mapping, is the file's
		"55d37dca4000-55d37dca6000 r--p 00000000 fe:00 247278   /usr/bin/denmap": {true, false},
		"Anonymous:             0 kB":                                            {false, true},
		"Anonymous:             8 kB":                                            {false, false},
		"Private_Clean:         0 kB":                                            {false, false},
		"VmFlags: rd mr mw me dw ac sd":                                          {false, false},
	} {
		if got := [2]bool{isRange(line), isUnchanged(line)}; got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}
