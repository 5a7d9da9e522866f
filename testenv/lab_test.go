// SPDX-License-Identifier: MIT

package testenv

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestHosts shows that hosts are apart from the machine and from each
// other, and reach each other by both IP versions.
func TestHosts(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	for _, addr := range []string{s.victim.IPv4.String(), "[" + s.victim.IPv6.String() + "]"} {
		response, err := s.attacker.HTTPClient().Get("http://" + addr + ":80/")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || string(body) != "hello\n" {
			t.Errorf("GET from %s = %d %q, %v", addr, response.StatusCode, body, err)
		}
	}

	s.victim.WriteFile("/etc/denmap/only-here", "x")
	for _, path := range []string{"/etc/denmap/only-here", s.attacker.Path("/etc/denmap/only-here")} {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("stat %q = %v, want no such file", path, err)
		}
	}
	out, err := s.victim.Command(t.Context(), "/bin/sh", "-c",
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

// TestTwinsUnprotected runs the benign twins without DenMap: they are
// served, with checksum offload on and off.
func TestTwinsUnprotected(t *testing.T) {
	for _, offload := range []bool{true, false} {
		for _, version := range []int{4, 6} {
			t.Run(fmt.Sprintf("offload=%v/ipv%d", offload, version), func(t *testing.T) {
				t.Parallel()
				v := newVisit(New(t, Options{NoOffload: !offload}), version)
				v.victim.ServeHTTP(80, 443)
				for _, twin := range serviceTwins {
					start := time.Now()
					if err := twin.run(v); err != nil {
						t.Errorf("%s: %v", twin.name, err)
					}
					t.Logf("%s: %v", twin.name, time.Since(start).Round(time.Millisecond))
				}
			})
		}
	}
}

// childEnv makes TestAbandoned the process that is killed.
const childEnv = "DENMAP_LAB_ABANDON"

// TestAbandoned kills a test process that holds a lab and a command on it
// with SIGKILL, and wants every process of the lab gone.
func TestAbandoned(t *testing.T) {
	if os.Getenv(childEnv) == "1" {
		abandon(t)
	}
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), exe, "-test.run=^TestAbandoned$")
	child.Env = append(os.Environ(), childEnv+"=1")
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	pids := readPIDs(t, stdout)
	if len(pids) != 5 { // the switch, three hosts, one command
		t.Errorf("child names processes %q, want 5", pids)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait() // "signal: killed"
	for _, pid := range pids {
		err := until(t.Context(), 5*time.Second, func() error {
			// A zombie has lost its namespaces: its link is empty.
			if _, err := os.Readlink("/proc/" + pid + "/ns/net"); err == nil {
				return errNotYet("end of process " + pid)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// abandon builds a lab, names its processes and waits to be killed.
func abandon(t *testing.T) {
	lab := New(t, Options{})
	cmd := lab.Host("victim").Command(t.Context(), "/bin/sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("pid", cmd.Process.Pid)
	fmt.Println("pid", lab.fab.keeper.cmd.Process.Pid)
	for _, h := range lab.hosts {
		fmt.Println("pid", h.keeper.cmd.Process.Pid)
	}
	fmt.Println("end")
	<-t.Context().Done()
}

func readPIDs(t *testing.T, r io.Reader) (pids []string) {
	t.Helper()
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if lines.Text() == "end" {
			return pids
		}
		if pid, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			pids = append(pids, pid)
		}
	}
	t.Fatalf("child ended early: %v", lines.Err())
	return nil
}
