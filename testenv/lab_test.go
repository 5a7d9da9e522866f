// SPDX-License-Identifier: MIT

package testenv

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestHosts shows that hosts are apart from the machine and from each
// other, and reach each other by both IP versions.
func TestHosts(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker := lab.Host("victim"), lab.Host("attacker")
	victim.ServeHTTP(80)
	for _, addr := range []string{victim.IPv4.String(), "[" + victim.IPv6.String() + "]"} {
		response, err := attacker.HTTPClient().Get("http://" + addr + ":80/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || string(body) != "hello\n" {
			t.Errorf("GET from %s = %d %q, %v", addr, response.StatusCode, body, err)
		}
	}

	victim.WriteFile("/etc/denmap/only-here", "x")
	for _, path := range []string{"/etc/denmap/only-here", attacker.Path("/etc/denmap/only-here")} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("stat %q = %v, want no such file", path, err)
		}
	}
	out, err := victim.Command(t.Context(), "/bin/sh", "-c",
		"hostname; ls /sys/class/net; touch /run/denmap/x /var/lib/denmap/x /etc/x && cat /proc/1/comm").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	comm := exe[strings.LastIndexByte(exe, '/')+1:]
	if want := "victim\neth0\nlo\n" + comm + "\n"; string(out) != want {
		t.Errorf("victim sees %q, want %q", out, want)
	}
}

// TestCounter compares what a scanner sent with what the counter saw,
// without DenMap in between.
func TestCounter(t *testing.T) {
	t.Parallel()
	lab := New(t, Options{})
	victim, attacker, client := lab.Host("victim"), lab.Host("attacker"), lab.Host("client")
	counter := victim.CountTCP("eth0")
	attacker.MustTool("nmap", "-n", "-Pn", "-sX", "--max-retries", "0", "-p", "1-200", victim.IPv4.String())
	attacker.MustTool("nmap", "-6", "-n", "-Pn", "-sS", "--max-retries", "0", "-p", "1-100", victim.IPv6.String())

	got := counter.From(attacker.IPv4)
	if got.Packets != 200 || len(got.Ports) != 200 || got.Flags[0x29] != 200 {
		t.Errorf("IPv4: %d packets to %d ports, flags %v; want 200 Xmas packets to 200 ports", got.Packets, len(got.Ports), got.Flags)
	}
	if got := counter.From(attacker.IPv6); len(got.Closed()) != 100 {
		t.Errorf("IPv6: %d ports, want 100", len(got.Closed()))
	}
	if got := counter.From(client.IPv4); got.Packets != 0 {
		t.Errorf("client: %d packets, want none", got.Packets)
	}
}
