// SPDX-License-Identifier: MIT

// Package urgent has the kernel prefer some threads of this process.
package urgent

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	// step is by how much the nice value of a thread is lowered.
	step = 10
	// rawZero is what the system call gives for nice 0: getpriority(2).
	rawZero = 20
	lowest  = -20 // nice value
)

// Thread gives the calling goroutine a thread of its own, to its end, which
// the kernel runs before others that want a processor (setpriority(2)): for
// work that is short and must not be late. It needs CAP_SYS_NICE, or a
// RLIMIT_NICE that allows ten less than the present value; where it has
// neither, it returns an error and the goroutine stays as it was.
func Thread() error {
	runtime.LockOSThread()
	err := raise()
	if err != nil {
		runtime.UnlockOSThread()
	}
	return err
}

// raise raises the priority of the calling thread.
func raise() error {
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return fmt.Errorf("read priority: %w", err)
	}
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, max(rawZero-raw-step, lowest)); err != nil {
		return fmt.Errorf("raise priority: %w", err)
	}
	return nil
}
