// SPDX-License-Identifier: MIT

package doctor

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Reader collects facts. The zero value looks at this host; tests set Root.
// Interfaces are those of the calling thread's network namespace.
type Reader struct {
	Root string // what the paths of /proc and /sys begin with
}

func (r Reader) read(path string) (string, error) {
	data, err := os.ReadFile(filepath.Join(cmp.Or(r.Root, "/"), path))
	return strings.TrimSpace(string(data)), err
}

func (r Reader) exists(path string) bool {
	_, err := os.Stat(filepath.Join(cmp.Or(r.Root, "/"), path))
	return err == nil
}

// Host reads what any user may read. Kernel and NAT are the caller's to
// fill in. bpffs is where the BPF file system belongs.
func (r Reader) Host(bpffs string) Host {
	h := Host{CPUs: runtime.NumCPU(), BTF: r.exists("/sys/kernel/btf/vmlinux"), BPFFS: place(bpffs)}
	var name unix.Utsname
	if err := unix.Uname(&name); err == nil {
		h.Release = cString(name.Release[:])
		h.Major, h.Minor = version(h.Release)
	}
	jit, err := r.read("/proc/sys/net/core/bpf_jit_enable")
	// Where the setting cannot be changed there is no file, and always a JIT.
	h.JIT = err != nil || jit != "0"
	if enforce, err := r.read("/sys/fs/selinux/enforce"); err == nil {
		h.SELinux = map[string]string{"1": "enforcing", "0": "permissive"}[enforce]
	}
	h.Lockdown = r.lockdown()
	h.Cloud = r.cloud()
	return h
}

func cString(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}

// version reads the first two numbers of a release; zeros if there are none.
func version(release string) (major, minor int) {
	first, rest, _ := strings.Cut(release, ".")
	second := rest
	if end := strings.IndexFunc(rest, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
		second = rest[:end]
	}
	// What is no number is version 0, which is too old.
	major, _ = strconv.Atoi(first)
	minor, _ = strconv.Atoi(second)
	return major, minor
}

func place(dir string) BPFFS {
	var st unix.Statfs_t
	switch err := unix.Statfs(dir, &st); {
	case err != nil:
		return NoPlace
	case uint32(st.Type) != unix.BPF_FS_MAGIC:
		return NotMounted
	}
	return Mounted
}

// lockdown reads "none [integrity] confidentiality": the one in brackets
// is in force.
func (r Reader) lockdown() string {
	text, err := r.read("/sys/kernel/security/lockdown")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(text, "[")
	chosen, _, _ := strings.Cut(rest, "]")
	return chosen
}

// clouds are the makers of virtual machines that come with a firewall in
// front of them, by what their firmware says.
var clouds = []struct{ begins, name string }{
	{"Amazon", "Amazon"}, {"Google", "Google"}, {"Microsoft", "Azure"}, {"Alibaba", "Alibaba"},
	{"DigitalOcean", "DigitalOcean"}, {"Hetzner", "Hetzner"}, {"Oracle", "Oracle"}, {"OVH", "OVH"},
	{"Scaleway", "Scaleway"}, {"UpCloud", "UpCloud"}, {"Vultr", "Vultr"}, {"Linode", "Linode"}, {"Akamai", "Linode"},
}

func (r Reader) cloud() string {
	vendor, err := r.read("/sys/class/dmi/id/sys_vendor")
	if err != nil {
		return ""
	}
	for _, c := range clouds {
		if strings.HasPrefix(vendor, c.begins) {
			return c.name
		}
	}
	return ""
}
