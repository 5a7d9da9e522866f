// SPDX-License-Identifier: MIT

// Package measure is for tests and benchmarks that measure what something
// costs.
package measure

import (
	"syscall"
	"time"
)

// ProcessorTime is what this process has used so far, in user space and in
// the kernel, on all processors together. What else the machine does is not
// in it.
func ProcessorTime() time.Duration {
	var u syscall.Rusage
	// RUSAGE_SELF with a valid pointer cannot fail.
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
