// SPDX-License-Identifier: MIT

package main

import (
	"path/filepath"
	"runtime"
	"testing"

	"denmap/testenv/need"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	need.Root(t, "loading the program into a network namespace (make check)")
}

// enterNetns puts the test into a network namespace of its own. Its thread
// never returns to the pool.
func enterNetns(t *testing.T) {
	t.Helper()
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Fatalf("make network namespace: %v", err)
	}
}

// pinDir returns a pin directory on a BPF file system of the test's own.
func pinDir(t *testing.T) string {
	t.Helper()
	mount := t.TempDir()
	if err := unix.Mount("bpf", mount, "bpf", 0, "mode=0700"); err != nil {
		t.Fatalf("mount BPF file system: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(mount, "denmap")
}
