// SPDX-License-Identifier: MIT

package testenv

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// readyLimit is how long attach may take until it says "protecting", also on
// a machine that is emulated.
const readyLimit = 60 * time.Second

// slowness multiplies readyLimit: DENMAP_LAB_SLOW is how many times slower
// than others this machine is, such as one that software emulates.
var slowness = sync.OnceValue(func() time.Duration {
	n, err := strconv.Atoi(os.Getenv("DENMAP_LAB_SLOW"))
	if err != nil || n < 1 {
		return 1
	}
	return time.Duration(n)
})

// ConfigPath is denmap's configuration file, on every host its own.
const ConfigPath = "/etc/denmap/denmap.yaml"

// DenmapCommand prepares a denmap command line on the host.
func (h *Host) DenmapCommand(ctx context.Context, args ...string) *Cmd {
	h.t.Helper()
	if err := h.installDenmap(); err != nil {
		h.t.Fatalf("%v", err)
	}
	return h.Command(ctx, denmapPath, args...)
}

// Denmap runs a denmap command on the host to its end.
func (h *Host) Denmap(args ...string) Result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), commandLimit)
	defer cancel()
	return h.DenmapCommand(ctx, args...).Result()
}

// MustDenmap is Denmap for a command that must succeed.
func (h *Host) MustDenmap(args ...string) Result {
	h.t.Helper()
	r := h.Denmap(args...)
	if r.Code != 0 {
		h.t.Fatalf("on %q: %v", h.Name, r)
	}
	return r
}

// Configure writes the host's configuration file.
func (h *Host) Configure(yaml string) {
	h.t.Helper()
	h.WriteFile(ConfigPath, yaml)
}

// Daemon is a running `denmap attach`.
type Daemon struct {
	host *Host
	cmd  *Cmd
	done chan struct{} // closed when the process has ended

	mu     sync.Mutex
	stderr []string
}

// Attach starts `denmap attach` with these arguments (eth0 alone if there
// are none) and returns when every interface among them is protected. It
// ends the test when that takes too long. t.Cleanup stops the daemon and,
// after a failure, shows what it said and logged.
func (h *Host) Attach(args ...string) *Daemon {
	h.t.Helper()
	if len(args) == 0 {
		args = []string{uplink}
	}
	d := h.Launch(append([]string{"attach"}, args...)...)
	h.t.Cleanup(func() {
		h.lab.offerShell() // while the daemon still runs
		d.Stop()
		if h.t.Failed() {
			h.t.Logf("denmap on %q said:\n%s\nand logged:\n%s", h.Name, d.Stderr(), h.rawLog())
		}
	})
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") && h.hasLink(arg) {
			d.waitProtecting(arg)
		}
	}
	return d
}

// Launch starts a daemon by these arguments of denmap and waits for
// nothing. The caller ends it.
func (h *Host) Launch(args ...string) *Daemon {
	h.t.Helper()
	return h.launch(h.DenmapCommand(h.t.Context(), args...))
}

func (h *Host) launch(cmd *Cmd) *Daemon {
	h.t.Helper()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	// A Ctrl-C at the lab's terminal is not meant for the daemon.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	d := &Daemon{host: h, cmd: cmd, done: make(chan struct{})}
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		h.t.Fatalf("start denmap on %q: %v", h.Name, err)
	}
	go d.collect(stderr)
	return d
}

func (h *Host) hasLink(name string) bool {
	_, err := h.nl.LinkByName(name)
	return err == nil
}

func (d *Daemon) waitProtecting(iface string) {
	d.host.t.Helper()
	d.WaitStderr(readyLimit*slowness(), "denmap: protecting "+iface)
}

// WaitStderr waits until the daemon has said a line that contains text,
// and ends the test when it does not within the limit or ends before.
func (d *Daemon) WaitStderr(limit time.Duration, text string) {
	d.host.t.Helper()
	err := until(d.host.t.Context(), limit, func() error {
		if strings.Contains(d.Stderr(), text) {
			return nil
		}
		return fmt.Errorf("no %q", text)
	})
	if err != nil {
		d.host.t.Fatalf("denmap on %q: %v within %v; it said:\n%s", d.host.Name, err, limit, d.Stderr())
	}
}

// collect keeps every line of standard error and then reaps the process.
func (d *Daemon) collect(stderr io.Reader) {
	defer close(d.done)
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			d.mu.Lock()
			d.stderr = append(d.stderr, line)
			d.mu.Unlock()
		}
		if err != nil {
			break
		}
	}
	// How it ended is in ProcessState; a signal is no error here.
	_ = d.cmd.Wait()
}

// Stderr returns what the daemon has said so far.
func (d *Daemon) Stderr() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.stderr, "")
}

// Signal sends the daemon a signal.
func (d *Daemon) Signal(s os.Signal) {
	d.host.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.host.t.Fatalf("signal denmap on %q: %v", d.host.Name, err)
	}
}

// Stop ends the daemon as systemd would and returns its exit code; -1 when
// it had to be killed. It may be called again.
func (d *Daemon) Stop() int {
	d.host.t.Helper()
	return d.end(syscall.SIGTERM)
}

// Kill ends the daemon with SIGKILL, as the kernel would when memory runs
// out, and returns when it is gone. What it pinned stays.
func (d *Daemon) Kill() {
	d.host.t.Helper()
	d.end(syscall.SIGKILL)
}

func (d *Daemon) end(s syscall.Signal) int {
	d.host.t.Helper()
	// An error means that it has ended already, which is what is wanted.
	_ = d.cmd.Process.Signal(s)
	select {
	case <-d.done:
	case <-time.After(15 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.done
		d.host.t.Errorf("denmap on %q did not end within 15s of %v; it said:\n%s", d.host.Name, s, d.Stderr())
	}
	return d.cmd.ProcessState.ExitCode()
}
