// SPDX-License-Identifier: MIT

package eventlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"denmap/testenv/smalldisk"
)

// TestFullDisk fills a small file system of its own.
func TestFullDisk(t *testing.T) { smalldisk.Run(t, "64k", fullDisk) }

func fullDisk(t *testing.T, dir string) {
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 32<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	var said reports
	l := mustOpen(t, Options{Path: filepath.Join(dir, "events.log"), Report: said.add})
	last, failed := 0, 0
	for failed < 5 {
		last++
		if last > 1000 {
			t.Fatal("the disk is never full")
		}
		err := l.Write(numberedEvent(last))
		switch {
		case err == nil && failed > 0:
			t.Fatalf("event %d fits again", last)
		case err != nil && !errors.Is(err, syscall.ENOSPC):
			t.Fatal(err)
		case err != nil:
			failed++
		}
	}
	written := last - failed
	if got := content(t, l.opts.Path); got[len(got)-1] != '\n' {
		t.Errorf("a part of a line is left: %q", got[max(0, len(got)-80):])
	}
	if s := l.Stats(); s.Lost != 5 || s.Failed != 5 || int(s.Written) != written {
		t.Errorf("stats %+v after %d written", s, written)
	}

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, l, last+1, last+2)
	list := ids(t, l.opts.Path)
	if len(list) != written+2 || list[written] != "LOST" || strings.Contains(strings.Join(list, " "), "BAD") {
		t.Errorf("log has %v", list)
	}
	if got := said.all(); len(got) != 2 {
		t.Errorf("reports %q", got)
	}
}
