// SPDX-License-Identifier: MIT

package netstate

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// process is one below a made-up /proc.
type process struct {
	pid, parent   int
	name, environ string
	sockets       []int
}

func writeProc(t *testing.T, dir string, list []process, tcp, tcp6 string) {
	t.Helper()
	for _, p := range list {
		of := filepath.Join(dir, fmt.Sprint(p.pid))
		for _, sub := range []string{"fd", "net"} {
			if err := os.MkdirAll(filepath.Join(of, sub), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		mustWrite(t, filepath.Join(of, "stat"), fmt.Appendf(nil, "%d (%s) S %d 1 1 0", p.pid, p.name, p.parent))
		mustWrite(t, filepath.Join(of, "comm"), []byte(p.name+"\n"))
		mustWrite(t, filepath.Join(of, "environ"), []byte(p.environ))
		mustWrite(t, filepath.Join(of, "net", "tcp"), []byte(tcp))
		mustWrite(t, filepath.Join(of, "net", "tcp6"), []byte(tcp6))
		for i, inode := range p.sockets {
			if err := os.Symlink(fmt.Sprintf("socket:[%d]", inode), filepath.Join(of, "fd", fmt.Sprint(i+3))); err != nil {
				t.Fatal(err)
			}
		}
	}
}

const (
	socketHead = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	// 198.51.100.7:50000 to 192.0.2.1:22, established; a listener; another
	// connection that is about to end.
	tcpTable = socketHead +
		"   0: 010200C0:0016 076433C6:C350 01 00000000:00000000 02:0 00000000 0 0 901 4 0\n" +
		"   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:0 00000000 0 0 902 1 0\n" +
		"   2: 010200C0:0016 086433C6:C350 08 00000000:00000000 00:0 00000000 0 0 903 1 0\n"
	// From 2001:db8::5, and from 203.0.113.9 in the IPv4-mapped form.
	tcp6Table = socketHead +
		"   0: B80D0120000000000000000001000000:0016 B80D0120000000000000000005000000:C350 01 0:0 02:0 0 0 0 904 4 0\n" +
		"   1: 0000000000000000FFFF0000010200C0:0016 0000000000000000FFFF0000097100CB:C350 01 0:0 02:0 0 0 0 905 4 0\n"
)

func TestCaller(t *testing.T) {
	const ssh = "HOME=/root\x00SSH_CLIENT=198.51.100.7 50000 22\x00SSH_CONNECTION=198.51.100.7 50000 192.0.2.1 22\x00"
	for _, row := range []struct {
		name  string
		procs []process
		want  []string
	}{
		{"the command's own environment", []process{{pid: 50, parent: 1, environ: ssh}}, []string{"198.51.100.7"}},
		{"through sudo, whose name is odd", []process{
			{pid: 50, parent: 40, name: "denmap"}, {pid: 40, parent: 30, name: "su) (do", environ: "TERM=x\x00"}, {pid: 30, parent: 1, name: "bash", environ: ssh},
		}, []string{"198.51.100.7"}},
		{"the server's connection, with an empty environment", []process{
			{pid: 50, parent: 40, name: "denmap"}, {pid: 40, parent: 1, name: "sshd-session", sockets: []int{901, 902, 903}},
		}, []string{"198.51.100.7"}},
		{"IPv6 and mapped", []process{{pid: 50, parent: 1, name: "sshd", sockets: []int{904, 905}}}, []string{"203.0.113.9", "2001:db8::5"}},
		{"IPv4-mapped text", []process{{pid: 50, parent: 1, environ: "SSH_CLIENT=::ffff:198.51.100.7 1 2\x00"}}, []string{"198.51.100.7"}},
		{"two hops", []process{
			{pid: 50, parent: 40, environ: "SSH_CLIENT=203.0.113.1 1 2\x00"}, {pid: 40, parent: 1, environ: ssh},
		}, []string{"198.51.100.7", "203.0.113.1"}},
		{"a web server's client is no session", []process{{pid: 50, parent: 40}, {pid: 40, parent: 1, name: "nginx", sockets: []int{901}}}, nil},
		{"nonsense", []process{{pid: 50, parent: 50, name: "x", environ: "SSH_CLIENT=\x00SSH_CONNECTION=UNKNOWN 1\x00SSH_CLIENT=127.0.0.1 1 2\x00XSSH_CLIENT=203.0.113.1\x00"}}, nil},
		{"nobody", nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir := t.TempDir()
			writeProc(t, dir, row.procs, tcpTable, tcp6Table)
			wantAddrs(t, row.name, Reader{Proc: dir}.Caller(50), row.want...)
		})
	}
}
