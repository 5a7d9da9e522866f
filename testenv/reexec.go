// SPDX-License-Identifier: MIT

package testenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keeperEnv makes a re-executed binary a keeper; its value is the host's
// name.
const keeperEnv = "DENMAP_LAB_KEEPER"

// labDir is a private directory on every host: overlay layers and the
// denmap binary. It lives on the host's own /run.
const labDir = "/run/lab"

// Reexec turns the process into a host's keeper if it was started as one,
// and then does not return. Programs that use the lab call it first.
func Reexec() {
	name, ok := os.LookupEnv(keeperEnv)
	if !ok {
		return
	}
	if err := keep(name); err != nil {
		fmt.Fprintf(os.Stderr, "keep host %q: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// ownRoot refuses a lab in a chroot: what enters the mount namespace of a
// host would find itself in the machine's root, and write there.
var ownRoot = sync.OnceValue(func() error {
	there, err := exec.Command("nsenter", "--mount=/proc/self/ns/mnt", "stat", "-c", "%d %i", "/").Output()
	if err != nil {
		return fmt.Errorf("look at the root of the mount namespace: %w", err)
	}
	var here unix.Stat_t
	if err := unix.Stat("/", &here); err != nil {
		return fmt.Errorf("stat %q: %w", "/", err)
	}
	if strings.TrimSpace(string(there)) != fmt.Sprint(here.Dev, here.Ino) {
		return errors.New("the lab cannot run in a chroot: use pivot_root or a container")
	}
	return nil
})

// keep is the keeper's whole life: it is process 1 of the host, prepares
// the mounts, says "ready" on standard output and stays until standard
// input closes. Its end is the end of everything on the host.
func keep(name string) error {
	// Go closes over signals that a terminal sends to everybody; the
	// lab decides when a host ends.
	signal.Ignore(syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP)
	orphans := make(chan os.Signal, 1)
	signal.Notify(orphans, syscall.SIGCHLD)
	go reap(orphans)

	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set host name: %w", err)
	}
	if err := mountPrivate(); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// reap collects orphans, as process 1 must.
func reap(orphans <-chan os.Signal) {
	for range orphans {
		for {
			pid, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			if pid <= 0 || err != nil {
				break
			}
		}
	}
}

// mountPrivate hides the machine's state from the host and the host's
// from the machine: /run is empty, /etc and /var are writable copies, and
// /proc, /sys and the BPF file system show the host's own namespaces.
func mountPrivate() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	mounts := []struct {
		kind, target string
		flags        uintptr
	}{
		{"proc", "/proc", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"sysfs", "/sys", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"bpf", "/sys/fs/bpf", unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC},
		{"tmpfs", "/run", unix.MS_NOSUID | unix.MS_NODEV},
	}
	for _, m := range mounts {
		if err := unix.Mount(m.kind, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s on %q: %w", m.kind, m.target, err)
		}
	}
	for _, dir := range []string{"/etc", "/var"} {
		if err := overlay(dir); err != nil {
			return err
		}
	}
	for _, dir := range []string{"/run/denmap", "/etc/denmap", "/var/lib/denmap", "/var/log/denmap"} {
		// What the machine itself has installed there stays out of sight.
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			return fmt.Errorf("mount tmpfs on %q: %w", dir, err)
		}
	}
	return writeResolvConf()
}

// writeResolvConf gives the host a resolver configuration without name
// servers: the machine's own would be protected addresses of the victim.
func writeResolvConf() error {
	const path = "/etc/resolv.conf" // often a link into /run
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(path, []byte("# the lab has no name server\n"), 0o644)
}

// overlay makes dir a writable copy of itself: changes stay in labDir.
func overlay(dir string) error {
	upper := filepath.Join(labDir, "upper", dir)
	work := filepath.Join(labDir, "work", dir)
	for _, d := range []string{upper, work} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", dir, upper, work)
	if err := unix.Mount("overlay", dir, "overlay", 0, options); err != nil {
		return fmt.Errorf("mount overlay on %q: %w", dir, err)
	}
	return nil
}

// keeper is the parent's view of a host's keeper process.
type keeper struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

// startKeeper starts the process that holds the host's namespaces.
func startKeeper(name string) (*keeper, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe)
	cmd.Args = []string{"denmap-lab-" + name}
	cmd.Env = []string{keeperEnv + "=" + name, "PATH=" + os.Getenv("PATH")}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS,
		Setpgid:    true, // a Ctrl-C ends the test first, the hosts after it
	}
	k := &keeper{cmd: cmd}
	if k.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start keeper of %q: %w", name, err)
	}
	ready, err := readLine(stdout, 10*time.Second)
	if err == nil && strings.TrimSpace(ready) != "ready" {
		err = fmt.Errorf("said %q", ready)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("wait for keeper of %q: %w", name, err), k.close())
	}
	return k, nil
}

// readLine returns the first bytes that r delivers within the deadline.
func readLine(r io.ReadCloser, deadline time.Duration) (string, error) {
	timer := time.AfterFunc(deadline, func() { r.Close() })
	defer timer.Stop()
	buf := make([]byte, 64)
	n, err := r.Read(buf)
	return string(buf[:n]), err
}

// close ends the host with everything on it and waits until it is gone.
func (k *keeper) close() error {
	closed := k.stdin.Close()
	timer := time.AfterFunc(5*time.Second, func() { k.cmd.Process.Kill() })
	defer timer.Stop()
	return errors.Join(closed, k.cmd.Wait())
}
