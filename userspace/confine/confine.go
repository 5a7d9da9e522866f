// SPDX-License-Identifier: MIT

// Package confine takes away from this process the right to files that it
// does not need, with Landlock (landlock(7)). What it takes it takes for
// good, from every thread, and whatever rights the process has otherwise.
package confine

import (
	"fmt"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// config handles all that Linux 6.10 knows of files; older kernels handle
// what they know. Connections and signals are left alone.
var config = landlock.MustConfig(landlock.AccessFSSet(
	ll.AccessFSExecute | ll.AccessFSWriteFile | ll.AccessFSReadFile | ll.AccessFSReadDir |
		ll.AccessFSRemoveDir | ll.AccessFSRemoveFile |
		ll.AccessFSMakeChar | ll.AccessFSMakeDir | ll.AccessFSMakeReg | ll.AccessFSMakeSock |
		ll.AccessFSMakeFifo | ll.AccessFSMakeBlock | ll.AccessFSMakeSym |
		ll.AccessFSRefer | ll.AccessFSTruncate | ll.AccessFSIoctlDev))

const (
	reading = ll.AccessFSReadFile | ll.AccessFSReadDir
	writing = reading | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSRefer |
		ll.AccessFSRemoveDir | ll.AccessFSRemoveFile |
		ll.AccessFSMakeDir | ll.AccessFSMakeReg | ll.AccessFSMakeSock
)

// Available reports whether the kernel has Landlock and uses it.
func Available() bool {
	version, err := ll.LandlockGetABIVersion()
	return err == nil && version > 0
}

// Files leaves the process what is below the named directories: to be read
// and changed below write, to be read below read. Directories that do not
// exist are left out, and nothing can be executed any more. On a kernel
// without Landlock it does nothing.
func Files(write, read []string) error {
	err := config.BestEffort().RestrictPaths(
		landlock.PathAccess(landlock.AccessFSSet(writing), write...).IgnoreIfMissing(),
		landlock.PathAccess(landlock.AccessFSSet(reading), read...).IgnoreIfMissing(),
	)
	if err != nil {
		return fmt.Errorf("confine to files: %w", err)
	}
	return nil
}
