// SPDX-License-Identifier: MIT

package chromium

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"denmap/testenv/need"
)

// program returns what starts Chromium in a network namespace: Chromium
// itself where it is none, else a script in a directory of the test's.
func program(t testing.TB, namespace string) string {
	t.Helper()
	path := need.Program(t, "chromium", "chromium", "chromium-browser", "google-chrome")
	if namespace == "" {
		return path
	}
	nsenter := need.Program(t, "util-linux", "nsenter")
	script := filepath.Join(t.TempDir(), "chromium")
	// Written by another process: a file that this one holds open for
	// writing while another goroutine forks cannot be executed for a moment
	// (ETXTBSY).
	write := exec.Command("/bin/sh", "-c", `cat >"$0" && chmod 755 "$0"`, script)
	write.Stdin = strings.NewReader(fmt.Sprintf("#!/bin/sh\nexec '%s' --net='%s' -- '%s' \"$@\"\n", nsenter, namespace, path))
	if out, err := write.CombinedOutput(); err != nil {
		t.Fatalf("write %q: %v: %s", script, err, out)
	}
	return script
}
