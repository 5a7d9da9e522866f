// SPDX-License-Identifier: MIT

package testenv

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Host is one machine of the lab. Its methods may be called from several
// goroutines; those without an error result end the test on trouble.
type Host struct {
	Name       string
	IPv4, IPv6 netip.Addr // its addresses on the switch

	lab    *Lab
	t      T
	keeper *keeper
	nl     *netlink.Handle
	spaces []namespace
	denmap binaryCopy
	older  binaryCopy
}

type namespace struct {
	file *os.File
	kind int // a CLONE_NEW constant
}

// newHost starts a host without links; t.Cleanup ends it.
func (l *Lab) newHost(name string) (h *Host, err error) {
	h = &Host{Name: name, lab: l, t: l.t}
	if h.keeper, err = startKeeper(name); err != nil {
		return nil, err
	}
	l.t.Cleanup(func() {
		if err := h.close(); err != nil {
			l.t.Errorf("close host %q: %v", name, err)
		}
	})
	// The order matters: once in the host's mount namespace, the files
	// of /proc that are opened here are out of reach.
	for _, ns := range []struct {
		name string
		kind int
	}{{"pid", unix.CLONE_NEWPID}, {"uts", unix.CLONE_NEWUTS}, {"net", unix.CLONE_NEWNET}, {"mnt", unix.CLONE_NEWNS}} {
		f, err := os.Open(fmt.Sprintf("/proc/%d/ns/%s", h.keeper.cmd.Process.Pid, ns.name))
		if err != nil {
			return nil, fmt.Errorf("open namespace of %q: %w", name, err)
		}
		h.spaces = append(h.spaces, namespace{f, ns.kind})
		if ns.kind == unix.CLONE_NEWNET {
			if h.nl, err = netlink.NewHandleAt(netns.NsHandle(f.Fd())); err != nil {
				return nil, fmt.Errorf("open netlink of %q: %w", name, err)
			}
		}
	}
	// Addresses must be usable at once, and no router is waited for.
	err = h.Inside(func() error {
		return errors.Join(
			setSysctl("net/ipv6/conf/all/accept_dad", "0"),
			setSysctl("net/ipv6/conf/default/accept_dad", "0"),
			setSysctl("net/ipv6/conf/default/router_solicitations", "0"),
		)
	})
	if err != nil {
		return nil, err
	}
	return h, h.setUp("lo")
}

func setSysctl(key, value string) error {
	return os.WriteFile(filepath.Join("/proc/sys", key), []byte(value), 0)
}

func (h *Host) close() error {
	err := h.keeper.close()
	if h.nl != nil {
		h.nl.Close()
	}
	for _, ns := range h.spaces {
		err = errors.Join(err, ns.file.Close())
	}
	return err
}

// Inside runs f on a thread of the test process that is in the host's
// namespaces: sockets that f opens and processes that it starts belong to
// the host. f must not end its goroutine (no Fatalf) and must do its work
// on the goroutine it is called on.
func (h *Host) Inside(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread dies with the goroutine instead of
		// going back to the pool with the wrong namespaces.
		runtime.LockOSThread()
		if err := h.enter(); err != nil {
			done <- err
			return
		}
		done <- f()
	}()
	return <-done
}

func (h *Host) enter() error {
	// A thread that shares its root directory with others may not move
	// to another mount namespace.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare root directory: %w", err)
	}
	for _, ns := range h.spaces {
		if err := unix.Setns(int(ns.file.Fd()), ns.kind); err != nil {
			return fmt.Errorf("enter %q of %q: %w", ns.file.Name(), h.Name, err)
		}
	}
	return nil
}

// NetworkNamespace returns the path of the host's network namespace, for
// programs that enter it on their own.
func (h *Host) NetworkNamespace() string {
	return fmt.Sprintf("/proc/%d/ns/net", h.keeper.cmd.Process.Pid)
}

// Path returns where the test process finds the host's file: hosts have
// an /etc, /run and /var of their own.
func (h *Host) Path(name string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", h.keeper.cmd.Process.Pid), name)
}

// WriteFile writes a file of the host, with mode 0644, making its
// directory.
func (h *Host) WriteFile(name, content string) {
	h.t.Helper()
	path := h.Path(name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(content), 0o644)
	}
	if err != nil {
		h.t.Fatalf("write %q on %q: %v", name, h.Name, err)
	}
}

// ReadFile returns a file of the host.
func (h *Host) ReadFile(name string) string {
	h.t.Helper()
	content, err := os.ReadFile(h.Path(name))
	if err != nil {
		h.t.Fatalf("read %q on %q: %v", name, h.Name, err)
	}
	return string(content)
}

// Eventually polls until check returns nil, and ends the test with its
// last error at the deadline.
func (h *Host) Eventually(deadline time.Duration, check func() error) {
	h.t.Helper()
	if err := until(h.t.Context(), deadline, check); err != nil {
		h.t.Fatalf("%q after %v: %v", h.Name, deadline, err)
	}
}

// errNotYet is what a condition that is polled misses.
type errNotYet string

func (e errNotYet) Error() string { return "still no " + string(e) }

// until polls until check returns nil; at the deadline it returns check's
// last error.
func until(ctx context.Context, deadline time.Duration, check func() error) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
