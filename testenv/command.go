// SPDX-License-Identifier: MIT

package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// commandLimit ends commands that hang; the longest scan takes a fraction
// of it.
const commandLimit = 3 * time.Minute

// Cmd is an exec.Cmd that starts on a host of the lab.
type Cmd struct {
	*exec.Cmd
	host *Host
}

// Command prepares a command on the host; the path is looked up by the
// test process. The command sees the host's own /etc, /run, /var and the
// machine's other files.
func (h *Host) Command(ctx context.Context, name string, args ...string) *Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "PATH="+labDir+"/bin:"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.WaitDelay = 2 * time.Second // grandchildren may hold the pipes open
	return &Cmd{cmd, h}
}

// Start starts the command on the host.
func (c *Cmd) Start() error {
	return c.host.Inside(func() error {
		err := c.Cmd.Start()
		return err
	})
}

// Run starts the command and waits for it.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// CombinedOutput runs the command and returns what it printed.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Output runs the command and returns its standard output.
func (c *Cmd) Output() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout = &out
	err := c.Run()
	return out.Bytes(), err
}

// AsUser makes the command run as that user and group, without
// capabilities.
func (c *Cmd) AsUser(id uint32) *Cmd {
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: id, Gid: id}}
	return c
}

// Result is how a command ended.
type Result struct {
	Args           []string
	Stdout, Stderr string
	Code           int // exit code, -1 when a signal ended it
	Elapsed        time.Duration
}

// String tells the whole result, for failure messages.
func (r Result) String() string {
	return fmt.Sprintf("%s: exit code %d after %v\nstdout: %s\nstderr: %s",
		strings.Join(r.Args, " "), r.Code, r.Elapsed.Round(time.Millisecond), tail(r.Stdout), tail(r.Stderr))
}

// tail returns the last part of an output, enough to tell what went wrong.
func tail(output string) string {
	const limit = 3000
	if len(output) > limit {
		return "... " + output[len(output)-limit:]
	}
	return output
}

// Result runs the command to its end, whatever its exit code, and ends
// the test when it cannot be started. Outputs that the caller has given
// writers of its own are left out of the result.
func (c *Cmd) Result() Result {
	c.host.t.Helper()
	var stdout, stderr bytes.Buffer
	if c.Stdout == nil {
		c.Stdout = &stdout
	}
	if c.Stderr == nil {
		c.Stderr = &stderr
	}
	start := time.Now()
	err := c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		c.host.t.Fatalf("run %q on %q: %v", c.Args, c.host.Name, err)
	}
	return Result{c.Args, stdout.String(), stderr.String(), c.ProcessState.ExitCode(), time.Since(start)}
}

// ToolPath returns where one of the known tools is, and ends the test when
// it is missing.
func (h *Host) ToolPath(name string) string {
	h.t.Helper()
	return mustTool(h.t, name)
}

// Tool runs one of the known tools on the host and returns how it ended.
func (h *Host) Tool(name string, args ...string) Result {
	h.t.Helper()
	path := mustTool(h.t, name)
	ctx, cancel := context.WithTimeout(h.t.Context(), commandLimit)
	defer cancel()
	return h.Command(ctx, path, args...).Result()
}

// MustTool is Tool for a tool that must succeed.
func (h *Host) MustTool(name string, args ...string) Result {
	h.t.Helper()
	r := h.Tool(name, args...)
	if r.Code != 0 {
		h.t.Fatalf("on %q: %v", h.Name, r)
	}
	return r
}
