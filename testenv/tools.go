// SPDX-License-Identifier: MIT

package testenv

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"denmap/testenv/need"
)

// tool is a program that the lab's tests run.
type tool struct {
	name    string
	apt     string   // the Debian package
	version []string // arguments, or a command, that print the version
}

var tools = []tool{
	{"nmap", "nmap", []string{"--version"}},
	{"nping", "nmap", []string{"--version"}},
	{"masscan", "masscan", []string{"--version"}},
	{"zmap", "zmap", []string{"--version"}},
	{"hping3", "hping3", []string{"--version"}},
	{"scapy", "python3-scapy", []string{"/usr/bin/python3", "-c", "import scapy; print('Scapy', scapy.VERSION)"}},
	{"nc", "netcat-openbsd", []string{"-h"}},
	{"ethtool", "ethtool", []string{"--version"}},
	{"prlimit", "util-linux", []string{"--version"}},
	{"curl", "curl", []string{"--version"}},
	{"tcpdump", "tcpdump", []string{"--version"}},
	{"postfix", "postfix", []string{"-h"}},
	{"saslpasswd2", "sasl2-bin", []string{"-V"}},
	{"fail2ban-server", "fail2ban", []string{"--version"}},
	{"fail2ban-client", "fail2ban", []string{"--version"}},
	{"crowdsec-custom-bouncer", "crowdsec-custom-bouncer", []string{"-version"}},
	{"nft", "nftables", []string{"--version"}},
	{"iptables", "iptables", []string{"--version"}},
	{"ipset", "ipset", []string{"--version"}},
	{"xdp-filter", "xdp-tools", []string{"--version"}},
	{"iperf3", "iperf3", []string{"--version"}},
	{"wrk", "wrk", []string{"--version"}},
	{"promtool", "prometheus", []string{"--version"}},
}

// toolPath finds a program; the error names the package that has it.
func toolPath(name string) (string, error) { return need.Find(packageOf(name), name) }

// packageOf returns the Debian package of a tool, none for a program that is
// no tool of the lab.
func packageOf(name string) string {
	for _, t := range tools {
		if t.name == name {
			return t.apt
		}
	}
	return ""
}

// mustTool returns the tool's path; see need.Program for one that is missing.
func mustTool(t T, name string) string {
	t.Helper()
	return need.Program(t, packageOf(name), name)
}

// PrintVersions writes the versions of the kernel and of every tool, one
// a line.
func PrintVersions(w io.Writer) {
	fmt.Fprintf(w, "lab: kernel %s\n", kernelRelease())
	for _, t := range tools {
		path, err := toolPath(t.name)
		if err != nil {
			fmt.Fprintf(w, "lab: %v\n", err)
			continue
		}
		fmt.Fprintf(w, "lab: %s: %s\n", path, t.versionLine(path))
	}
}

func (t tool) versionLine(path string) string {
	if len(t.version) > 0 && filepath.IsAbs(t.version[0]) {
		return firstLine(t.version[0], t.version[1:])
	}
	return firstLine(path, t.version)
}

// versionNumber is where a version is in what programs print of it.
var versionNumber = regexp.MustCompile(`\d+\.\d[\w.-]*`)

// Versions names tools, or the kernel, with their versions: "nmap 7.93".
func Versions(names ...string) (out []string) {
	for _, name := range names {
		line := kernelRelease()
		if major, rest, ok := strings.Cut(line, "."); ok {
			minor, _, _ := strings.Cut(rest, ".")
			line = major + "." + minor // the rest is the distribution's
		}
		if i := slices.IndexFunc(tools, func(t tool) bool { return t.name == name }); i >= 0 {
			path, err := toolPath(name)
			if err != nil {
				continue
			}
			line = tools[i].versionLine(path)
		}
		out = append(out, strings.TrimSpace(name+" "+versionNumber.FindString(line)))
	}
	return out
}

func kernelRelease() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err.Error()
	}
	return unix.ByteSliceToString(u.Release[:]) + " " + unix.ByteSliceToString(u.Machine[:])
}

// firstLine returns the first line that a program prints and that is not
// empty; masscan and hping3 exit non-zero on --version.
func firstLine(path string, args []string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return fmt.Sprintf("version unknown (%v)", err)
}
