// SPDX-License-Identifier: MIT

package need

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// outcome is how a test ended: the fake for T.
type outcome struct{ skipped, failed string }

func (o *outcome) Helper()                           {}
func (o *outcome) Fatalf(format string, args ...any) { o.failed = fmt.Sprintf(format, args...) }
func (o *outcome) Skipf(format string, args ...any)  { o.skipped = fmt.Sprintf(format, args...) }

func TestMissing(t *testing.T) {
	program := func(t T) { Program(t, "some-package", "denmap-no-such-program", "nor-this") }
	machine := func(t T) { Missing(t, "no %s here", "device") }
	for _, row := range []struct {
		name       string
		all, allow string
		test       func(T)
		skipped    bool
		says       string
	}{
		{"a device", "", "", machine, true, "no device here"},
		{"a device, all to run", "1", "", machine, false, "no device here; DENMAP_TEST_ALL forbids to skip"},
		{"a program", "", "", program, false, `find "denmap-no-such-program, nor-this": not installed; apt-get install some-package`},
		{"a program, allowed", "", "1", program, true, "apt-get install some-package"},
		{"a program, allowed, all to run", "1", "1", program, false, "DENMAP_TEST_ALL forbids"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv(AllEnv, row.all)
			t.Setenv(MissingEnv, row.allow)
			var o outcome
			row.test(&o)
			if (o.skipped != "") != row.skipped || !strings.Contains(o.skipped+o.failed, row.says) {
				t.Errorf("%+v, want skipped = %v and %q", o, row.skipped, row.says)
			}
		})
	}
}

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "denmap-second")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	var o outcome
	if got := Program(&o, "", "denmap-first", "denmap-second"); got != path || o != (outcome{}) {
		t.Errorf("found %q, %+v, want %q", got, o, path)
	}
}

func TestRoot(t *testing.T) {
	t.Setenv(AllEnv, "1")
	var o outcome
	Root(&o, "this")
	if failed := o.failed != ""; failed != (os.Geteuid() != 0) || o.skipped != "" {
		t.Errorf("as user %d: %+v", os.Geteuid(), o)
	}
}
