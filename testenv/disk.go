// SPDX-License-Identifier: MIT

package testenv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Disk is a small file system of a host, on a file in its memory, that a
// test can break.
type Disk struct {
	host *Host
	dir  string // where it is mounted
}

// MountDisk mounts an ext4 file system of some MiB at dir, which exists.
// It goes with the host.
func (h *Host) MountDisk(dir string, mebibytes int) *Disk {
	h.t.Helper()
	image := filepath.Join(labDir, "disk"+strings.ReplaceAll(dir, "/", "-"))
	script := fmt.Sprintf("truncate -s %dM %s && mkfs.ext4 -q -m 0 %s && mount -o loop %s %s", mebibytes, image, image, image, dir)
	if out, err := h.Command(h.t.Context(), "/bin/sh", "-c", script).CombinedOutput(); err != nil {
		h.t.Fatalf("make disk on %q: %v: %s", h.Name, err, out)
	}
	return &Disk{h, dir}
}

// Fill leaves no byte free. The returned function makes room again.
func (d *Disk) Fill() (undo func()) {
	d.host.t.Helper()
	ballast := d.host.Path(filepath.Join(d.dir, "ballast"))
	f, err := os.Create(ballast)
	if err != nil {
		d.host.t.Fatalf("fill disk: %v", err)
	}
	defer f.Close()
	for chunk := make([]byte, 1<<16); len(chunk) > 0; {
		if _, err := f.Write(chunk); errors.Is(err, unix.ENOSPC) {
			chunk = chunk[:len(chunk)/2]
		} else if err != nil {
			d.host.t.Fatalf("fill disk: %v", err)
		}
	}
	return func() {
		if err := os.Remove(ballast); err != nil {
			d.host.t.Errorf("make room: %v", err)
		}
	}
}

// Freeze makes every write wait, as on a disk that hangs, until the
// returned function is called, or the test ends.
func (d *Disk) Freeze() (thaw func()) {
	d.host.t.Helper()
	const freeze, unfreeze = 0xc0045877, 0xc0045878 // FIFREEZE, FITHAW
	control := func(request uint) error {
		return d.host.Inside(func() error {
			dir, err := os.Open(d.dir)
			if err != nil {
				return err
			}
			defer dir.Close()
			return unix.IoctlSetInt(int(dir.Fd()), request, 0)
		})
	}
	if err := control(freeze); err != nil {
		d.host.t.Fatalf("freeze disk: %v", err)
	}
	thawed := false
	thaw = func() {
		if thawed {
			return
		}
		thawed = true
		if err := control(unfreeze); err != nil {
			d.host.t.Errorf("thaw disk: %v", err)
		}
	}
	d.host.t.Cleanup(thaw)
	return thaw
}

// Fail makes the file system refuse every write from now on: ext4 turns
// itself read-only after an error of its journal.
func (d *Disk) Fail() {
	d.host.t.Helper()
	cmd := d.host.Command(d.host.t.Context(), "/bin/mount", "-o", "remount,abort", d.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.host.t.Fatalf("make disk fail: %v: %s", err, out)
	}
}
