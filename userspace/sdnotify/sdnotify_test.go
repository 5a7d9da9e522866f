// SPDX-License-Identifier: MIT

package sdnotify

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func environ(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func listen(t *testing.T, name string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func receive(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func TestMessages(t *testing.T) {
	for name, socket := range map[string]string{
		"path":     filepath.Join(t.TempDir(), "notify"),
		"abstract": fmt.Sprintf("@denmap-test-%d", os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			conn := listen(t, socket)
			n := New(environ("NOTIFY_SOCKET", socket, "WATCHDOG_USEC", "30000000"))
			n.Ready("protecting eth0\nREADY=0")
			if got, want := receive(t, conn), "READY=1\nSTATUS=protecting eth0 READY=0"; got != want {
				t.Errorf("Ready sent %q, want %q", got, want)
			}
			n.Reloading()
			if got := receive(t, conn); !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") {
				t.Errorf("Reloading sent %q", got)
			}
			n.Alive()
			if got := receive(t, conn); got != "WATCHDOG=1" {
				t.Errorf("Alive sent %q", got)
			}
			n.Stopping()
			if got := receive(t, conn); got != "STOPPING=1" {
				t.Errorf("Stopping sent %q", got)
			}
		})
	}
}

func TestWatchdog(t *testing.T) {
	own := fmt.Sprint(os.Getpid())
	tests := []struct {
		name, pid, usec string
		want            time.Duration
	}{
		{"none", "", "", 0},
		{"ours", own, "2000000", 2 * time.Second},
		{"without pid", "", "2000000", 2 * time.Second},
		{"for another process", "1", "2000000", 0},
		{"nonsense", own, "soon", 0},
		{"negative", own, "-1", 0},
	}
	for _, test := range tests {
		n := New(environ("WATCHDOG_PID", test.pid, "WATCHDOG_USEC", test.usec))
		if got := n.Watchdog(); got != test.want {
			t.Errorf("%s: Watchdog = %v, want %v", test.name, got, test.want)
		}
	}
}

// TestNobody calls everything where nobody listens: nothing happens, soon.
func TestNobody(t *testing.T) {
	for _, socket := range []string{"", "relative", filepath.Join(t.TempDir(), "none")} {
		n := New(environ("NOTIFY_SOCKET", socket, "WATCHDOG_USEC", "1000000"))
		n.Ready("")
		n.Reloading()
		n.Alive()
		n.Stopping()
	}
	new(Notifier).Ready("")
}
