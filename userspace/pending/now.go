// SPDX-License-Identifier: MIT

package pending

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Now returns the present moment of this host.
func Now() (Moment, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Moment{}, fmt.Errorf("tell this boot from others: %w", err)
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return Moment{}, fmt.Errorf("read time since boot: %w", err)
	}
	return Moment{strings.TrimSpace(string(boot)), time.Duration(ts.Nano())}, nil
}
