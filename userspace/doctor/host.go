// SPDX-License-Identifier: MIT

package doctor

import (
	"fmt"
	"strings"
)

// Host is what is known of the whole host.
type Host struct {
	Release  string // "6.18.44-amd64"
	Major    int
	Minor    int
	BTF      bool // the kernel describes its types
	JIT      bool // BPF programs become machine code
	CPUs     int
	SELinux  string // "enforcing", "permissive" or empty
	Lockdown string // "none", "integrity", "confidentiality" or empty: the kernel has none
	Cloud    string // whose machine this is, as far as the firmware says; or empty
	BPFFS    BPFFS

	// Kernel is what the kernel was asked about BPF.
	Kernel Kernel

	NAT    bool     // ports are published by address translation
	Unseen []string // what could not be looked at, and why
}

// Kernel is what the kernel says of the program; the zero value: it was not
// asked.
type Kernel struct {
	Asked   bool
	Missing []string // what the program needs and the kernel has not
	Loads   error    // why the verifier refuses the program; nil if it takes it
	Tried   bool     // it was asked to
	Frags   bool     // packets of several buffers too
	Pins    Pins
}

// Pins is the state of an earlier or running daemon.
type Pins struct {
	Dir     string
	Present bool
	Daemon  bool  // one is running
	Older   error // what differs from this version's, which attach can take over
	Err     error // why they cannot be used
}

// BPFFS is what is mounted where pins are to be.
type BPFFS int

// What may be there.
const (
	Mounted    BPFFS = iota
	NotMounted       // attach mounts it
	NoPlace          // not even the directory
)

// The oldest kernel that DenMap runs on.
const needMajor, needMinor = 5, 15

func (h Host) since(major, minor int) bool {
	return h.Major > major || h.Major == major && h.Minor >= minor
}

func (x *examiner) examineHost() {
	x.examineKernel()
	x.examinePins()
	x.examinePolicy()
	if x.host.NAT {
		x.add("nat", Warn, "nothing has to be done; publish on fewer addresses, or protect the hosts behind too, for bans on the very packet",
			"ports are published by address translation (Docker, nftables, IPVS): probes of them are judged after 3 s, so bans come later there")
	} else {
		x.ok("nat", "no ports are published by address translation")
	}
}

func (x *examiner) examineKernel() {
	h := x.host
	switch {
	case h.Release == "":
		x.unseen("kernel: its version")
	case !h.since(needMajor, needMinor):
		x.add("kernel", Fail, "upgrade the kernel", "Linux %s: DenMap needs %d.%d or newer", h.Release, needMajor, needMinor)
	default:
		x.ok("kernel", "Linux %s", h.Release)
	}
	if h.BTF {
		x.ok("btf", "the kernel describes its types")
	} else {
		x.add("btf", Warn, "use a kernel with CONFIG_DEBUG_INFO_BTF=y; DenMap itself loads without",
			"the kernel does not describe its types (/sys/kernel/btf/vmlinux)")
	}
	x.examineProgram()
	if h.JIT {
		x.ok("jit", "BPF programs run as machine code")
	} else {
		x.add("jit", Warn, "sysctl net.core.bpf_jit_enable=1", "BPF programs are interpreted: every packet costs several times more")
	}
	// Since Linux 5.11; what is older is refused above.
	x.ok("memlock", "tables are charged to the control group: the limit of locked memory does not count")
}

func (x *examiner) examineProgram() {
	k := x.host.Kernel
	switch {
	case !k.Asked:
	case len(k.Missing) > 0:
		x.add("features", Fail, "upgrade the kernel to 5.15 or newer, with CONFIG_BPF_SYSCALL and CONFIG_NET",
			"the kernel lacks %s", strings.Join(k.Missing, ", "))
	default:
		x.ok("features", "the kernel has every helper and table that the program uses")
	}
	switch {
	case !k.Tried:
	case k.Loads != nil:
		x.add("program", Fail, "denmap --debug attach shows the verifier's whole log; please report it", "the kernel refuses the program: %v", k.Loads)
	case !k.Frags:
		x.add("program", Warn, "a kernel from 5.18 on takes them", "the kernel takes the program, but not for packets of several buffers (jumbo frames)")
	default:
		x.ok("program", "the kernel takes the program, also for packets of several buffers")
	}
}

func (x *examiner) examinePins() {
	switch x.host.BPFFS {
	case Mounted:
		x.ok("bpffs", "a BPF file system is mounted")
	case NotMounted:
		x.ok("bpffs", "no BPF file system is mounted yet: attach does it")
	case NoPlace:
		x.add("bpffs", Fail, "mount sysfs: mount -t sysfs sysfs /sys; containers need the host's /sys/fs/bpf", "there is no place for a BPF file system")
	}
	p := x.host.Kernel.Pins
	switch {
	case p.Err != nil:
		x.add("pins", Fail, "denmap detach removes them; then attach again", "%s cannot be used: %v", p.Dir, p.Err)
	case p.Older != nil:
		x.add("pins", Warn, "systemctl restart denmap", "%s: %v", p.Dir, p.Older)
	case p.Daemon:
		x.ok("pins", "a daemon is running")
	case p.Present:
		x.add("pins", Warn, "denmap attach takes over what it left", "%s holds the state of a daemon that is not running", p.Dir)
	}
}

func (x *examiner) examinePolicy() {
	if x.host.SELinux == "enforcing" {
		x.add("selinux", Warn, "if attach is refused: ausearch -m avc -c denmap says what to allow",
			"SELinux is enforcing: the policy must allow denmap to load BPF programs")
	}
	if x.host.Lockdown == "confidentiality" {
		x.add("lockdown", Warn, "boot with lockdown=integrity should attach be refused",
			"the kernel is locked down (confidentiality): it restricts what BPF programs may read")
	}
	if x.host.SELinux != "enforcing" && x.host.Lockdown != "confidentiality" {
		x.ok("policy", "no policy in the way: SELinux %s, lockdown %s", word(x.host.SELinux), word(x.host.Lockdown))
	}
}

func word(s string) string {
	if s == "" {
		return "off"
	}
	return s
}

// why puts a reason behind what could not be seen.
func why(what string, err error) string { return fmt.Sprintf("%s: %v", what, err) }
