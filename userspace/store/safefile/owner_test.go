// SPDX-License-Identifier: MIT

package safefile

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"denmap/testenv/need"
)

// TestRootLeavesUsableFiles edits as root in a directory of another user,
// as commands do beside a service.
func TestRootLeavesUsableFiles(t *testing.T) {
	need.Root(t, "giving files away")
	const someone = 64999
	dir := t.TempDir()
	if err := os.Chown(dir, someone, someone); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sub", "file")
	// The second time the lock is one that an older command left to root.
	lock := filepath.Join(dir, "sub", ".file.lock")
	for range 2 {
		f := mustLock(t, path)
		if err := f.Replace([]byte("x"), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"sub", "sub/file", "sub/.file.lock"} {
			info, err := os.Stat(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			st, ok := info.Sys().(*syscall.Stat_t)
			if !ok || st.Uid != someone || st.Gid != someone {
				t.Errorf("%s belongs to %d:%d, want %d:%d", name, st.Uid, st.Gid, someone, someone)
			}
		}
		if err := os.Chown(lock, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
}
