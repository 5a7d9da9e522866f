// SPDX-License-Identifier: MIT

package testenv

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PID returns the daemon's process, as this process sees it.
func (d *Daemon) PID() int { return d.cmd.Process.Pid }

// Memory returns the bytes that the daemon has in memory, and how they
// are made up: its own, and pages of files, the program's for the most part
// (which the lab keeps on a tmpfs).
func (d *Daemon) Memory() (rss int64, parts string) {
	d.host.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.host.t.Fatalf("read memory of denmap: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "VmRSS":
			if _, err := fmt.Sscan(value, &rss); err != nil {
				d.host.t.Fatalf("read memory of denmap: %v in %q", err, line)
			}
		case "RssAnon", "RssFile", "RssShmem":
			parts += name + " " + strings.Join(strings.Fields(value), " ") + " "
		}
	}
	return rss << 10, parts
}

// statField returns a field of proc_pid_stat(5), as that numbers them, behind
// the name in brackets, which may hold anything.
func (d *Daemon) statField(stat []byte, number int) int {
	d.host.t.Helper()
	const first = 3
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if number-first >= len(fields) {
		d.host.t.Fatalf("read field %d of %q", number, stat)
	}
	n, err := strconv.Atoi(fields[number-first])
	if err != nil {
		d.host.t.Fatalf("read field %d of %q: %v", number, stat, err)
	}
	return n
}
