// SPDX-License-Identifier: MIT

package daemon

import (
	"context"
	"sync/atomic"

	"denmap/userspace/event"
)

// detectionQueue is how many detections may wait for the tracker. The
// kernel sends few per source, so this is a flood of sources.
const detectionQueue = 8192

// ring passes detections on without ever holding up their reader: the
// kernel's buffer is small, and what it has no room for is lost.
type ring struct {
	out      chan event.Detection
	overflow atomic.Uint64 // detections that found no room
}

func newRing() *ring { return &ring{out: make(chan event.Detection, detectionQueue)} }

func (r *ring) run(ctx context.Context, k Kernel) error { return k.Run(ctx, r.take) }

func (r *ring) take(d event.Detection) {
	select {
	case r.out <- d:
	default:
		r.overflow.Add(1)
	}
}
