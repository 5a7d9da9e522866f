// SPDX-License-Identifier: MIT

package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

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
