// SPDX-License-Identifier: MIT

package doctor

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// fakeRoot writes files below a directory of the test's own.
func fakeRoot(t *testing.T, files map[string]string) Reader {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Reader{Root: root}
}

func TestReadHost(t *testing.T) {
	r := fakeRoot(t, map[string]string{
		"/sys/kernel/btf/vmlinux":             "x",
		"/proc/sys/net/core/bpf_jit_enable":   "0\n",
		"/sys/fs/selinux/enforce":             "1",
		"/sys/kernel/security/lockdown":       "none integrity [confidentiality]\n",
		"/sys/class/dmi/id/sys_vendor":        "Amazon EC2\n",
		"/sys/class/net/eth0/device/features": "0100000100000000000000000000000010000000000000000000000000000000\n",
	})
	h := r.Host(t.TempDir())
	if !h.BTF || h.JIT || h.SELinux != "enforcing" || h.Lockdown != "confidentiality" || h.Cloud != "Amazon" ||
		h.BPFFS != NotMounted || h.CPUs < 1 || h.Major < 5 {
		t.Errorf("%+v", h)
	}
	if bits := r.virtio("eth0"); bits != 1<<guestCSUM|1<<guestTSO4|1<<32 {
		t.Errorf("virtio features %#x", bits)
	}
	bare := fakeRoot(t, nil)
	h = bare.Host(filepath.Join(t.TempDir(), "absent"))
	if h.BTF || !h.JIT || h.SELinux != "" || h.Lockdown != "" || h.Cloud != "" || h.BPFFS != NoPlace || bare.virtio("eth0") != 0 {
		t.Errorf("bare: %+v", h)
	}
}

func TestVersion(t *testing.T) {
	for release, want := range map[string][2]int{
		"6.18.44-fc": {6, 18}, "5.15.0-91-generic": {5, 15}, "6.1": {6, 1}, "6.12-rc1": {6, 12}, "": {0, 0}, "x.y": {0, 0},
	} {
		if major, minor := version(release); [2]int{major, minor} != want {
			t.Errorf("%q: %d.%d, want %v", release, major, minor, want)
		}
	}
}

// TestParseFeatures cuts an answer of the kernel at every length.
func TestParseFeatures(t *testing.T) {
	message := []byte{1, 1, 0, 0}
	message = binary.NativeEndian.AppendUint16(message, 8)
	message = binary.NativeEndian.AppendUint16(message, netdevAttrIndex)
	message = binary.NativeEndian.AppendUint32(message, 7)
	message = binary.NativeEndian.AppendUint16(message, 12)
	message = binary.NativeEndian.AppendUint16(message, netdevAttrXDP)
	message = binary.NativeEndian.AppendUint64(message, uint64(Basic|Multi))
	index, f, ok := parseFeatures(message)
	if index != 7 || f != Basic|Multi || !ok {
		t.Errorf("got %d, %#x, %v", index, f, ok)
	}
	for n := range message {
		if _, _, ok := parseFeatures(message[:n]); ok {
			t.Errorf("%d of %d bytes were taken for an answer", n, len(message))
		}
	}
}
