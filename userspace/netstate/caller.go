// SPDX-License-Identifier: MIT

package netstate

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	maxAncestors = 64
	maxEnviron   = 1 << 20 // bytes
	maxSockets   = 8 << 20 // bytes of a table of /proc/net
)

// logins are the programs that bring somebody in from elsewhere, one
// process for each connection. Of other ancestors a connection says nothing:
// a web server's client is whom it wants to ban.
var logins = []string{"sshd", "sshd-session", "dropbear", "in.telnetd", "telnetd"}

// Caller returns where the session that process pid runs in comes from: what
// SSH says in the environment of the process and of its ancestors, since
// sudo clears that of its child, and the connection of the SSH server among
// them. It works without logind and utmp, also for sessions in a container.
// What this user may not look at is left out, and that is no error.
func (r Reader) Caller(pid int) []netip.Addr {
	proc := cmp.Or(r.Proc, "/proc")
	// Only for link-local addresses; without them those are left out.
	d, _ := readDevices()
	var list []netip.Addr
	for range maxAncestors {
		if pid <= 1 {
			break
		}
		dir := filepath.Join(proc, strconv.Itoa(pid))
		for _, host := range append(sshEnviron(dir), loginPeers(dir)...) {
			if a, ok := remote(host, d.interfaces); ok {
				list = append(list, a)
			}
		}
		pid = parent(dir)
	}
	return sortAddrs(list)
}

// parent reads the parent's number from the line of /proc/PID/stat, where
// the name of the program, in parentheses, may hold anything.
func parent(dir string) int {
	stat := readSmall(filepath.Join(dir, "stat"), 4096)
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	// Without a number there is no parent, which ends it.
	pid, _ := strconv.Atoi(fields[1])
	return pid
}

// sshEnviron returns the remote ends that sshd(8) wrote into the
// environment: the first word of SSH_CONNECTION and SSH_CLIENT.
func sshEnviron(dir string) []string {
	var hosts []string
	for entry := range bytes.SplitSeq(readSmall(filepath.Join(dir, "environ"), maxEnviron), []byte{0}) {
		name, value, _ := strings.Cut(string(entry), "=")
		if words := strings.Fields(value); (name == "SSH_CONNECTION" || name == "SSH_CLIENT") && len(words) > 0 {
			hosts = append(hosts, words[0])
		}
	}
	return hosts
}

// loginPeers returns the remote ends of the TCP connections of a process
// that serves logins.
func loginPeers(dir string) []string {
	name := strings.TrimSpace(string(readSmall(filepath.Join(dir, "comm"), 64)))
	if !slices.Contains(logins, name) {
		return nil
	}
	inodes := make(map[string]bool)
	entries, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		target, err := os.Readlink(filepath.Join(dir, "fd", e.Name()))
		if inode, ok := strings.CutPrefix(target, "socket:["); ok && err == nil {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	var hosts []string
	for _, table := range []string{"tcp", "tcp6"} {
		data := readSmall(filepath.Join(dir, "net", table), maxSockets)
		for line := range bytes.Lines(data) {
			const remoteColumn, stateColumn, inodeColumn, established = 2, 3, 9, "01"
			f := strings.Fields(string(line))
			if len(f) <= inodeColumn || f[stateColumn] != established || !inodes[f[inodeColumn]] {
				continue
			}
			if a, ok := hexAddr(f[remoteColumn]); ok {
				hosts = append(hosts, a.String())
			}
		}
	}
	return hosts
}

// hexAddr reads the address of "0100007F:1F90": words of 32 bits in the
// byte order of the host.
func hexAddr(s string) (netip.Addr, bool) {
	text, _, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(text)
	if err != nil || len(b)%4 != 0 {
		return netip.Addr{}, false
	}
	for word := range slices.Chunk(b, 4) {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	return netip.AddrFromSlice(b)
}
