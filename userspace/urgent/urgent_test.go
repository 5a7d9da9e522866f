// SPDX-License-Identifier: MIT

package urgent

import (
	"errors"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// nice is that of the calling thread.
func nice(t *testing.T) int {
	t.Helper()
	raw, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	return rawZero - raw
}

// TestThread raises a thread, and no other.
func TestThread(t *testing.T) {
	before := nice(t)
	done := make(chan int)
	go func() {
		if err := Thread(); err != nil {
			t.Errorf("%v (needs root)", err)
		}
		done <- nice(t)
	}()
	if got := <-done; got != before-step {
		t.Errorf("nice %d, want %d", got, before-step)
	}
	if got := nice(t); got != before {
		t.Errorf("nice %d on another thread, %d before", got, before)
	}
}

// TestRefused: without the right, everything stays as it is.
func TestRefused(t *testing.T) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with its rights
		before := nice(t)
		head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var none [2]unix.CapUserData
		if err := unix.Capset(&head, &none[0]); err != nil {
			t.Error(err)
			return
		}
		if err := Thread(); !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.EPERM) {
			t.Errorf("error %v, want a refusal", err)
		}
		if got := nice(t); got != before {
			t.Errorf("nice %d, want %d", got, before)
		}
	}()
	<-done
}
