// SPDX-License-Identifier: MIT

package packaging

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"denmap/testenv"
)

// machine is a booted tree: a systemd of its own, in the network of a host
// of the lab.
type machine struct {
	*tree
	host *testenv.Host
	init string // the process id of its systemd, as this machine sees it
}

// boot starts the machine and returns when systemd has started everything.
func boot(t *testing.T, host *testenv.Host) *machine {
	t.Helper()
	m := &machine{tree: newTree(t), host: host}
	cmd := exec.Command("systemd-nspawn", m.container("--boot", "--machine="+host.Name, "--network-namespace-path="+host.NetworkNamespace())...)
	var console bytes.Buffer
	cmd.Stdout, cmd.Stderr = &console, &console
	if err := cmd.Start(); err != nil {
		t.Fatalf("boot: %v", err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its console says more
		close(ended)
	}()
	t.Cleanup(func() {
		if t.Failed() && m.init != "" {
			said, _ := m.run("journalctl", "--no-pager", "-u", "denmap")
			t.Logf("journal:\n%s", said)
		}
		shown := console.String()
		m.end(cmd.Process, ended)
		if m.init == "" {
			t.Logf("console:\n%s", shown)
		}
	})
	m.await(time.Minute, "the machine to be up", func() error {
		pid := strconv.Itoa(cmd.Process.Pid)
		children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
		if err != nil {
			return err
		}
		m.init = strings.TrimSpace(string(children))
		if state, err := m.run("systemctl", "is-system-running"); strings.TrimSpace(state) != "running" {
			return fmt.Errorf("it is %q, %w", state, err)
		}
		return nil
	})
	// A real systemd mounts it; one in a container leaves that to others.
	m.must("mount", "-t", "bpf", "-o", "mode=0700", "bpf", "/sys/fs/bpf")
	return m
}

// end shuts the machine down, by force when it takes too long.
func (m *machine) end(nspawn *os.Process, ended <-chan struct{}) {
	// An error means that it has ended already.
	_ = nspawn.Signal(syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		_ = nspawn.Kill()
		<-ended
	}
}

// run runs a command on the machine, as its root.
func (m *machine) run(args ...string) (stdout string, err error) {
	cmd := exec.Command("nsenter", append([]string{"--target", m.init, "--all", "--wd=/", "--"}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin", "TERM=dumb"}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, said.String())
	}
	return out.String(), err
}

func (m *machine) must(args ...string) string {
	m.t.Helper()
	out, err := m.run(args...)
	if err != nil {
		m.t.Fatalf("%v%s", err, out)
	}
	return out
}

// property returns one of the service, as systemctl show knows it.
func (m *machine) property(name string) string {
	m.t.Helper()
	return strings.TrimSpace(m.must("systemctl", "show", "--value", "-p", name, "denmap.service"))
}

// await waits for a condition.
func (m *machine) await(limit time.Duration, what string, check func() error) {
	m.t.Helper()
	deadline := time.Now().Add(limit)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("wait %v for %s: %v", limit, what, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// protected wants a program on the interface, or none.
func (m *machine) protected(want bool, when string) {
	m.t.Helper()
	program, err := m.host.XDP(uplink)
	if err != nil || (program != 0) != want {
		m.t.Errorf("%s: program %d (%v), want one: %v", when, program, err, want)
	}
}

// uplink is the interface of every host of the lab.
const uplink = "eth0"
