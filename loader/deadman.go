// SPDX-License-Identifier: MIT

package loader

import (
	"time"

	"golang.org/x/sys/unix"

	"denmap/bpf"
)

// deadManUnit is the resolution of the dead man's switch.
const deadManUnit = time.Duration(1) << bpf.ScanLayoutDEAD_MAN_SHIFT

// awake is the time that the host has been running and not asleep.
func awake() time.Duration {
	var ts unix.Timespec
	// CLOCK_MONOTONIC always exists and cannot fail.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts)
	return time.Duration(ts.Nano())
}

// Heartbeat says that the daemon is alive. Unless it says so again within
// silence, every packet passes: no ban and no list is enforced until the
// next heartbeat. Zero turns this dead man's switch off. The time that the
// host sleeps does not count; resolution: 0.27 s.
func (s *State) Heartbeat(silence time.Duration) error {
	var after uint32
	if silence > 0 {
		after = uint32((awake()+silence)/deadManUnit) + 1
	}
	return s.setGate(func(g *bpf.ScanGate) { g.PassAfter = after })
}

// Silent reports whether the dead man's switch has let go: the daemon was
// silent for too long, and every packet passes.
func (s *State) Silent() (bool, error) {
	gate, err := s.gate()
	return gate.PassAfter != 0 && awake() >= time.Duration(gate.PassAfter)*deadManUnit, err
}
