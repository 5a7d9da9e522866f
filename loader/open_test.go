// SPDX-License-Identifier: MIT

package loader

import (
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// defaults are the settings of DESIGN.md section 7.
func defaults() Settings {
	return Settings{AlertScore: 4, BanScore: 8, Decay: 30 * time.Minute, IPv6Prefix: 64, DropCrafted: true, BanDuration: 10 * time.Minute}
}

// bpfDir returns a pin directory on a BPF file system of the test's own.
func bpfDir(t testing.TB) string {
	t.Helper()
	mount := t.TempDir()
	if err := unix.Mount("bpf", mount, "bpf", 0, "mode=0700"); err != nil {
		t.Fatalf("mount bpffs (needs root and Linux 5.15): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(mount, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return filepath.Join(mount, "denmap")
}

func TestOpen(t *testing.T) {
	k, err := Open(Options{Dir: bpfDir(t), Settings: defaults()})
	if err != nil {
		t.Fatal(err)
	}
	p, err := k.loadProgram(flow{ethernet: true}, true)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	info, _ := p.Info()
	n, _ := info.VerifiedInstructions()
	t.Log(n)
	fills, err := k.Fills()
	t.Log(fills, err)
	if err := k.Close(false); err != nil {
		t.Fatal(err)
	}
}
