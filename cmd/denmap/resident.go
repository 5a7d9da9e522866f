// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// settled is when lists and location data are loaded for certain. What
	// loading them leaves behind, some 12 MiB, the runtime would otherwise
	// give back only under pressure.
	settled = 3 * time.Second

	// Every leanPause a heap of less than leanHeap bytes is cut to what is in
	// use. At rest some 10 MiB are, and Go would let them become 25. A flood
	// of sources has more, and makes new garbage at once.
	leanPause = time.Minute
	leanHeap  = 32 << 20
)

// stayLean keeps the memory of a daemon at rest small until stop is called,
// which waits for what is under way.
func stayLean(report func(string)) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		next := time.NewTimer(settled)
		defer next.Stop()
		for first := true; ; first = false {
			select {
			case <-quit:
				return
			case <-next.C:
			}
			if !first {
				trim()
			} else if err := forgetStart(); err != nil {
				report(err.Error())
			}
			next.Reset(leanPause)
		}
	}()
	return func() {
		close(quit)
		<-done
	}
}

// trim gives back what a small heap does not use.
func trim() {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(heap)
	if heap[0].Value.Uint64() < leanHeap {
		debug.FreeOSMemory()
	}
}

// forgetStart gives memory back that only the start needed: of the heap, and
// of the program's own file. The kernel reads pages of the file again when
// they are used.
func forgetStart() error {
	debug.FreeOSMemory()
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return fmt.Errorf("find the program's file: %w", err)
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return fmt.Errorf("read memory map: %w", err)
	}
	defer maps.Close()
	var start, end uintptr
	ours := false
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		line := lines.Text()
		if isRange(line) {
			start, end, ours = readOnlyRange(line, exe)
		}
		if !ours || !isUnchanged(line) {
			continue
		}
		if _, _, errno := unix.Syscall(unix.SYS_MADVISE, start, end-start, unix.MADV_DONTNEED); errno != 0 {
			err = errors.Join(err, fmt.Errorf("give back pages of the program's file: %w", errno))
		}
	}
	return errors.Join(err, lines.Err())
}

// isRange reports whether a line of smaps, proc(5), begins a mapping; others
// are a name with a colon and what it is worth.
func isRange(line string) bool {
	first, _, _ := strings.Cut(line, " ")
	return strings.Contains(first, "-") && !strings.HasSuffix(first, ":")
}

// isUnchanged reports whether a line of smaps says that all pages of a
// mapping are the file's. What the dynamic linker wrote and then made read-only
// looks like the file's otherwise, and would be lost.
func isUnchanged(line string) bool {
	name, value, _ := strings.Cut(line, ":")
	return name == "Anonymous" && strings.TrimSpace(value) == "0 kB"
}

// readOnlyRange returns the addresses of a line of a memory map, proc(5),
// that maps the file so that nothing can have been written to it.
func readOnlyRange(line, file string) (start, end uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[5] != file || strings.Contains(fields[1], "w") {
		return 0, 0, false
	}
	from, to, _ := strings.Cut(fields[0], "-")
	first, err := strconv.ParseUint(from, 16, 64)
	last, errEnd := strconv.ParseUint(to, 16, 64)
	return uintptr(first), uintptr(last), err == nil && errEnd == nil && first < last
}
