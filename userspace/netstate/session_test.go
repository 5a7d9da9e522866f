// SPDX-License-Identifier: MIT

package netstate

import (
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

var testInterfaces = []Interface{{Index: 1, Name: "lo"}, {Index: 7, Name: "eth0"}}

func mustWrite(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

func wantAddrs(t *testing.T, what string, got []netip.Addr, want ...string) {
	t.Helper()
	if !slices.Equal(got, addrs(want...)) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// testReader looks only at files in a directory of its own; processes
// below 100 are alive.
func testReader(t *testing.T) (Reader, string) {
	dir := t.TempDir()
	sessions := filepath.Join(dir, "sessions")
	if err := os.Mkdir(sessions, 0o755); err != nil {
		t.Fatal(err)
	}
	return Reader{
		ResolvConf:  filepath.Join(dir, "resolv.conf"),
		Upstream:    filepath.Join(dir, "upstream.conf"),
		SessionsDir: sessions,
		Utmp:        filepath.Join(dir, "utmp"),
		Alive:       func(pid int) bool { return pid > 0 && pid < 100 },
	}, dir
}

func TestSessionsOfLogind(t *testing.T) {
	r, _ := testReader(t)
	for name, text := range map[string]string{
		"1":      "# private\nUID=0\nUSER=root\nSTATE=active\nREMOTE=1\nCLASS=user\nLEADER=10\nREMOTE_HOST=192.0.2.1\n",
		"2":      "STATE=online\nREMOTE_HOST=\"2001:db8::2\"\nCLASS=user-early\nLEADER=11\n",
		"3":      "STATE=active\nREMOTE_HOST=fe80::3%eth0\nLEADER=12\n",
		"4":      "STATE=active\nREMOTE_HOST=::ffff:192.0.2.4\nLEADER=12\n",
		"again":  "STATE=active\nREMOTE_HOST=192.0.2.1\nLEADER=13\n",
		"over":   "STATE=closing\nREMOTE_HOST=198.51.100.1\nLEADER=10\n",
		"dead":   "STATE=active\nREMOTE_HOST=198.51.100.2\nLEADER=100\n",
		"noone":  "STATE=active\nREMOTE_HOST=198.51.100.3\n",
		"screen": "STATE=active\nREMOTE_HOST=198.51.100.4\nCLASS=greeter\nLEADER=10\n",
		"name":   "STATE=active\nREMOTE_HOST=desk.example.org\nLEADER=10\n",
		"local":  "STATE=active\nREMOTE_HOST=\nLEADER=10\n",
		"self":   "STATE=active\nREMOTE_HOST=127.0.0.1\nLEADER=10\n",
		"zone":   "STATE=active\nREMOTE_HOST=fe80::9%gone0\nLEADER=10\n",
		"cut":    "STATE=active\nLEADER=10\nREMOTE_HOST=198.51.100.5",
		"early":  "REMOTE_HOST=198.51.100.6\nLEADER=10\nSTATE=ac",
		"junk":   strings.Repeat("\x00\xff=\n", 5000),
		"big":    "LEADER=10\nSTATE=active\n" + strings.Repeat("X=y\n", 10000) + "REMOTE_HOST=198.51.100.7\n",
		"empty":  "",
		".#9":    "STATE=active\nREMOTE_HOST=198.51.100.8\nLEADER=10\n",
	} {
		mustWrite(t, filepath.Join(r.SessionsDir, name), []byte(text))
	}
	if err := syscall.Mkfifo(filepath.Join(r.SessionsDir, "1.ref"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(r.SessionsDir, "link")); err != nil {
		t.Fatal(err)
	}
	wantAddrs(t, "sessions", r.sessions(testInterfaces), "192.0.2.1", "192.0.2.4", "2001:db8::2", "fe80::3%7")
}

// record builds one struct utmp.
func record(layout utmpLayout, kind, pid int, host, addr string) []byte {
	b := make([]byte, layout.size)
	binary.NativeEndian.PutUint16(b, uint16(kind))
	binary.NativeEndian.PutUint32(b[utmpPID:], uint32(pid))
	copy(b[utmpHost:utmpHost+utmpHostSize], host)
	if addr != "" {
		copy(b[layout.addr:], netip.MustParseAddr(addr).AsSlice())
	}
	return b
}

func TestUtmp(t *testing.T) {
	for _, layout := range []utmpLayout{utmp32, utmp64} {
		var data []byte
		add := func(kind, pid int, host, addr string) {
			data = append(data, record(layout, kind, pid, host, addr)...)
		}
		add(2, 0, "6.1.0", "")
		add(userProcess, 10, "desk.example.org", "192.0.2.1")
		add(userProcess, 11, "2001:db8::2", "2001:db8::2")
		add(6, 12, "198.51.100.1", "198.51.100.1")
		add(8, 13, "198.51.100.2", "198.51.100.2")
		add(userProcess, -1, "", "198.51.100.3")
		add(userProcess, 14, "192.0.2.14", "")
		add(userProcess, 15, strings.Repeat("x", 300), "")
		data = append(data, record(layout, userProcess, 16, "", "198.51.100.4")[:layout.size-1]...)
		got := parseUtmp(data, layout)
		want := []login{
			{10, "192.0.2.1"}, {11, "2001:db8::2"}, {-1, "198.51.100.3"},
			{14, "192.0.2.14"}, {15, strings.Repeat("x", 256)},
		}
		if !slices.Equal(got, want) {
			t.Errorf("records of %d: got %v, want %v", layout.size, got, want)
		}
		for cut := range data {
			parseUtmp(data[:cut], layout)
		}
	}
}

func TestUtmpLayout(t *testing.T) {
	for arch, want := range map[string]utmpLayout{"amd64": utmp32, "arm64": utmp64, "arm": utmp32, "riscv64": utmp64} {
		if got := utmpFor(arch); got != want {
			t.Errorf("%s: got %+v, want %+v", arch, got, want)
		}
	}
}

func TestSessionsOfUtmp(t *testing.T) {
	r, _ := testReader(t)
	var data []byte
	for _, l := range []struct {
		pid  int
		addr string
	}{{10, "192.0.2.1"}, {100, "198.51.100.1"}, {0, "198.51.100.2"}, {-5, "198.51.100.3"}, {11, "127.0.0.1"}, {12, "2001:db8::1"}} {
		data = append(data, record(hostUtmp, userProcess, l.pid, "", l.addr)...)
	}
	data = append(data, record(hostUtmp, userProcess, 13, "", "")...)
	mustWrite(t, r.Utmp, data)
	mustWrite(t, filepath.Join(r.SessionsDir, "1"), []byte("STATE=active\nREMOTE_HOST=192.0.2.1\nLEADER=10\n"))
	wantAddrs(t, "sessions", r.sessions(testInterfaces), "192.0.2.1", "2001:db8::1")
}

func TestSessionsWithoutFiles(t *testing.T) {
	r, dir := testReader(t)
	wantAddrs(t, "sessions", r.sessions(nil))
	r.SessionsDir, r.Utmp = filepath.Join(dir, "none"), dir
	wantAddrs(t, "sessions", r.sessions(nil))
}

func TestAlive(t *testing.T) {
	for pid, want := range map[int]bool{os.Getpid(): true, 1: true, 0: false, -1: false, 1 << 30: false} {
		if alive(pid) != want {
			t.Errorf("alive(%d) = %v", pid, !want)
		}
	}
}

func TestResolvers(t *testing.T) {
	r, _ := testReader(t)
	wantAddrs(t, "no file", r.resolvers(nil))

	mustWrite(t, r.ResolvConf, []byte("# nameserver 198.51.100.1\n;nameserver 198.51.100.2\nsearch example.org\n"+
		"nameserver 192.0.2.53\n\tnameserver\t2001:db8::53 # comment\nnameserver 192.0.2.53\nnameserver 127.0.0.1\n"+
		"nameserver fe80::53%eth0\nnameserver fe80::54%7\nnameserver fe80::55\nnameserver\nnameserver dns.example.org\nnameserver 192.0.2.54"))
	mustWrite(t, r.Upstream, []byte("nameserver 203.0.113.53\nnameserver 127.0.0.53\n"))
	want := []string{"192.0.2.53", "192.0.2.54", "2001:db8::53", "fe80::53%7", "fe80::54%7"}
	wantAddrs(t, "resolv.conf", r.resolvers(testInterfaces), want...)

	mustWrite(t, r.ResolvConf, []byte("nameserver 127.0.0.53\noptions edns0 trust-ad\n"))
	wantAddrs(t, "stub", r.resolvers(testInterfaces), "203.0.113.53")
}

func FuzzFiles(f *testing.F) {
	f.Add([]byte("STATE=active\nREMOTE_HOST=192.0.2.1\nLEADER=10\n"))
	f.Add([]byte("nameserver fe80::53%eth0\n"))
	f.Add(record(hostUtmp, userProcess, 10, "192.0.2.1", "2001:db8::1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		hosts := []string{parseSession(data).host}
		for _, layout := range []utmpLayout{utmp32, utmp64} {
			for _, l := range parseUtmp(data, layout) {
				hosts = append(hosts, l.host)
			}
		}
		list, _ := nameservers(data, testInterfaces)
		for _, h := range hosts {
			if a, ok := remote(h, testInterfaces); ok {
				list = append(list, a)
			}
		}
		for _, a := range list {
			if !a.IsValid() || a.IsLoopback() || a.IsUnspecified() || (a.Zone() != "") != isLinkLocal(a) {
				t.Errorf("got %v", a)
			}
		}
		classify(data)
	})
}
