// SPDX-License-Identifier: MIT

package netstate

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// readSmall returns the first limit bytes of a regular file, or nil: what
// cannot be read says nothing of the network.
func readSmall(path string, limit int64) []byte {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	if err != nil {
		return nil
	}
	return data
}

// remote reads the address of another host as programs write it into
// files: with the name of an interface as the zone, if any. It refuses what
// can only be this host, or no host.
func remote(s string, interfaces []Interface) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, false
	}
	zone := a.Zone()
	a = a.WithZone("").Unmap()
	if a.IsUnspecified() || a.IsLoopback() || a.IsMulticast() {
		return netip.Addr{}, false
	}
	if !isLinkLocal(a) {
		return a, true
	}
	for _, i := range interfaces {
		if index := strconv.Itoa(i.Index); zone == i.Name || zone == index {
			return a.WithZone(index), true
		}
	}
	return netip.Addr{}, false // on no link that exists
}

// alive is the default for Reader.Alive.
func alive(pid int) bool {
	// Zero and negative numbers would ask for groups of processes.
	if pid <= 0 {
		return false
	}
	err := unix.Kill(pid, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

func (r Reader) alive(pid int) bool {
	if r.Alive != nil {
		return r.Alive(pid)
	}
	return alive(pid)
}
