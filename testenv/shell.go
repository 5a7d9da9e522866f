// SPDX-License-Identifier: MIT

package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// offerShell opens a shell on the first host of a lab whose test failed,
// if DENMAP_LAB_SHELL=1 asks for it, once. The lab stays up until it is
// left.
func (l *Lab) offerShell() {
	if !l.t.Failed() || os.Getenv("DENMAP_LAB_SHELL") != "1" {
		return
	}
	l.shell.Do(func() {
		h := l.hosts[l.opts.Hosts[0]]
		if err := h.Shell(); err != nil {
			l.t.Logf("shell on %q: %v", h.Name, err)
		}
	})
}

// Shell runs an interactive shell on the host, on the terminal of the
// process: go test keeps standard input for itself.
func (h *Host) Shell() error {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer tty.Close()
	fmt.Fprintf(tty, "lab: shell on %q; other hosts: nsenter -a -t PID\n", h.Name)
	for name, other := range h.lab.hosts {
		fmt.Fprintf(tty, "lab: %s is PID %d, %v %v\n", name, other.keeper.cmd.Process.Pid, other.IPv4, other.IPv6)
	}
	// The shell outlives the test's context, which is done in Cleanup.
	cmd := h.Command(context.Background(), "/bin/sh", "-i")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.Env = append(cmd.Env, "PS1="+h.Name+"# ")
	// The shell's job control wants a process group that it can name: the
	// lab's own has no number in the host's process namespace.
	fd := int(tty.Fd())
	cmd.SysProcAttr = &syscall.SysProcAttr{Foreground: true, Ctty: fd}
	signal.Ignore(syscall.SIGTTOU) // sent to whoever takes the terminal back
	defer signal.Reset(syscall.SIGTTOU)
	err = cmd.Run()
	if _, left := err.(*exec.ExitError); left {
		err = nil // the exit code of the last command in the shell
	}
	return errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPGRP, unix.Getpgrp()))
}
